"""Compare networks that make images: their results over the view, their scores in decibel; with the real engine."""

import numpy as np
import pytest
from napari.layers import Image

import napari_annotrain as at
from napari_annotrain._napari.models import candidate_view
from napari_annotrain._qt.compare import TIPS_OF_IMAGES
from napari_annotrain.training.paired_score import MEASURES

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

SIZE = 384


@pytest.fixture
def lab(person, compare_small):
    """Noisy discs, and clean ones of 100 times their values."""
    y, x = np.mgrid[:SIZE, :SIZE] % 64 - 32
    truth = y**2 + x**2 < 18**2
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    made = person()
    made.clean = made.viewer.add_image((6000 + 12000 * truth).astype(np.float32), name="clean")
    made.noisy = made.viewer.add_image((60 + 120 * truth + noise).astype(np.float32), name="noisy", scale=(0.5, 0.5))
    made.open_panel()
    made.panel.train.device_combo.choose("cpu")
    made.find("target_combo").choose("image")
    compare_small(made)
    return made


def compare(lab):
    lab.click("compare_button")
    lab.wait(lambda: lab.enabled("compare_button") and not lab.controller.lane.busy, timeout=120_000)
    return lab.controller.compare.found


def test_pairs_are_compared_seen_and_one_is_used(lab):
    assert not lab.enabled("compare_button")
    assert "target image" in lab.find("compare_button").toolTip()
    lab.find("annotation_combo").choose(lab.clean)
    found = compare(lab)
    assert [one.measure for one in found.contenders] == ["PSNR", "PSNR"]
    assert "is best: PSNR" in lab.find("compare_label").text()
    assert lab.box.table.horizontalHeaderItem(1).text() == "PSNR\ndB"
    assert lab.box.table.item(0, 1).text() == f"{found.contenders[0].score:.1f}"
    assert "PSNR" in lab.find("compare_legend").text()
    heights = lab.box.plot._drawn[0][1].getData()[1]
    assert np.allclose(heights, [score / 50 for _, score in found.contenders[0].scores])
    assert lab.find("compare_labels_button").text() == "Show images"

    layers = [lab.viewer.layers[f"noisy {name}"] for name in ("small", "larger")]
    for layer, one in zip(layers, found.contenders, strict=True):
        assert isinstance(layer, Image)
        assert layer.data.shape == (SIZE, SIZE)
        assert np.allclose(layer.data, at.predict(one.model, lab.noisy.data, device="cpu"), atol=1)
        assert tuple(layer.contrast_limits) == pytest.approx(one.model.card.target_range[0])
        assert np.allclose(layer.scale, 0.5)
        assert layer not in lab.controller.roster.images(), "it is no image to work on"
    lab.box.table.selectRow(0)
    assert [layer.visible for layer in layers] == [True, False]

    seen = layers[0].data.copy()
    lab.click("use_candidate_button")
    lab.idle()
    assert lab.controller.session.model.model is found.contenders[0].model
    assert "noisy small" not in lab.viewer.layers
    assert np.array_equal(lab.viewer.layers["noisy prediction"].data, seen)
    lab.find("target_combo").choose("classes")
    assert "annotation" in lab.find("compare_button").toolTip()


def test_of_what_is_in_view_only_that_is_made_and_lies_there(lab):
    lab.find("annotation_combo").choose(lab.clean)
    camera = lab.viewer.scene.camera
    camera.center, camera.zoom = (0, 60, 110), 14
    found = compare(lab)
    layer = lab.viewer.layers["noisy small"]
    assert layer.data.shape < (SIZE, SIZE)
    assert (camera.center[-2:], camera.zoom) == ((60, 110), 14)
    whole = at.predict(found.contenders[0].model, lab.noisy.data, device="cpu")
    y, x = (round(float(v)) for v in lab.noisy.world_to_data(layer.data_to_world((0, 0))))
    rows, columns = layer.data.shape
    assert np.allclose(layer.data, whole[y : y + rows, x : x + columns], atol=1)
    lab.click("compare_labels_button")
    assert "noisy small" not in lab.viewer.layers


def test_noisy_images_alone_are_compared_with_the_settings_that_are_chosen(lab):
    lab.find("learn_from_combo").choose("noise2void")
    assert lab.enabled("compare_button")
    found = compare(lab)
    assert [one.measure for one in found.contenders] == ["PSNR of hidden pixels"] * 2
    assert all(one.model.card.residual for one in found.contenders)
    limits = tuple(lab.viewer.layers["noisy larger"].contrast_limits)
    assert limits == tuple(lab.noisy.contrast_limits)


def test_several_channels_are_an_axis_in_front(lab):
    both = np.stack([lab.clean.data, lab.clean.data[::-1]])
    layer = lab.viewer.add_image(both, name="two stains")
    lab.panel.image.image_combo.choose(lab.noisy)
    lab.controller.roster.set_axes(layer, "CYX")
    lab.find("annotation_combo").choose(layer)
    camera = lab.viewer.scene.camera
    camera.center, camera.zoom = (0, 60, 110), 14

    def seen():
        return camera.center[-2:], camera.zoom

    found = compare(lab)
    assert found.contenders[0].model.card.net.outputs == 2, lab.status
    shown = lab.viewer.layers["noisy small"]
    assert shown.axis_labels[0] == "channel"
    whole = at.predict(found.contenders[0].model, lab.noisy.data, device="cpu")
    y, x = (round(float(v) / 0.5) for v in shown.data_to_world((0, 0, 0))[-2:])
    _, rows, columns = shown.data.shape
    assert np.allclose(shown.data, whole[:, y : y + rows, x : x + columns], atol=1)
    assert seen() == ((60, 110), 14)
    lab.click("compare_labels_button")
    assert "noisy small" not in lab.viewer.layers
    assert seen() == ((60, 110), 14)
    lab.click("compare_labels_button")
    lab.idle()
    assert lab.viewer.layers["noisy small"].data.shape == shown.data.shape
    assert seen() == ((60, 110), 14)


def test_images_lie_under_what_is_painted(lab):
    lab.find("target_combo").choose("classes")
    lab.click("new_annotation_button")
    lab.find("target_combo").choose("image")
    lab.find("annotation_combo").choose(lab.clean)
    compare(lab)
    names = [layer.name for layer in lab.viewer.layers]
    assert names.index("noisy") < names.index("noisy small") < names.index("noisy annotation")


def test_losses_of_the_step_train_are_those_of_what_is_set_there(lab):
    lab.find("annotation_combo").choose(lab.clean)
    image = lab.controller.session.train.image.model_copy(update={"mse": 0.0, "mae": 1.0, "target_range": "training"})
    lab.controller.train.set_spec(lab.controller.session.train.model_copy(update={"image": image}))
    lab.box.checks["larger"].setChecked(False)
    lab.box.checks["as set"].setChecked(True)
    found = compare(lab)
    small, mine = (one.model.card.provenance["settings"]["image"] for one in found.contenders)
    assert (small["mse"], small["mae"], mine["mse"], mine["mae"]) == (1, 0, 0, 1)
    assert small["target_range"] == mine["target_range"] == "training"


def test_what_cannot_be_shown_is_said_and_the_verdict_stays(lab):
    lab.find("annotation_combo").choose(lab.clean)
    compare(lab)
    verdict = lab.find("compare_label").text()
    assert "is best" in verdict
    lab.click("compare_labels_button")
    lab.viewer.dims.ndisplay = 3
    lab.click("compare_labels_button")
    assert "flat view" in lab.status
    assert not lab.find("compare_labels_button").isChecked()
    lab.viewer.dims.ndisplay = 2
    both = lab.viewer.add_image(np.stack([lab.noisy.data] * 2), name="two stains")
    lab.controller.roster.set_axes(both, "CYX")
    lab.panel.image.image_combo.choose(both)
    lab.click("compare_labels_button")
    lab.wait(lambda: not lab.controller.lane.busy)
    assert "channel" in lab.status
    assert not lab.find("compare_labels_button").isChecked()
    assert lab.find("compare_label").text() == verdict
    assert lab.controller.session.activity == "idle"


def test_only_planes_can_be_shown_and_only_so_many_pixels(lab, monkeypatch):
    lab.find("annotation_combo").choose(lab.clean)
    compare(lab)
    lab.click("compare_labels_button")
    monkeypatch.setattr(candidate_view, "MOST_VALUES", SIZE)
    lab.click("compare_labels_button")
    assert "zoom in first" in lab.status
    monkeypatch.undo()
    deep = lab.viewer.add_image(np.stack([lab.noisy.data] * 3), name="stack")
    lab.panel.image.image_combo.choose(deep)
    lab.viewer.dims.order = (1, 0, 2)
    lab.click("compare_labels_button")
    assert "planes of Y and X" in lab.status
    assert "stack small" not in lab.viewer.layers


def test_every_score_of_images_is_explained():
    assert set(TIPS_OF_IMAGES) == set(MEASURES.values())

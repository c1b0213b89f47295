"""Compare networks: tick two, watch them, look at their labels, go on with one; with the real engine."""

import numpy as np
import pytest

from napari_annotrain.specs import PRESETS

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

SIZE = 384


@pytest.fixture
def lab(person, compare_small):
    """Discs, all annotated."""
    y, x = np.mgrid[:SIZE, :SIZE] % 64 - 32
    truth = y**2 + x**2 < 18**2
    noise = np.random.default_rng(0).normal(0, 8, truth.shape)
    made = person()
    made.viewer.add_image((60 + 120 * truth + noise).clip(0, 255).astype(np.uint8), name="discs")
    made.open_panel()
    made.panel.train.device_combo.choose("cpu")
    made.click("new_annotation_button")
    layer = made.controller.annotation
    layer.data[...] = 1 + truth
    layer.refresh()
    made.wait(lambda: bool(made.controller.tallies.painted()))
    compare_small(made)
    return made


def texts(lab, row):
    return [lab.box.table.item(row, k).text() for k in range(lab.box.table.columnCount())]


def test_two_are_trained_shown_and_one_is_used(lab):
    lab.click("compare_button")
    assert lab.controller.session.activity == "comparing"
    assert not lab.enabled("train_button")
    assert "comparison" in lab.find("train_button").toolTip()
    lab.wait(lambda: lab.enabled("compare_button") and not lab.controller.lane.busy, timeout=120_000)

    found = lab.controller.compare.found
    assert [one.name for one in found.contenders] == ["small", "larger"]
    assert "is best: score" in lab.find("compare_label").text()
    assert found.best.name in lab.status
    for k, one in enumerate(found.contenders):
        name, score, _, weights, reach, _ = texts(lab, k)
        assert (name, score) == (one.name, f"{one.score:.2f}")
        assert (weights, reach) == (f"{one.parameters / 1e6:.2f}", str(one.reach_px))
    assert all(curve.getData()[0].size for pair in lab.box.plot._drawn for curve in pair)
    assert "small" in lab.find("compare_legend").text()

    layers = [lab.viewer.layers[f"discs {name}"] for name in ("small", "larger")]
    assert all(layer.data.any() for layer in layers)
    lab.box.table.selectRow(0)
    assert [layer.visible for layer in layers] == [True, False]
    lab.box.table.selectRow(1)
    assert [layer.visible for layer in layers] == [False, True]
    assert not any(layer in lab.controller.roster.annotations() for layer in layers)
    names = [layer.name for layer in lab.viewer.layers]
    assert names.index("discs annotation") < names.index("discs small")

    seen = layers[1].data.copy()
    lab.click("use_candidate_button")
    lab.idle()
    session = lab.controller.session
    assert session.model.model is found.contenders[1].model
    assert session.models[-1] is session.model
    assert session.model.name == "larger, model 1"
    assert lab.find("model_combo").currentText().startswith("larger, model 1 · score")
    assert "discs larger" not in lab.viewer.layers
    assert np.array_equal(lab.viewer.layers["discs prediction"].data, seen)


def test_with_little_annotation_there_is_no_winner_and_the_reason_is_said_once(lab):
    layer = lab.controller.annotation
    layer.data[...] = 0
    layer.data[20:40, 20:40] = 2
    layer.data[60:64, :40] = 1
    layer.refresh()
    lab.click("compare_button")
    lab.wait(lambda: lab.enabled("compare_button") and not lab.controller.lane.busy, timeout=120_000)
    assert lab.status.lower().count("too little is annotated") == 1
    assert "No winner" in lab.status


def test_it_can_be_stopped_and_what_was_trained_stays(lab):
    lab.box.seconds.setValue(10_000)
    lab.click("compare_button")
    found = lab.controller.compare
    lab.wait(lambda: len(found._models()) == 2, timeout=120_000)
    lab.click("stop_compare_button")
    lab.wait(lambda: lab.enabled("compare_button") and not lab.controller.lane.busy)
    assert lab.status.startswith("Stopped.")
    assert lab.viewer.layers["discs small"].data.shape == (SIZE, SIZE)
    lab.click("compare_labels_button")
    assert "discs small" not in lab.viewer.layers
    lab.click("compare_labels_button")
    lab.idle()
    assert "discs small" in lab.viewer.layers


def test_the_list_grows_from_the_presets_and_what_cannot_be_done_says_why(lab):
    assert [*lab.box.checks] == [*PRESETS, *lab.controller.train.bases, "as set"]
    assert "Nothing is being compared" in lab.find("stop_compare_button").toolTip()
    assert "Nothing is compared yet" in lab.find("use_candidate_button").toolTip()
    assert lab.enabled("compare_button")
    lab.find("compare_check_small").setChecked(False)
    assert not lab.enabled("compare_button")
    assert "two or more" in lab.find("compare_button").toolTip()

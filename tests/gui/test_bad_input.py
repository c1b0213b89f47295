"""What nothing can be done with is refused by the panel: one sentence in its status line, and every layer stays."""

import shutil

import numpy as np
import pytest
import zarr
from qtpy.QtWidgets import QApplication, QDialog, QFileDialog
from tests.command_line import contents
from tests.inference.test_segment import threshold_model
from tests.spoilt import IMAGE, LABELS, MODELS, STROKES, bright_squares, is_one_sentence, spoil_model, with_value

from napari_annotrain.specs import PRESETS
from napari_annotrain.store.models import save_model

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

BUTTONS = ("train_button", "predict_view_button", "predict_slice_button", "predict_stack_button", "check_seams_button")


class Lab:
    """A person before an image with an annotation, a model from a file, and what that predicted."""

    def __init__(self, person, folder, monkeypatch):
        self.person, self.folder, self._monkeypatch = person, folder, monkeypatch

    def __getattr__(self, name):
        return getattr(self.person, name)

    def open(self, image, painted=None, name="cells", model=None):
        self.viewer.add_image(image, name=name)
        self.open_panel()
        self.find("device_combo").setCurrentText(self.find("device_combo").itemText(1))  # the CPU
        if painted is not None:
            self.click("new_annotation_button")
            self.controller.annotation.data[...] = painted
            self.controller.annotation.refresh()
        self.open_model(save_model(model or threshold_model(), self.folder / "m.safetensors"))
        return self

    def open_model(self, path):
        """Press the button and choose a file."""
        self._monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *rest: (str(path), ""))
        self.click("open_model_button")

    def save_model(self, path):
        """Press the button and choose a place."""
        self._monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *rest: (str(path), ""))
        self.click("save_model_button")

    def run(self, button):
        self.click(button)
        self.wait(lambda: self.enabled("predict_stack_button") and not self.controller.lane.busy)

    def layers(self):
        return {la.name: np.array(la.data) if isinstance(la.data, np.ndarray) else None for la in self.viewer.layers}

    def is_refused(self, words, action, *args):
        """Do something, and find that it was refused, in these words, and nothing has changed."""
        layers, models, files = self.layers(), self.controller.session.models, contents(self.folder)
        action(*args)
        assert is_one_sentence(self.status), self.status
        assert words in self.status, self.status
        np.testing.assert_equal(self.layers(), layers)
        assert self.controller.session.models == models
        assert contents(self.folder) == files
        self.is_ready()

    def is_ready(self):
        assert all(self.enabled(name) for name in BUTTONS)
        assert not self.enabled("stop_button")
        assert not self.enabled("cancel_button")
        assert not [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]


@pytest.fixture
def lab(person, tmp_path, monkeypatch):
    return Lab(person(), tmp_path, monkeypatch)


# --- training -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "painted", "target", "words"),
    [
        pytest.param(IMAGE, 0, "classes", "Nothing is annotated yet: paint", id="nothing_annotated"),
        pytest.param(IMAGE, 1, "classes", "Only background is painted: paint", id="only_background"),
        pytest.param(IMAGE, 2, "classes", "Only one class is painted: paint", id="only_one_class"),
        pytest.param(IMAGE, 2, "cells", "Only cells are painted: paint", id="only_one_cell"),
        pytest.param(with_value(np.nan, 2, 2), STROKES, "classes", "cells holds NaN or", id="NaN_under_the_strokes"),
        pytest.param(with_value(np.nan, 40, 40), STROKES, "cells", "cells holds NaN or", id="NaN_beside_the_strokes"),
        pytest.param(with_value(-np.inf, 2, 2), STROKES, "classes", "or infinite values: replace", id="infinity"),
        pytest.param(IMAGE * 0 + 7, LABELS, "classes", "cells has the same value everywhere: leave", id="constant"),
        pytest.param(IMAGE[:1, :1], 2, "classes", "cells has the same value everywhere", id="one_pixel"),
    ],
)
def test_training_is_refused_on(image, painted, target, words, lab):
    lab.open(image, painted)
    lab.run("predict_stack_button")
    assert "cells prediction" in lab.viewer.layers, "test invalid"
    lab.panel.annotate.target_combo.choose(target)
    lab.is_refused(words, lab.run, "train_button")


@pytest.mark.parametrize("shape", [(50, 47), (2, 50, 50)], ids=str)
def test_an_annotation_of_another_shape_is_refused(shape, lab):
    lab.open(IMAGE, LABELS)
    lab.run("predict_stack_button")
    lab.viewer.add_labels(np.ones(shape, int), name="other")
    lab.find("annotation_combo").setCurrentText("other")
    words = " x ".join(map(str, shape))
    lab.is_refused(f"is 50 x 50 but its annotation is {words}: choose the annotation", lab.run, "train_button")


def test_one_bad_image_among_good_ones_is_named_and_can_be_unticked(lab):
    lab.open(IMAGE, LABELS)
    lab.run("predict_stack_button")
    for name, image, words in (
        ("flat", IMAGE * 0, "flat has the same value"),
        ("hot", with_value(np.inf, 9), "hot holds"),
    ):
        layer = lab.viewer.add_image(image, name=name, contrast_limits=(0, 1))
        lab.viewer.add_labels(LABELS, name=f"{name} annotation")
        lab.is_refused(words, lab.run, "train_button")
        lab.controller.tick(layer, False)


def test_in_place_of_stems_an_annotation_named_after_another_image_is_not_taken(lab):
    lab.viewer.add_labels(LABELS, name="b annotation")
    lab.open(IMAGE, name="a")
    assert lab.find("annotation_combo").currentIndex() == -1
    assert not lab.enabled("train_button")
    assert "no annotation yet: press + New layer and paint" in lab.find("train_button").toolTip()


# --- prediction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
def test_a_model_for_another_number_of_channels_is_refused_and_the_old_prediction_stays(channels, lab):
    grey = IMAGE.astype(np.uint8)
    image, fitting = (grey, 1) if channels == 2 else (np.stack([grey] * 3, -1), 3)
    lab.open(image, LABELS, model=threshold_model(channels=fitting))
    lab.run("predict_stack_button")
    assert lab.viewer.layers["cells prediction"].data.any(), "test invalid"
    lab.open_model(save_model(threshold_model(channels=channels), lab.folder / "other.safetensors"))
    lab.find("output_combo").setCurrentText("probabilities")  # would need another layer
    for button in BUTTONS[1:]:
        lab.is_refused(f"channels but the model reads {channels}: choose another model", lab.run, button)


def test_an_image_for_which_there_is_no_model_gets_no_empty_prediction(lab):
    lab.open(np.stack([IMAGE.astype(np.uint8)] * 3, -1))
    for button in BUTTONS[1:]:
        lab.run(button)
        assert "has 3 channels but the model reads 1: choose another model" in lab.status
    assert [layer.name for layer in lab.viewer.layers] == ["cells"]


@pytest.mark.parametrize(
    ("image", "words", "n_background"),
    [
        pytest.param(with_value(np.nan, 0, slice(4, 7)), "3 pixels of cells are not numbers (NaN or inf", 3, id="NaN"),
        pytest.param(with_value(np.inf, 0, slice(4, 8)), "4 pixels of cells are not numbers", 4, id="infinity"),
        pytest.param(IMAGE * 0 + 7, "cells has the same value everywhere: all of it became", 2500, id="constant"),
        pytest.param(with_value(np.nan, ...), "2,500 pixels of cells are not numbers", 2500, id="nothing_but_NaN"),
    ],
)
def test_pixels_that_say_nothing_become_background_and_are_counted(image, words, n_background, lab):
    lab.open(image)
    squares = np.ones(2500, bool) if n_background == 2500 else LABELS.ravel() == 2
    for what in ("view", "slice", "stack"):
        lab.run(f"predict_{what}_button")
        assert words in lab.status
        found = lab.viewer.layers["cells prediction"].data.ravel()[squares]
        assert (found == 0).sum() == n_background


def test_an_image_file_that_is_damaged_after_it_was_opened_is_refused(lab):
    store = lab.folder / "image.zarr"
    array = zarr.create_array(store, data=np.stack([IMAGE] * 2), chunks=(1, 50, 50))
    lab.open(array, LABELS)
    lab.run("predict_stack_button")
    assert lab.viewer.layers["cells prediction"].data[1].any(), "test invalid"
    shutil.rmtree(store / "c")
    for z in range(2):
        (store / "c" / str(z) / "0").mkdir(parents=True)
        (store / "c" / str(z) / "0" / "0").write_bytes(b"damaged")
    for button in BUTTONS:
        lab.is_refused("copy or save it again", lab.run, button)


# --- models ---------------------------------------------------------------------------------------------------------


def test_models_that_cannot_be_used_are_refused(lab):
    lab.open(IMAGE, LABELS)
    lab.run("predict_stack_button")
    for how, words in MODELS.items():
        path = spoil_model(how, lab.folder / f"{how}.safetensors")
        lab.is_refused(words, lab.open_model, path)


def test_places_that_cannot_be_written_are_refused(lab):
    lab.open(IMAGE, LABELS)
    (lab.folder / "taken.safetensors").mkdir()
    for place, words in (
        ("m.safetensors/deeper.safetensors", "m.safetensors is a file, not a folder): choose another place"),
        ("taken.safetensors", "is a folder of other things: choose another name"),
        ("x" * 300, "cannot be written (File name too long): choose another place"),
    ):
        lab.is_refused(words, lab.save_model, lab.folder / place)


# --- what cannot be said in the panel -------------------------------------------------------------------------------


def test_no_unknown_preset_device_or_output_can_be_chosen(lab):
    lab.open(IMAGE, LABELS)
    offered = {
        name: {lab.find(name).itemData(i) for i in range(lab.find(name).count())}
        for name in ("preset_combo", "device_combo", "output_combo", "target_combo")
    }
    assert offered["preset_combo"] - {"own"} == set(PRESETS)
    assert offered["device_combo"] <= {"auto", "cpu", "cuda", "mps"}
    assert offered["output_combo"] == {"classes", "cells", "probabilities", "uncertainty"}
    assert offered["target_combo"] == {"classes", "cells", "image"}
    for name in offered:
        assert not lab.find(name).isEditable()


def test_no_tile_but_a_positive_number_can_be_entered(lab):
    lab.open(IMAGE, LABELS)
    form = lab.panel.predict.more.form
    entry = form._fields["tile"]._entry
    for text in ("-5", "0", "1.5", "large", ""):
        entry.setText(text)
        entry.editingFinished.emit()
        assert form.problem_label.text().startswith("Tile: ")
        assert lab.controller.session.predict.tile == "auto"
    lab.run("predict_stack_button")
    assert "Predicted" in lab.status


# --- what simply works ----------------------------------------------------------------------------------------------

TYPES = ["uint16", "int16", "float32", "float64", "bool", ">u2", ">f4"]


def test_images_of_any_real_type_and_size_are_trained_on_and_predicted(lab):
    images = {dtype: bright_squares((50, 50), dtype) for dtype in TYPES}
    images |= {f"small {dtype}": bright_squares((7, 5), dtype) for dtype in ("uint16", "bool")}
    for name, (image, labels) in images.items():
        lab.viewer.add_image(image, name=name)
        lab.viewer.add_labels(labels, name=f"{name} annotation")
    lab.open(IMAGE[:1, :1], name="one pixel")
    lab.run("predict_images_button")
    for name, (_, labels) in images.items():
        assert np.array_equal(lab.viewer.layers[f"{name} prediction"].data + 1, labels), name
    assert lab.viewer.layers["one pixel prediction"].data.tolist() == [[0]]
    form = lab.panel.train.more.form
    form._fields["steps"]._check.setChecked(True)
    form._fields["steps"]._entry.value = 1
    lab.run("train_button")
    assert "Training ended after" in lab.status
    for name in ("small bool", "one pixel"):
        lab.find("image_combo").setCurrentText(name)
        lab.run("predict_stack_button")
        assert "Predicted the whole image" in lab.status

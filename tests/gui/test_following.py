"""Sentences follow what is there: they go when they are true no longer, and say what has changed."""

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

pytestmark = pytest.mark.gui
CTRL = Qt.KeyboardModifier.ControlModifier
IMAGE = np.random.default_rng(0).integers(0, 200, (40, 60), dtype=np.uint8)


@pytest.fixture
def lab(person, fake):
    made = person(show=True)
    made.viewer.window.resize(1100, 800)
    made.viewer.add_image(IMAGE, name="cells")
    made.fake = fake
    made.open_panel()
    return made


def paint(layer, rows, columns, value):
    """Paint a box as a stroke does: one event, one step of undo."""
    y, x = (a.ravel() for a in np.mgrid[rows, columns])
    layer.data_setitem((y, x), value)


def annotated(lab):
    lab.click("new_annotation_button")
    layer = lab.controller.annotation
    paint(layer, slice(0, 5), slice(0, 60), 1)
    return layer


def test_what_can_be_taken_back_is_said_until_it_was(lab):
    layer = annotated(lab)
    lab.train()
    lab.click("accept_view_button")
    assert "Ctrl+Z takes it back" in lab.status
    lab.press(Qt.Key.Key_Z, CTRL)
    lab.wait(lambda: "Ctrl+Z" not in lab.status)
    assert not (layer.data[5:] > 0).any()


def test_a_tool_that_is_put_down_takes_its_sentence_along(lab):
    lab.find("target_combo").setCurrentText("cells")
    layer = annotated(lab)
    paint(layer, slice(10, 20), slice(10, 20), 2)
    lab.click("merge_cells_button")
    lab.click_on(layer, 15, 15)
    assert "Cell 2 is chosen" in lab.status
    assert layer.selected_label == 2, "the number in napari's label box"
    lab.press(Qt.Key.Key_Escape)
    assert "chosen" not in lab.status


def test_why_something_cannot_be_done_goes_with_its_reason(lab):
    annotated(lab)
    lab.controller.guarded(lab.controller.accept.here)()
    assert "press What I see" in lab.status
    lab.train()
    lab.idle()
    assert "press What I see" not in lab.status


def test_why_something_cannot_be_done_stays_when_an_image_is_opened(lab):
    annotated(lab)
    lab.viewer.add_image(IMAGE[:20], name="more")
    lab.controller.guarded(lab.controller.accept.here)()  # before the window has had time to tell of the image
    assert lab.controller.arrivals._soon.isActive(), "test invalid"
    QApplication.processEvents()
    assert not lab.controller.arrivals._soon.isActive()
    assert "press What I see" in lab.status
    lab.viewer.add_image(IMAGE[:30], name="later")
    lab.wait(lambda: "later is open too" in lab.status)


def test_what_was_said_of_one_image_is_not_said_of_the_next(lab):
    annotated(lab)
    lab.train()
    lab.click("predict_view_button")
    lab.idle()
    assert lab.panel.folds["Predict"].summary() == "view: done"
    lab.viewer.add_image(IMAGE[:20], name="more")
    lab.wait(lambda: "more is open too" in lab.status)
    assert lab.find("image_combo").currentText() == "cells", "there is work on it"
    lab.panel.image.image_combo.choose(lab.viewer.layers["more"])
    assert lab.panel.folds["Predict"].summary() == ""
    assert "+ New layer" in lab.status
    lab.click("new_annotation_button")
    paint(lab.controller.annotation, slice(0, 5), slice(0, 60), 1)
    paint(lab.controller.annotation, slice(8, 12), slice(0, 60), 2)
    lab.wait(lambda: "Press What I see" in lab.status)
    lab.click("predict_view_button")
    lab.idle()
    lab.panel.image.image_combo.choose(lab.viewer.layers["cells"])
    assert "Correct what is wrong" in lab.status


def test_an_image_opened_beside_an_untouched_one_is_chosen_and_that_is_said(lab):
    lab.viewer.add_image(IMAGE[:20], name="more")
    lab.wait(lambda: "more is chosen now" in lab.status)
    assert lab.find("image_combo").currentText() == "more"
    for name in ("one channel", "another channel"):
        lab.viewer.add_image(IMAGE, name=name)
    lab.wait(lambda: "one channel is chosen now" in lab.status)
    assert lab.find("image_combo").currentText() == "one channel"


def test_a_single_image_is_no_stack(lab):
    assert lab.find("predict_stack_button").text() == "Whole image"
    annotated(lab)
    lab.train()
    assert "stack" not in lab.status
    lab.click("predict_stack_button")
    lab.idle()
    assert "Predicted the whole image" in lab.status
    lab.viewer.add_image(np.stack([IMAGE, IMAGE]), name="two planes")
    lab.panel.image.image_combo.choose(lab.viewer.layers["two planes"])
    assert lab.find("predict_stack_button").text() == "Whole stack"


def test_a_place_is_outlined_until_the_next_press(lab):
    """That of Where next? and of a measured row; nothing of it stays, and the brush stays in the hand."""
    layer = annotated(lab)
    paint(layer, slice(20, 26), slice(30, 36), 2)
    lab.train()
    lab.find("measure_combo").setCurrentText("cells annotation")
    lab.click("measure_button")
    lab.wait(lambda: lab.find("measure_table").model().rowCount() > 0)
    before = list(lab.viewer.layers)
    lab.panel.measure.row_chosen.emit(0)
    (mark,) = [one for one in lab.viewer.layers if one not in before]
    assert np.allclose(mark.extent.world.mean(0), [22.5, 32.5])
    assert mark.data.any()
    assert not mark.data[20:40, 20:40].any(), "an outline"
    assert lab.viewer.layers.selection.active is layer
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    assert "here" not in [one.name for one in lab.controller.roster.images()]
    lab.stroke(layer, (30, 10), (30, 20))
    lab.wait(lambda: list(lab.viewer.layers) == before)
    assert (layer.data[30, 12:18] == 2).all()
    lab.controller.mark.show(lab.controller.image, "YX", [10, 10], (8, 8))
    lab.viewer.window.remove_dock_widget(lab.dock)
    assert list(lab.viewer.layers) == before

"""Accepting the prediction as annotation, as a person does: key, button, click; and Ctrl+Z."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_annotrain._napari.annotate.tally import FEW_PLANES

pytestmark = pytest.mark.gui
CTRL = Qt.KeyboardModifier.ControlModifier


def predicted():
    """Two cells, 1 and 2, on background."""
    values = np.zeros((40, 60), np.int32)
    values[5:15, 5:20] = 1
    values[22:34, 30:50] = 2
    return values


@pytest.fixture
def lab(person, fake):
    """A window with a stack in which each plane has two predicted cells, and an empty annotation of cells."""
    fake.drawn, fake.target = predicted(), "cells"
    made = person(show=True)
    made.viewer.window.resize(1100, 800)
    made.viewer.add_image(np.zeros((2 * FEW_PLANES, 40, 60), np.uint8), name="cells")
    made.fake = fake
    made.open_panel()
    made.viewer.dims.set_current_step(0, 0)
    made.find("target_combo").setCurrentText("cells")
    made.click("new_annotation_button")
    made.qtbot.wait(50)
    made.viewer.fit_to_view()
    return made


def predict(lab, what="view"):
    if lab.controller.session.model is None:
        lab.controller.annotation.data_setitem((np.array([1]), np.array([0]), np.array([0])), 2)
        lab.train()
        lab.controller.annotation.undo()
    lab.find("output_combo").setCurrentText("cells")
    lab.click(f"predict_{what}_button")
    lab.idle()


def test_what_is_seen_is_accepted_around_what_was_painted_and_taken_back_by_one_undo(lab):
    layer = lab.controller.annotation
    assert not lab.enabled("accept_view_button")
    assert "Nothing is predicted yet" in lab.find("accept_view_button").toolTip()
    predict(lab)
    painted = np.zeros((40, 60), bool)
    painted[6:9, 6:9] = True
    layer.data_setitem((np.zeros(9, int), *(a + 6 for a in np.indices((3, 3)).reshape(2, -1))), 7)
    before, events = layer.data.copy(), []
    layer.events.paint.connect(lambda event: events.append(event))
    lab.press(Qt.Key.Key_A)
    plane, values = layer.data[0], predicted()
    assert (plane[values == 1] == 7).all()  # the rest of the cell that was painted in
    assert (plane[values == 2] == 8).all()  # the next free id
    assert (plane[values == 0] == 1).all()
    assert not layer.data[1:].any()
    assert len(events) == 1
    assert "Accepted what you see: 1 new cell, 2,391 px" in lab.status
    assert layer.selected_label == 9  # a stroke that follows is a cell of its own
    lab.press(Qt.Key.Key_Z, CTRL)
    assert (layer.data == before).all()


def test_what_is_not_predicted_is_not_taken_for_background(lab):
    predict(lab)
    lab.viewer.dims.set_current_step(0, 1)
    lab.click("accept_view_button")
    assert "Nothing is predicted here yet" in lab.status
    assert not lab.controller.annotation.data.any()


def test_only_the_selected_complete_region_is_accepted(lab):
    predict(lab)
    lab.click("complete_region_button")
    regions = lab.viewer.layers["cells complete regions"]
    regions.add_rectangles([[[0, 20, 28], [0, 20, 52], [0, 36, 52], [0, 36, 28]]])
    assert str(regions.text.values) == "complete"
    regions.selected_data = {0}
    lab.press(Qt.Key.Key_A)
    plane = lab.controller.annotation.data[0]
    assert (plane[22:34, 30:50] == 2).all()
    assert set(np.unique(plane[20:36, 28:52])) == {1, 2}
    assert not plane[:18].any()
    assert "Accepted the complete region: 1 new cell, 425 px" in lab.status
    lab.press(Qt.Key.Key_Z, CTRL)
    assert not lab.controller.annotation.data.any()


def draw_regions(lab, *planes, columns=((28, 52),)):
    """Complete regions over the second cell of some planes, all selected."""
    lab.click("complete_region_button")
    regions = lab.viewer.layers["cells complete regions"]
    boxes = [[[z, 20, a], [z, 20, b], [z, 36, b], [z, 36, a]] for z in planes for a, b in columns]
    regions.add_rectangles(boxes)
    regions.selected_data = set(range(len(boxes)))


def test_cells_of_several_regions_in_planes_that_were_never_painted_on_have_ids_of_their_own(lab):
    predict(lab, "stack")
    draw_regions(lab, 20, 25)
    layer, events = lab.controller.annotation, []
    layer.events.paint.connect(lambda event: events.append(event))
    lab.press(Qt.Key.Key_A)
    ids = [set(np.unique(layer.data[z][predicted() == 2]).tolist()) for z in (20, 25)]
    assert ids == [{2}, {3}]
    assert "2 new cells, 850 px" in lab.status
    assert len(events) == 1
    lab.press(Qt.Key.Key_Z, CTRL)
    assert not layer.data.any()


def test_a_cell_in_two_regions_is_one_and_counted_once(lab):
    predict(lab)
    draw_regions(lab, 0, columns=((28, 44), (40, 52)))
    lab.press(Qt.Key.Key_A)
    plane = lab.controller.annotation.data[0]
    assert (plane[22:34, 30:50] == 2).all()
    assert "1 new cell, 425 px" in lab.status


def test_where_one_of_the_regions_is_not_predicted_none_is_accepted(lab):
    predict(lab)
    draw_regions(lab, 0, 1)
    layer, events = lab.controller.annotation, []
    lab.press(Qt.Key.Key_A)
    assert "Nothing is predicted here yet" in lab.status
    assert not layer.data.any()
    layer.events.paint.connect(lambda event: events.append(event))
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 5)
    assert [len(event.value) for event in events] == [1]  # the stroke alone


def test_regions_from_a_file_say_what_they_are(lab):
    corners = np.array([[0, 20, 28], [0, 20, 52], [0, 36, 52], [0, 36, 28]])
    old = lab.viewer.add_shapes([corners], name="cells complete regions")
    assert str(old.text.values) == "complete"


def test_objects_are_accepted_by_clicks_with_a_thin_ring_until_escape(lab):
    predict(lab)
    layer = lab.controller.annotation
    lab.click("accept_object_button")
    lab.click_on(lab.viewer.layers["cells"], 10, 12)
    plane = layer.data[0]
    assert (plane[5:15, 5:20] == 2).all()
    assert (plane == 1).sum() == 16 * 21 - 10 * 15  # three pixels all around
    assert not plane[20:].any()
    lab.click_on(lab.viewer.layers["cells"], 2, 55)
    assert "background here" in lab.status
    lab.press(Qt.Key.Key_Escape)
    assert not lab.find("accept_object_button").isChecked()
    lab.press(Qt.Key.Key_Z, CTRL)
    assert not layer.data.any()


def test_classes_are_accepted_as_classes(lab):
    lab.find("target_combo").setCurrentText("classes")
    lab.controller.annotation.data_setitem((np.array([0, 0]), np.array([6, 39]), np.array([6, 59])), np.array([1, 3]))
    lab.fake.target = "classes"
    lab.train()
    lab.find("output_combo").setCurrentText("classes")
    lab.click("predict_stack_button")
    lab.idle()
    lab.click("accept_view_button")
    plane = lab.controller.annotation.data[0]
    expected = predicted() + 1
    expected[6, 6], expected[39, 59] = 1, 3
    assert (plane == expected).all()

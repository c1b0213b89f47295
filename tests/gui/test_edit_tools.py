"""Cells are merged, split, deleted and filled with the mouse; classes merged, deleted and coloured in the table."""

import json

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from napari_annotrain.session import Session
from napari_annotrain.session.state import restore_settings, settings_of

pytestmark = pytest.mark.gui
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def painted():
    """Cell 2 with a hole, cell 3 beside it, cell 4 apart from both."""
    values = np.zeros((40, 60), np.uint16)
    values[5:15, 5:20] = 2
    values[8:11, 9:12] = 0
    values[5:15, 20:32] = 3
    values[22:34, 30:50] = 4
    return values


@pytest.fixture
def lab(person, fake):
    made = person(show=True)
    made.viewer.window.resize(1100, 800)
    made.viewer.add_image(np.zeros((3, 40, 60), np.uint8), name="cells", scale=(2, 0.5, 0.5))
    made.fake = fake
    made.open_panel()
    made.viewer.dims.set_current_step(0, 1)
    made.find("target_combo").setCurrentText("cells")
    made.click("new_annotation_button")
    made.layer = made.controller.annotation
    y, x = np.nonzero(painted())
    made.layer.data_setitem((np.ones_like(y), y, x), painted()[y, x])
    made.qtbot.wait(50)
    made.viewer.fit_to_view()
    return made


def undo(lab):
    before = lab.layer.data[1].copy()
    lab.press(Qt.Key.Key_Z, CTRL)
    assert (lab.layer.data[1] == painted()).all()
    assert not lab.layer.data[[0, 2]].any()
    return before


def test_two_clicks_merge_two_cells(lab):
    lab.click("merge_cells_button")
    assert lab.layer.mode == "pan_zoom"
    lab.click_on(lab.layer, 7, 7)
    assert "Cell 2 is chosen" in lab.status
    lab.click_on(lab.layer, 10, 25)
    plane = lab.layer.data[1]
    assert ((plane == 2) == np.isin(painted(), [2, 3])).all()
    assert not (plane == 3).any()
    assert "one cell now. " in lab.status
    undo(lab)
    lab.click_on(lab.layer, 7, 7)
    lab.click_on(lab.layer, 30, 40)
    assert "in two parts" in lab.status
    lab.press(Qt.Key.Key_Escape)
    assert not lab.find("merge_cells_button").isChecked()
    assert lab.layer.mode == "paint"  # as before


def test_a_line_splits_a_cell_and_is_seen_while_it_is_drawn(lab):
    names = []
    lab.viewer.layers.events.inserted.connect(lambda event: names.append(event.value.name))
    lab.click("split_cell_button")
    centre = lab.viewer.scene.camera.center
    lab.stroke(lab.layer, (19, 37), (37, 37))
    plane = lab.layer.data[1]
    own = painted() == 4
    assert set(np.unique(plane[own])) == {4, 5}
    assert (plane[22:34, 39:50] == 4).all()  # the larger one keeps its number
    assert (plane[22:34, 30:36] == 5).all()
    assert (plane[~own] == painted()[~own]).all()
    assert names == ["cut"]
    assert "cut" not in [layer.name for layer in lab.viewer.layers]
    assert lab.viewer.scene.camera.center == centre  # the view was not dragged
    assert lab.find("split_cell_button").isChecked()
    undo(lab)
    lab.stroke(lab.layer, (19, 37), (27, 37))
    assert "does not cut" in lab.status
    assert (lab.layer.data[1] == painted()).all()


def test_a_piece_that_the_layer_has_no_number_for_is_refused_in_a_sentence(lab):
    cells = painted().astype(np.uint8)
    cells[cells == 3] = 255
    small = lab.viewer.add_labels(np.repeat(cells[None], 3, 0), name="small", scale=(2, 0.5, 0.5))
    lab.find("annotation_combo").setCurrentText("small")
    lab.click("split_cell_button")
    lab.stroke(small, (19, 37), (37, 37))
    assert "small has no room for cells or classes beyond number 255" in lab.status
    assert (small.data == cells).all()


def test_cells_are_deleted_and_filled_by_a_click(lab):
    lab.click("delete_cell_button")
    lab.click_on(lab.layer, 30, 40)
    assert not (lab.layer.data[1] == 4).any()
    assert (lab.layer.data[1][painted() == 4] == 0).all()
    undo(lab)
    lab.click_on(lab.layer, 30, 40, SHIFT)
    assert (lab.layer.data[1][painted() == 4] == 1).all()
    undo(lab)
    lab.click_on(lab.layer, 36, 5)
    assert "no cell" in lab.status
    lab.click("fill_holes_button")
    assert not lab.find("delete_cell_button").isChecked()
    lab.click_on(lab.layer, 7, 7)
    assert (lab.layer.data[1][5:15, 5:20] == 2).all()
    undo(lab)
    lab.click_on(lab.layer, 30, 40)
    assert "has no holes" in lab.status


def test_the_eraser_is_a_button_and_a_tool_is_put_down_by_another_way_of_painting(lab):
    lab.click("erase_button")
    assert lab.layer.mode == "erase"
    lab.stroke(lab.layer, (28, 32), (28, 48))
    assert (lab.layer.data[1] == 4).sum() < (painted() == 4).sum()
    lab.press(Qt.Key.Key_2)
    assert lab.layer.mode == "paint"
    assert not lab.find("erase_button").isChecked()
    lab.press(Qt.Key.Key_1)
    assert lab.find("erase_button").isChecked()  # napari's key
    lab.click("merge_cells_button")
    lab.viewer.layers.selection.active = lab.viewer.layers["cells"]
    assert not lab.find("merge_cells_button").isChecked()
    assert lab.controller.edit.tool == ""


def test_m_takes_the_next_free_cell_also_on_an_empty_layer(lab):
    lab.press(Qt.Key.Key_M)
    assert lab.layer.selected_label == 5
    lab.press(Qt.Key.Key_Z, CTRL)
    assert not lab.layer.data.any()
    lab.press(Qt.Key.Key_M)
    assert lab.layer.selected_label == 2


def test_classes_are_merged_deleted_and_come_back_with_their_names(lab):
    lab.find("target_combo").setCurrentText("classes")
    assert not lab.find("merge_cells_button").isVisible()
    lab.controller.session.name_classes({1: "nucleus", 2: "debris", 3: "mitosis"})
    lab.controller.refresh()
    annotate, layer = lab.panel.annotate, lab.layer
    menu = annotate.classes.menu(2)
    assert [action.text() for action in menu.actions()] == [
        "Rename",
        "Colour ...",
        "Merge into",
        'Delete class "debris"',
    ]
    into = menu.actions()[2].menu().actions()
    assert [action.text() for action in into] == ["background", "nucleus", "mitosis"]
    into[1].trigger()
    assert not (layer.data[1] == 3).any()
    assert (layer.data[1] == 2).sum() == np.isin(painted(), [2, 3]).sum()
    assert "debris is part of nucleus" in lab.status
    assert 2 not in lab.controller.session.class_names
    lab.press(Qt.Key.Key_Z, CTRL)
    lab.wait(lambda: lab.controller.session.class_names.get(2) == "debris")
    annotate.class_table.setCurrentCell(3, 1)
    lab.qtbot.keyClick(annotate.class_table, Qt.Key.Key_Delete)
    assert (layer.data[1][painted() == 4] == 0).all()
    assert "mitosis is deleted" in lab.status
    menu.deleteLater()


def add_other_image(lab):
    """A second image, not ticked, annotated with class 3; nothing else is."""
    lab.find("target_combo").setCurrentText("classes")
    other = lab.viewer.add_image(np.zeros((20, 30), np.uint8), name="other")
    labels = lab.viewer.add_labels(np.full((20, 30), 4, np.uint16), name="other annotation")
    lab.controller.roster.pair(other, labels)
    lab.controller.tick(other, False)
    lab.find("image_combo").setCurrentText("cells")
    lab.controller.session.name_classes({2: "debris", 3: "mitosis"})
    lab.controller.refresh()
    return labels


def test_a_deleted_class_is_gone_from_images_that_are_not_ticked_too(lab):
    labels = add_other_image(lab)
    lab.controller.classes.delete(4)
    assert not labels.data.any()
    assert "600 px" not in lab.status  # those of the first image count too
    assert f"{600 + (painted() == 4).sum():,} px are not annotated now" in lab.status


def test_a_class_is_not_merged_at_all_where_one_layer_has_no_room_for_its_number(lab):
    lab.find("target_combo").setCurrentText("classes")
    other = lab.viewer.add_image(np.zeros((20, 30), np.uint8), name="other")
    labels = lab.viewer.add_labels(np.full((20, 30), 4, np.uint8), name="other annotation")
    lab.controller.roster.pair(other, labels)
    lab.find("image_combo").setCurrentText("cells")
    lab.controller.guarded(lab.controller.classes.merge)(4, 300)
    assert "other annotation has no room" in lab.status
    assert (labels.data == 4).all()
    assert (lab.layer.data[1] == painted()).all()


def test_a_deleted_class_is_named_again_in_a_later_session_unless_another_has_taken_its_value(lab):
    session = lab.controller.session
    lab.find("target_combo").setCurrentText("classes")
    session.name_classes({3: "mitosis"})
    lab.controller.classes.delete(4)
    stored, later = settings_of(session), Session()
    restore_settings(later, json.loads(json.dumps(stored)))
    assert later.removed_names == {3: "mitosis"}
    lab.controller.session.removed_names = later.removed_names
    lab.press(Qt.Key.Key_Z, CTRL)
    lab.wait(lambda: session.class_names.get(3) == "mitosis")
    assert session.removed_names == {}
    lab.controller.classes.delete(4)
    session.name_classes({3: "spindle"})  # a new class of that value
    lab.press(Qt.Key.Key_Z, CTRL)
    lab.controller.tallies.of(lab.layer).count_now()
    lab.controller.refresh()
    assert session.class_names[3] == "spindle"


def test_a_colour_is_kept_in_the_session_and_seen_everywhere(lab):
    lab.find("target_combo").setCurrentText("classes")
    lab.fake.drawn = (painted() > 0).astype(np.uint8)
    lab.train()
    table = lab.panel.annotate.class_table
    swatch = table.visualItemRect(table.item(1, 0)).center()
    lab.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=swatch)
    lab.qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=swatch)
    dialog = lab.panel.findChild(QColorDialog)
    dialog.setCurrentColor(QColor("#123456"))
    dialog.accept()
    assert lab.controller.session.class_colours == {1: "#123456"}
    assert lab.panel.annotate._rows[1].colour == "#123456"
    wanted = np.array([0x12, 0x34, 0x56]) / 255
    assert np.allclose(lab.layer.colormap.map(2)[:3], wanted, atol=0.01)
    assert np.allclose(lab.viewer.layers["cells prediction"].colormap.map(1)[:3], wanted, atol=0.01)
    lab.find("target_combo").setCurrentText("cells")
    lab.find("target_combo").setCurrentText("classes")
    assert np.allclose(lab.layer.colormap.map(2)[:3], wanted, atol=0.01)

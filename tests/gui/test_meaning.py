"""Whoever changes between classes and cells is told what becomes of the strokes; no pixel changes by itself."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

pytestmark = pytest.mark.gui
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def lab(person, fake):
    """Three strokes of the class "cell" in two planes, two of them in one plane, and background."""
    made = person()
    made.viewer.add_image(np.zeros((2, 40, 60), np.uint8), name="cells")
    made.open_panel()
    made.click("new_annotation_button")
    made.layer = made.controller.annotation
    for z, y, x, value in ((0, 5, 5, 2), (0, 20, 30, 2), (1, 5, 5, 2), (1, 30, 30, 1)):
        made.layer.data_setitem(tuple(a.ravel() for a in np.mgrid[z : z + 1, y : y + 6, x : x + 6]), value)
    made.painted = made.layer.data.copy()
    made.wait(lambda: made.controller.tallies.painted() == {1: 36, 2: 108})
    return made


def asks(lab):
    return lab.find("notice_frame").isVisibleTo(lab.panel)


def test_strokes_of_a_class_are_told_to_be_one_cell_and_numbered(lab):
    lab.find("target_combo").setCurrentText("cells")
    assert lab.status == 'All strokes of "cell" count as one single cell now.'
    assert asks(lab)
    lab.click("meaning_first_button")
    assert lab.status == "There are 3 cells now. Ctrl+Z takes it back."
    assert not asks(lab)
    assert [lab.layer.data[place] for place in ((0, 7, 7), (0, 22, 32), (1, 7, 7), (1, 32, 32))] == [2, 3, 4, 1]
    assert ((lab.layer.data > 0) == (lab.painted > 0)).all()
    lab.layer.undo()
    assert (lab.layer.data == lab.painted).all()


def test_there_is_a_way_back_and_nothing_is_asked_on_it(lab):
    lab.find("target_combo").setCurrentText("cells")
    lab.click("meaning_second_button")
    assert lab.find("target_combo").currentText() == "classes"
    assert not asks(lab)
    assert "all is as it was" in lab.status
    assert (lab.layer.data == lab.painted).all()


def test_who_goes_on_painting_is_not_asked_any_more(lab):
    lab.find("target_combo").setCurrentText("cells")
    lab.layer.data_setitem(tuple(a.ravel() for a in np.mgrid[0:1, 30:36, 5:11]), 3)
    lab.wait(lambda: not asks(lab))
    assert "count as one" not in lab.status
    lab.find("target_combo").setCurrentText("classes")
    assert lab.status == "Each of the 2 cells you painted counts as a class of its own now."
    lab.click("meaning_first_button")
    assert lab.status == 'All of them are "cell" now. Ctrl+Z takes it back.'
    assert set(np.unique(lab.layer.data)) == {0, 1, 2}
    assert lab.find("class_table").rowCount() == 2


def test_with_nothing_painted_nothing_is_asked(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((40, 60), np.uint8), name="cells")
    lab.open_panel()
    lab.find("target_combo").setCurrentText("cells")
    assert not asks(lab)
    assert "+ New layer" in lab.status

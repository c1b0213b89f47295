"""From an open image of real nuclei to a segmentation one trusts: clicks and keys besides the strokes are counted."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_annotrain import evaluate

pytestmark = [
    pytest.mark.gui,
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
]
#: Plugins, Annotrain (napari-annotrain), Annotrain: napari's menus, which the test does not open.
MENU_CLICKS = 3
MODIFIERS = (Qt.Key.Key_Alt, Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Meta)
FIELD = "B17_s7.tif"
PAGE = Path(__file__).parents[2] / "docs" / "first-steps.md"


class Counter(QObject):
    """Counts presses of the mouse and of keys anywhere in the program; those on the canvas are strokes."""

    def __init__(self, canvas):
        super().__init__()
        self.canvas, self.clicks, self.keys, self.strokes, self._seen = canvas, 0, 0, 0, set()

    def eventFilter(self, watched, event):
        kind = event.type()
        if kind == QEvent.Type.KeyPress and watched in (self.canvas, QApplication.focusWidget()):
            self.keys += event.key() not in MODIFIERS
        elif kind == QEvent.Type.MouseButtonPress and watched.isWidgetType() and event.timestamp() not in self._seen:
            self._seen.add(event.timestamp())  # it comes again on its way up to the parents
            if watched is self.canvas:
                self.strokes += 1
            else:
                self.clicks += 1
        return False


@pytest.fixture
def lab(person, real_data):
    made = person(show=True)
    made.viewer.window.resize(1300, 900)
    folder = real_data / "bbbc039" / "test"
    made.truth = tifffile.imread(folder / "labels" / FIELD)
    image = tifffile.imread(folder / "images" / FIELD)
    made.viewer.add_image(image, name="field")
    made.open_panel(wait=False)
    made.wait(lambda: made.controller.loading.done, timeout=120_000)
    made.qtbot.wait(100)  # the canvas takes its size
    made.viewer.fit_to_view()
    spec = made.controller.session.train  # so that the test is short
    steps = {"seconds": None, "steps": 12, "patch": 128, "batch": 4, "device": "cpu"}
    made.controller.train.set_spec(spec.model_copy(update=steps))
    return made


def choose(lab, combo, text):
    """Open a list with one click and take an entry with another one."""
    box = lab.find(combo)
    QTest.mouseClick(box, Qt.MouseButton.LeftButton)
    lab.wait(lambda: box.view().isVisible())
    view = box.view()
    place = view.visualRect(box.model().index(box.findText(text), 0)).center()
    lab.qtbot.wait(QApplication.doubleClickInterval() + 50)  # a list takes no click that soon after it opened
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    lab.wait(lambda: box.currentText() == text)


def three_cells(truth):
    """Rows and columns of three cells that are large and stand alone, near the middle."""
    sizes = np.bincount(truth.ravel())
    inner = [int(v) for v in np.unique(truth[150:400, 200:500])[1:] if sizes[v] > np.median(sizes[sizes > 0][1:])]
    return [tuple(np.argwhere(truth == value).mean(0)) for value in inner[:3]]


def empty_line(truth):
    """Ends of a line of 60 px along a row that meets no cell."""
    for y in range(150, 400, 5):
        for x in range(150, 450, 10):
            if not truth[y - 6 : y + 7, x - 6 : x + 66].any():
                return (y, x), (y, x + 60)
    raise AssertionError("no room")


def test_from_an_open_image_to_a_segmentation_one_trusts(lab):
    canvas = lab.viewer.window._qt_viewer.canvas.native
    counter = Counter(canvas)
    QApplication.instance().installEventFilter(counter)

    choose(lab, "target_combo", "cells")
    assert lab.find("base_combo").currentText() == "cells-2d"
    lab.click("new_annotation_button")
    layer = lab.controller.annotation
    for i, (y, x) in enumerate(three_cells(lab.truth)):
        if i:
            lab.press(Qt.Key.Key_M)
        lab.stroke(layer, (y - 3, x - 3), (y + 3, x + 3))
    lab.press(Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    lab.stroke(layer, *empty_line(lab.truth))
    assert set(np.unique(layer.data)) == {0, 1, 2, 3, 4}
    lab.press(Qt.Key.Key_T)
    lab.wait(lambda: lab.controller.session.model is not None and not lab.controller.lane.busy, timeout=300_000)
    lab.press(Qt.Key.Key_A)
    assert len(np.unique(layer.data)) > 10
    lab.press(Qt.Key.Key_W, Qt.KeyboardModifier.ShiftModifier)
    lab.idle()

    QApplication.instance().removeEventFilter(counter)
    needed = MENU_CLICKS + counter.clicks + counter.keys
    assert counter.strokes == 4
    assert (counter.clicks, counter.keys) == (3, 6)
    assert needed <= 12
    (told,) = re.findall(r"(\d+) clicks and keys", PAGE.read_text(encoding="utf-8"))
    assert int(told) == needed
    found = lab.viewer.layers["field prediction"].data
    assert evaluate(found, lab.truth, kind="cells")["mean"]["ap50"] > 0.8

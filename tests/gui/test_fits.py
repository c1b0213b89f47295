"""No word of the panel is cut off: at 320 px, in both themes, with everything unfolded, and on screens of any scale."""

import os
import subprocess
import sys

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QScrollArea, QToolButton

from napari_annotrain._qt.fold import ElidedLabel

pytestmark = pytest.mark.gui
WIDTH = 320


def cut_off(panel):
    """Texts of visible widgets that have less room than they need, and both widths or heights in px."""
    found = []
    scrolled = panel.findChild(QScrollArea).viewport()
    for widget in panel.findChildren((QLabel, QPushButton, QCheckBox, QToolButton)):
        text = widget.text()
        if (
            not text
            or not widget.isVisible()
            or isinstance(widget, ElidedLabel)
            or widget.window() is not panel.window()
        ):
            continue
        if isinstance(widget, QLabel) and widget.wordWrap():
            margins = widget.contentsMargins()
            room = widget.width() - margins.left() - margins.right()
            flags = int(Qt.TextFlag.TextWordWrap)
            needed = widget.fontMetrics().boundingRect(0, 0, room, 10_000, flags, text)
            if needed.height() > widget.height() + 1 or needed.width() > room + 1:
                found.append((text, needed.height(), widget.height()))
        elif isinstance(widget, QLabel):
            needed = widget.fontMetrics().boundingRect(text).width()
            if needed > widget.width() + 1:
                found.append((text, needed, widget.width()))
        elif widget.minimumSizeHint().width() > widget.width() + 1:
            found.append((text, widget.minimumSizeHint().width(), widget.width()))
        holder = scrolled if scrolled.isAncestorOf(widget) else panel
        right = widget.mapTo(holder, widget.rect().topRight()).x()
        if right > holder.width():
            found.append((text, right, holder.width()))
    return found


def unfold(panel):
    """Open all there is to open, and let every line have words."""
    for fold in panel.folds.values():
        fold.set_open(True)
    compare = panel.models.compare
    for button in (panel.train.more.button, panel.predict.more.button, panel.predict.cells.button, compare.fold_button):
        button.setChecked(True)
    compare.set_candidates([(name, name, "") for name in ("fast", "denseunet", "as set in Train")], ())
    row = {
        "name": "denseunet",
        "score": 0.8123,
        "measure": "IoU",
        "seconds": 3600.0,
        "steps": 9000,
        "parameters": 31_036_546,
    }
    compare.set_rows([row | {"reach_px": 188, "memory_MB": 12_345, "failed": ""}], 0)
    compare.set_words("denseunet is best: score 0.812 on the pixels kept for validation (fast 0.800).")
    panel.predict.cells.show()
    panel.annotate.suspects.set_lines([("Plane 2 · cell · model: background (100 %)", "")])
    panel.train.set_run_line("0:38 · 212 steps · CPU, 2 cores, bfloat16 · 21 s left · new strokes learnt since 0:12")
    panel.session.show_offer("Earlier work on a field of cells, 26 Nov, 14:32: 2 annotations and 3 models.")
    panel.session.show_saved("Saved: cells_2026-11-26", "", "", True)
    panel.measure.set_others(2)
    panel.measure.set_stale("The labels have changed since: measure again.")
    panel.first_steps.show()


def test_what_is_cut_off_is_found(qtbot):
    from napari_annotrain._qt.panel import Panel

    panel = Panel()
    qtbot.addWidget(panel)
    panel.resize(WIDTH, 900)
    panel.show()
    unfold(panel)
    qtbot.waitUntil(lambda: cut_off(panel) == [])
    panel.train.train_button.setText("Train on all that was painted today")
    panel.train.train_button.setFixedWidth(100)
    panel.keys_button.setFixedWidth(20)
    panel.status_label.setText("One sentence after the other. " * 9)
    panel.status_label.setFixedHeight(20)
    assert [text[:5] for text, *_ in cut_off(panel)] == ["Train", "One s", "Keys"]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("target", ["classes", "cells"])
def test_nothing_is_cut_off_at_320_px(person, fake, theme, target):
    lab = person(show=True)
    lab.viewer.window.resize(1000, 900)
    lab.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    lab.open_panel()
    lab.viewer.theme = theme
    lab.panel.setFixedWidth(WIDTH)
    lab.panel.annotate.target_combo.choose(target)
    lab.annotate()
    unfold(lab.panel)
    assert lab.panel.width() == WIDTH

    def check():
        assert cut_off(lab.panel) == []

    lab.wait(check)


ALONE = """
import os
os.environ["NAPARI_CONFIG"] = ""
import napari
from qtpy.QtWidgets import QApplication
from test_fits import WIDTH, cut_off, unfold
viewer = napari.Viewer(show=True)
viewer.window.resize(700, 460)
_, panel = viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
panel.setFixedWidth(WIDTH)
unfold(panel)
for _ in range(20):
    QApplication.processEvents()
assert panel.devicePixelRatioF() == float(os.environ["QT_SCALE_FACTOR"])
found = cut_off(panel)
viewer.close()
print(found)
"""


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["1.25", "2"])
def test_nothing_is_cut_off_on_a_scaled_screen(scale):
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALONE],
        env={**os.environ, "QT_SCALE_FACTOR": scale, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr

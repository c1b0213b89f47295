"""A real napari window with the panel, for benchmarks: what a person presses, chooses and reads there."""

import os
import time
from collections.abc import Callable

os.environ.setdefault("NAPARI_CONFIG", "")  # neither read nor change the settings of whoever measures

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel

from napari_annotrain._napari.controller import controller_of

#: What is waited for is looked at this often.
LOOK_MS = 10


def wait(until: Callable[[], bool], seconds: float) -> float:
    """Run the window, as napari itself does, until something is true; how long that took."""
    began = time.perf_counter()
    loop, timer = QEventLoop(), QTimer()

    def look() -> None:
        if until() or time.perf_counter() - began > seconds:
            loop.quit()

    timer.timeout.connect(look)
    timer.start(LOOK_MS)
    if not until():
        loop.exec()
    timer.stop()
    if not until():
        raise SystemExit("The window did not get there in time.")
    return time.perf_counter() - began


def pause(seconds: float) -> None:
    """Run the window for so long."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() >= end, seconds + 60)


class Window:
    """napari with the panel, used through the names of its parts."""

    def __init__(self, image: np.ndarray, name: str) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1400, 900)
        self.image = self.viewer.add_image(image, name=name)
        self.dock, self.panel = self.viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
        QApplication.processEvents()
        self.controller = controller_of(self.viewer)

    def part(self, kind: type, name: str):
        return self.panel.findChild(kind, name)

    def can(self, name: str) -> bool:
        """Whether a button can be pressed."""
        return self.part(QAbstractButton, name).isEnabled()

    def press(self, name: str, seconds: float = 60) -> None:
        wait(lambda: self.can(name), seconds)
        self.part(QAbstractButton, name).click()

    def wait_until_idle(self, seconds: float) -> None:
        """Wait until the present run has ended and its buttons have come back."""
        wait(lambda: self.controller.session.activity == "idle" and not self.controller.lane.busy, seconds)

    def choose(self, name: str, text: str) -> None:
        combo = self.part(QComboBox, name)
        combo.setCurrentIndex(next(i for i in range(combo.count()) if text in combo.itemText(i)))

    def says(self, name: str = "status_label") -> str:
        return self.part(QLabel, name).text()

    def annotate(self, painted: np.ndarray):
        """Make an annotation layer and put strokes into it."""
        self.press("new_annotation_button")
        layer = self.viewer.layers[f"{self.image.name} annotation"]
        layer.data[...] = painted
        layer.refresh()
        return layer

    def prediction(self) -> np.ndarray | None:
        name = f"{self.image.name} prediction"
        return np.asarray(self.viewer.layers[name].data) if name in self.viewer.layers else None

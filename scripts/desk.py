"""A napari window with the panel, for pictures: opened on made cells, used through the names of its parts."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = ""  # neither read nor change the settings of whoever takes pictures

import napari
import numpy as np
from qtpy.QtCore import QEventLoop, QPoint, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from napari_annotrain import load_model
from napari_annotrain._napari.controller import controller_of
from napari_annotrain._napari.samples import PIXEL_UM
from napari_annotrain.data.synthetic import cells
from napari_annotrain.session import Trained

#: Of the window and of the panel, in logical pixels.
SIZE, PANEL_WIDTH = (1160, 820), 360
#: Longest wait for anything.
PATIENCE_SECONDS = 180
WHERE = {"scale": (PIXEL_UM, PIXEL_UM), "units": ("um", "um"), "axis_labels": ("y", "x")}
_own = Path(tempfile.mkdtemp())
problems: list[BaseException] = []


def _note(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Keep what a slot raised; without this it would end the whole process."""
    problems.append(error)
    sys.__excepthook__(kind, error, trace)


class Desk:
    """Someone in front of a new window with the panel in it, who has not worked before."""

    def __init__(self, size: tuple[int, int] = SIZE, width: int = PANEL_WIDTH, sessions: str = "") -> None:
        os.environ["ANNOTRAIN_SETTINGS"] = tempfile.mkdtemp(dir=_own)
        os.environ["ANNOTRAIN_SESSIONS"] = sessions or tempfile.mkdtemp(dir=_own)
        sys.excepthook = _note
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*size)
        self.dock, self.panel = self.viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
        window = self.viewer.window._qt_window
        window.resizeDocks([self.dock], [width], Qt.Orientation.Horizontal)
        self.controller = controller_of(self.viewer)
        self.panel.train.device_combo.choose("cpu")
        self.wait(lambda: self.controller.loading.done or bool(self.controller.loading.problem))

    # -- what there is to look at -------------------------------------------------------------------------------

    def sample(self, key: str = "cells_2d") -> Any:
        """Open one of the plugin's samples; its image layer."""
        image, *_ = self.viewer.open_sample("napari-annotrain", key)
        return self._seen(image)

    def image(self, seed: int = 1, name: str = "cells", **where: Any) -> Any:
        """Open made cells without an annotation; the layer."""
        made, _ = cells(seed=seed)
        return self.array(made, name, **WHERE, **where)

    def array(self, array: Any, name: str, **where: Any) -> Any:
        """Open an array; the layer."""
        if "contrast_limits" not in where:
            where["contrast_limits"] = tuple(map(float, np.percentile(array, (1, 99.8))))
        return self._seen(self.viewer.add_image(array, name=name, **where))

    def _seen(self, layer: Any) -> Any:
        self.pause()
        self.viewer.fit_to_view()
        self.pause()
        return layer

    # -- what a person does -------------------------------------------------------------------------------------

    def find(self, name: str) -> Any:
        found = self.panel.findChild(QWidget, name)
        assert found is not None, name
        return found

    def press(self, name: str) -> None:
        """Press a button once it can be pressed."""
        button: QAbstractButton = self.find(name)
        self.wait(button.isEnabled)
        button.click()
        self.pause()

    def open_steps(self, *titles: str) -> None:
        """Fold all steps but these."""
        for title, fold in self.panel.folds.items():
            fold.set_open(title in titles)
        self.pause()

    def paint(self, value: int, places: list[tuple[float, float]]) -> None:
        """Paint along a line of places (y, x), in px, with a brush of 12 px."""
        layer = self.controller.annotation
        layer.brush_size = 12
        for (y, x), (to_y, to_x) in pairwise(places):
            for part in np.linspace(0, 1, 40):
                layer.paint((y + part * (to_y - y), x + part * (to_x - x)), value, refresh=False)
        layer.refresh()
        self.pause()

    def drag(self, layer: Any, start: tuple[float, float], stop: tuple[float, float], release: bool = True) -> None:
        """Draw with the mouse from one pixel (y, x) of a layer to another."""
        canvas = self.viewer.window._qt_viewer.canvas.native
        way = [self._on_canvas(layer, *place) for place in np.linspace(start, stop, 12)]
        QTest.mouseMove(canvas, way[0])
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=way[0])
        for place in way[1:]:
            QTest.mouseMove(canvas, place)
            self.pause(0.02)
        if release:
            QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=way[-1])

    def _on_canvas(self, layer: Any, y: float, x: float) -> QPoint:
        world = layer.data_to_world((y, x))
        camera = self.viewer.scene.camera
        height, width = self.viewer.canvas.viewbox_size(self.viewer.layers)
        down, right = (np.asarray(world) - camera.center[-2:]) * camera.zoom + np.array([height, width]) / 2
        return QPoint(round(right), round(down))

    def train_for(self, steps: int | None, **settings: Any) -> None:
        """Press Train for so many steps of small patches; None: until it is stopped."""
        spec = self.controller.session.train.model_copy(
            update={"seconds": None, "steps": steps or 100_000, "patch": 64, "batch": 4, "device": "cpu", **settings}
        )
        self.controller.train.set_spec(spec)
        self.press("train_button")

    def have_model(self, output: str = "") -> None:
        """Let the shipped model of cells predict."""
        self.controller.models.use(Trained("cells-2d", shipped()))
        if output:
            self.panel.predict.output_combo.choose(output)
        self.pause()

    def have_predicted(self, output: str = "cells", what: str = "stack") -> None:
        """Have the shipped model predict."""
        self.have_model(output)
        self.press(f"predict_{what}_button")
        self.idle()

    def idle(self) -> None:
        """Wait until nothing goes on."""
        c = self.controller
        self.wait(lambda: c.session.activity == "idle" and not c.lane.busy and not c.changes.busy)
        self.pause()

    def wait(self, until: Callable[[], bool]) -> None:
        """Let the window live until something is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not until():
            assert time.monotonic() < end, "the window did not get there in time"
            self._live()

    def pause(self, seconds: float = 0.15) -> None:
        """Let the window live for a while, until it is drawn."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._live()

    def _live(self) -> None:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
        time.sleep(0.005)
        if problems:
            raise problems.pop()

    # -- the picture --------------------------------------------------------------------------------------------

    def picture(self) -> QPixmap:
        """The window, with whatever lies over it."""
        self.pause()
        window = self.viewer.window._qt_window
        frame = window.frameGeometry()
        if not window.screen().geometry().contains(frame):
            return window.grab()
        return window.screen().grabWindow(0, frame.x(), frame.y(), frame.width(), frame.height())

    def close(self) -> None:
        """End what goes on, and close the window."""
        if self.controller.lane.busy:
            self.controller.lane.stop()
            self.idle()
        self.viewer.close()
        QApplication.processEvents()


@cache
def shipped() -> Any:
    """The shipped model of cells."""
    return load_model("cells-2d")

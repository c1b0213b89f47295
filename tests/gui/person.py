"""What someone in front of the window can do and see: find widgets by their names, click, wait, look."""

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_annotrain._napari.controller import controller_of


class Person:
    def __init__(self, qtbot, viewer):
        self.qtbot, self.viewer = qtbot, viewer
        self.panel = None

    def open_panel(self, wait=True):
        self.dock, self.panel = self.viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
        self.controller = controller_of(self.viewer)
        if wait:
            self.wait(lambda: self.controller.loading.done or bool(self.controller.loading.problem), timeout=120_000)
        return self

    def find(self, name):
        found = self.panel.findChild(QWidget, name)
        assert found is not None, name
        return found

    def click(self, name):
        widget = self.find(name)
        middle = widget.rect().center()
        at = QPoint(8, middle.y()) if isinstance(widget, QCheckBox) else middle  # beside its words nothing happens
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at)

    def wait(self, condition, timeout=90_000):
        self.qtbot.waitUntil(condition, timeout=timeout)

    def enabled(self, name):
        return self.find(name).isEnabled()

    @property
    def status(self):
        return self.find("status_label").text()

    def annotate(self):
        """Make an annotation layer with some background and one cell."""
        self.click("new_annotation_button")
        layer = self.controller.annotation
        layer.data[..., :8, :] = 1
        layer.data[..., 12:20, 12:20] = 2
        layer.refresh()
        return layer

    def stroke(self, layer, start, stop):
        """Draw with the left button from one pixel (y, x) of a layer to another."""
        canvas = self.viewer.window._qt_viewer.canvas.native
        way = [self.on_canvas(layer, *point) for point in np.linspace(start, stop, 8)]
        QTest.mouseMove(canvas, way[0])
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=way[0])
        for place in way[1:]:
            QTest.mouseMove(canvas, place)
            self.qtbot.wait(5)
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=way[-1])

    def click_on(self, layer, y, x, modifier=Qt.KeyboardModifier.NoModifier):
        """Click on a pixel of a layer."""
        canvas, place = self.viewer.window._qt_viewer.canvas.native, self.on_canvas(layer, y, x)
        QTest.mouseMove(canvas, place)
        self.qtbot.wait(5)
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, modifier, place)

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        """Press a key over the canvas."""
        self.qtbot.keyClick(self.viewer.window._qt_viewer.canvas.native, key, modifier)

    def on_canvas(self, layer, y, x):
        """Where a pixel of a layer is on the canvas."""
        world = layer.data_to_world((*[0] * (layer.ndim - 2), y, x))[-2:]
        camera = self.viewer.scene.camera
        height, width = self.viewer.canvas.viewbox_size(self.viewer.layers)
        centre, zoom = np.asarray(camera.center[-2:]), camera.zoom
        down, right = (np.asarray(world) - centre) * zoom + np.array([height, width]) / 2
        return QPoint(round(right), round(down))

    def train(self):
        self.click("train_button")
        self.wait(lambda: self.enabled("train_button"))
        self.wait(lambda: not self.controller.lane.busy)

    def idle(self):
        self.wait(lambda: not self.controller.lane.busy)

"""What someone in front of the window can do and see: find widgets by their names, click, wait, look."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_annotrain._napari.controller import controller_of


class Person:
    def __init__(self, qtbot, viewer):
        self.qtbot, self.viewer = qtbot, viewer
        self.panel = None

    def open_panel(self):
        self.dock, self.panel = self.viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
        self.controller = controller_of(self.viewer)
        self.wait(lambda: self.controller.loaded or bool(self.controller.problem))
        return self

    def find(self, name):
        found = self.panel.findChild(QWidget, name)
        assert found is not None, name
        return found

    def click(self, name):
        self.qtbot.mouseClick(self.find(name), Qt.MouseButton.LeftButton)

    def wait(self, condition, timeout=30_000):
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

    def train(self):
        self.click("train_button")
        self.wait(lambda: self.enabled("train_button"))
        self.wait(lambda: not self.controller.lane.busy)

    def idle(self):
        self.wait(lambda: not self.controller.lane.busy)

from contextlib import suppress
from typing import Any, ClassVar
from weakref import ref

from qtpy.QtCore import QEvent, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QMainWindow, QVBoxLayout, QWidget

from napari_annotrain._napari.controller import controller_of
from napari_annotrain._napari.widgets import AnnotrainPanel
from napari_annotrain._qt.layout import button, scrolling
from napari_annotrain._qt.panel import HEIGHT, LEAST_WIDTH, WIDTH, Panel, status_line
from napari_annotrain.session import with_place


class StepDock(QWidget):
    """One step of the panel in a dock of its own, of the same session; when it closes, the panel has the step again.

    It comes as a tab beside the panel. Without a panel in the window there is one behind it, which is not seen: then
    the first of these docks also shows where the work is kept and which image it is on.
    """

    title: ClassVar[str]
    left = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.setObjectName(f"annotrain_{self.title.lower()}")
        self.setMinimumWidth(LEAST_WIDTH)
        self.status_label, foot = status_line()
        self.all_steps_button = button("all_steps_button", "All steps", "Opens the panel with all steps.")
        self.all_steps_button.clicked.connect(self._open_panel)
        self._build(foot)
        self._step: QWidget | None = None
        self._has_top = False
        self._placing = QTimer(self)  # the dock stands in its place only after it is shown
        self._placing.setSingleShot(True)
        self._placing.timeout.connect(self._stand_beside_panel)
        self._is_placed = False
        self._controller = ref(controller_of(napari_viewer))
        controller = controller_of(napari_viewer)
        if controller.panel is None:
            AnnotrainPanel(napari_viewer)
        controller.docks.append(self)
        self.borrow(controller.panel)
        self.left.connect(self._leave)
        self.destroyed.connect(_Gone(self._controller))

    def _build(self, foot: QWidget) -> None:
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(3, 3, 3, 0)
        self._column.addStretch(1)
        foot.layout().addWidget(self.all_steps_button, 0, Qt.AlignmentFlag.AlignBottom)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 5, 0, 0)  # the dock's title lies over the uppermost pixels
        whole.setSpacing(0)
        whole.addWidget(scrolling(inner), 1)
        whole.addWidget(foot)

    def sizeHint(self) -> QSize:
        """As large as the panel."""
        return QSize(WIDTH, HEIGHT)

    def borrow(self, panel: Panel | None) -> None:
        """Show the step of this panel."""
        assert panel is not None
        self._step = panel.lend(self.title)
        self._column.insertWidget(0, self._step)
        self._step.show()
        self.follow(panel.status_label.text())
        panel.said.connect(self.follow)
        self.setStyleSheet(panel.styleSheet())
        panel.styled.connect(self.setStyleSheet)
        panel.left.connect(self._panel_moved)
        panel.joined.connect(self._panel_moved)
        self._panel_moved()

    def give_back(self, panel: Panel | None) -> None:
        """Let the panel have its step again."""
        if self._step is not None and panel is not None:
            panel.said.disconnect(self.follow)
            panel.styled.disconnect(self.setStyleSheet)
            panel.left.disconnect(self._panel_moved)
            panel.joined.disconnect(self._panel_moved)
            panel.take_back(self.title)
            if self._has_top:
                panel.take_back_top()
        self._step, self._has_top = None, False

    def event(self, event: QEvent) -> Any:
        """Tell when the dock lets go of this (its x unparents it and sends no close event)."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.left.emit()
        return super().event(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Take the place beside the panel, once: wherever the user moves the dock later, it stays."""
        super().showEvent(event)
        if not self._is_placed:
            self._is_placed = True
            self._placing.start(0)

    def follow(self, text: str, problem: bool = False) -> None:
        """Say what the panel says; what is not in sight is told where it is."""
        controller = self._controller()
        if controller is not None and not _is_in_window(controller.panel):
            text = with_place(text, {dock.title for dock in controller.docks})
        self.status_label.setText(text)
        self.status_label.setToolTip(text)

    def show_top(self) -> None:
        """Show where the work is kept and which image it is on, or let the panel do that, as it has come or gone."""
        controller = self._controller()
        panel = None if controller is None else controller.panel
        if controller is None or panel is None or self._step is None:
            return
        seen = _is_in_window(panel)
        self.all_steps_button.setVisible(not seen)
        wanted = not seen and controller.docks[0] is self
        if wanted and not self._has_top:
            for place, widget in enumerate(panel.lend_top()):
                self._column.insertWidget(place, widget)
                widget.show()
        elif self._has_top and not wanted:
            panel.take_back_top()
        self._has_top = wanted
        self.follow(panel.status_label.text())

    def _panel_moved(self) -> None:
        self.show_top()
        self._placing.start(0)

    def _stand_beside_panel(self) -> None:
        controller = self._controller()
        panel = None if controller is None else controller.panel
        own, beside = _dock_of(self), None if panel is None else _dock_of(panel)
        if own is None or beside is None or own.isFloating() or beside.isFloating():
            return
        window = own.parent()
        if isinstance(window, QMainWindow) and own not in window.tabifiedDockWidgets(beside):
            window.tabifyDockWidget(beside, own)
            own.raise_()

    def _open_panel(self) -> None:
        controller = self._controller()
        if controller is not None:
            controller.roster.viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")

    def _leave(self) -> None:
        controller = self._controller()
        if controller is None or self not in controller.docks:
            return
        self.give_back(controller.panel)
        controller.docks.remove(self)
        if controller.docks:
            controller.docks[0].show_top()
        elif controller.panel is not None and controller.panel.parent() is None:
            controller.detach()  # nobody sees it


def _is_in_window(panel: Panel | None) -> bool:
    return panel is not None and panel.parent() is not None


def _dock_of(widget: QWidget) -> QDockWidget | None:
    """The dock a widget stands in."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


class _Gone:
    """The window of a dock has closed: the panel behind it, which is in no window, is let go too."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller

    def __call__(self, *_: object) -> None:
        controller = self._controller()
        if controller is None or controller.panel is None:
            return
        try:
            seen = controller.panel.parent() is not None
        except RuntimeError:  # Qt has taken it
            seen = False
        if not seen:
            with suppress(RuntimeError):
                controller.detach()


class AnnotateDock(StepDock):
    """What is painted: classes or cells, brushes, corrections."""

    title = "Annotate"


class TrainDock(StepDock):
    """Training, its curve and its settings."""

    title = "Train"


class ModelsDock(StepDock):
    """The models there are, and which one predicts."""

    title = "Models"


class PredictDock(StepDock):
    """What is predicted, and how it is shown."""

    title = "Predict"


class MeasureDock(StepDock):
    """The table of the objects."""

    title = "Measure"

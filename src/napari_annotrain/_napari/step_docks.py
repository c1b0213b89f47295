from contextlib import suppress
from typing import Any, ClassVar
from weakref import ref

from qtpy.QtCore import QEvent, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._napari.controller import controller_of
from napari_annotrain._napari.widgets import AnnotrainPanel
from napari_annotrain._qt.panel import Panel, status_line


class StepDock(QWidget):
    """One step of the panel in a dock of its own, of the same session; when it closes, the panel has the step again.

    Without a panel in the window there is one behind it, which is not seen.
    """

    title: ClassVar[str]
    left = Signal()

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        self.setObjectName(f"annotrain_{self.title.lower()}")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(3, 3, 3, 0)
        self._column.addStretch(1)
        self.status_label, foot = status_line()
        self._column.addWidget(foot)
        self._step: QWidget | None = None
        self._controller = ref(controller_of(napari_viewer))
        controller = controller_of(napari_viewer)
        if controller.panel is None:
            AnnotrainPanel(napari_viewer)
        controller.docks.append(self)
        self.borrow(controller.panel)
        self.left.connect(self._leave)
        self.destroyed.connect(_Gone(self._controller))

    def borrow(self, panel: Panel | None) -> None:
        """Show the step of this panel."""
        assert panel is not None
        self._step = panel.lend(self.title)
        self._column.insertWidget(0, self._step)
        self._step.show()
        self._follow(panel.status_label.text(), False)
        panel.said.connect(self._follow)
        self.setStyleSheet(panel.styleSheet())
        panel.styled.connect(self.setStyleSheet)

    def give_back(self, panel: Panel | None) -> None:
        """Let the panel have its step again."""
        if self._step is not None and panel is not None:
            panel.said.disconnect(self._follow)
            panel.styled.disconnect(self.setStyleSheet)
            panel.take_back(self.title)
        self._step = None

    def event(self, event: QEvent) -> Any:
        """Tell when the dock lets go of this (its x unparents it and sends no close event)."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.left.emit()
        return super().event(event)

    def _follow(self, text: str, problem: bool) -> None:
        self.status_label.setText(text)
        self.status_label.setToolTip(text)

    def _leave(self) -> None:
        controller = self._controller()
        if controller is None or self not in controller.docks:
            return
        self.give_back(controller.panel)
        controller.docks.remove(self)
        if controller.panel is not None and not controller.docks and controller.panel.parent() is None:
            controller.detach()  # nobody sees it


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

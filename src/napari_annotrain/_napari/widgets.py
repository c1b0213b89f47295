from contextlib import suppress
from typing import Any
from weakref import ref

from qtpy.QtWidgets import QApplication

from napari_annotrain._napari.controller import controller_of
from napari_annotrain._qt.panel import Panel


class AnnotrainPanel(Panel):
    """Paint a few cells, press Train, see labels: the main panel, as a dock of a napari viewer."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        controller = controller_of(napari_viewer)
        controller.attach(self)
        known = ref(controller)

        def leave(*_: object) -> None:
            present = known()
            if present is not None and present.panel is self and not present.docks:
                present.detach()

        self.left.connect(leave)  # the dock's x
        gone = _Leave(known)
        self.destroyed.connect(gone)  # the window closes
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(gone)


class _Leave:
    """Lets the panel go without holding the panel itself, which may be half destroyed by then."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller

    def __call__(self, *_: object) -> None:
        controller = self._controller()
        if controller is not None:
            with suppress(RuntimeError):  # at the very end Qt may have taken our timers before us; threads go first
                controller.detach()

from collections.abc import Callable
from typing import Any
from weakref import ref

from qtpy.QtCore import QObject, QTimer

#: Rest after the last movement before the view is predicted.
DEBOUNCE_MS = 200


class ViewWatch(QObject):
    """Calls a function when the view has come to rest after it was panned, zoomed, scrolled or resized."""

    def __init__(self, viewer: Any, moved: Callable[[], None]) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE_MS)
        self._timer.timeout.connect(moved)
        self.enabled = False
        for emitter in self._emitters():
            emitter.connect(self.soon)

    def _emitters(self) -> list[Any]:
        viewer = self._viewer()
        if viewer is None:
            return []
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        return [camera.center, camera.zoom, dims.current_step, dims.order, dims.ndisplay, viewer.canvas.events.size]

    def close(self) -> None:
        """Watch no more."""
        self._timer.stop()
        for emitter in self._emitters():
            emitter.disconnect(self.soon)

    def soon(self, event: Any = None) -> None:
        """Call it as if the view had moved."""
        if self.enabled:
            self._timer.start()

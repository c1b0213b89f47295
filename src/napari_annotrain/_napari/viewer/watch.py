import time
from collections.abc import Callable
from typing import Any
from weakref import ref

from qtpy.QtCore import QObject, QTimer

#: Rest after the last movement before the view is predicted; a hand that pans or zooms moves more often than that.
DEBOUNCE_MS = 120
#: Rest after a step through planes that comes so many s after the one before: no more need follow.
JUMP_MS, JUMP_SECONDS = 20, 0.3


class ViewWatch(QObject):
    """Calls a function when the view has come to rest after it was panned, zoomed, scrolled or resized."""

    def __init__(self, viewer: Any, moved: Callable[[], None]) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._last_jump = 0.0
        self._timer.timeout.connect(moved)
        self.enabled = False
        for emitter, slot in self._emitters():
            emitter.connect(slot)

    def _emitters(self) -> list[tuple[Any, Callable[[Any], None]]]:
        viewer = self._viewer()
        if viewer is None:
            return []
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        moves = [camera.center, camera.zoom, dims.order, dims.ndisplay, viewer.canvas.events.size]
        return [*((emitter, self.soon) for emitter in moves), (dims.current_step, self._jumped)]

    def close(self) -> None:
        """Watch no more."""
        self._timer.stop()
        for emitter, slot in self._emitters():
            emitter.disconnect(slot)

    def soon(self, event: Any = None) -> None:
        """Call it as if the view had moved."""
        if self.enabled:
            self._timer.start(DEBOUNCE_MS)

    def _jumped(self, event: Any = None) -> None:
        before, self._last_jump = self._last_jump, time.monotonic()
        if self.enabled:
            self._timer.start(JUMP_MS if self._last_jump - before > JUMP_SECONDS else DEBOUNCE_MS)

import time
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

from qtpy.QtCore import QObject, QTimer

INTERVAL_MS = 66
#: Share of the main thread's time that redrawing may take: int32 labels cost 80 ms at 4k x 4k, uint8 only 3.
SHARE = 0.15


class Sink(QObject):
    """Redraws layers whose arrays a worker writes to.

    The first change at once, then about 15 times a second, and more slowly where it is costly.

    Over each of them may lie another one, or None, that changes with it.
    """

    def __init__(self, layers: Sequence[Any], over: Sequence[Any] = ()) -> None:
        super().__init__()
        self._layers = [[la for la in pair if la is not None] for pair in zip_longest(layers, over)]
        self._dirty: set[int] = set()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._redraw)

    def mark(self, index: int) -> None:
        """Note that the array of a layer has changed."""
        self._dirty.add(index)
        if not self._timer.isActive():
            self._redraw()

    def close(self) -> None:
        """Redraw everything once more, thumbnails too, and stop."""
        self._timer.stop()
        for layer in chain(*self._layers):
            layer.refresh()
        self._layers.clear()
        self._dirty.clear()

    def _redraw(self) -> None:
        if not self._dirty:
            return
        start = time.monotonic()
        dirty, self._dirty = self._dirty, set()
        for layer in chain(*(self._layers[index] for index in dirty)):
            if layer.visible:
                layer.refresh(thumbnail=False, highlight=False, extent=False)
        cost_ms = 1000 * (time.monotonic() - start)
        self._timer.start(max(INTERVAL_MS, int(cost_ms / SHARE)))

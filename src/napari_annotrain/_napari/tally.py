import time
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

#: Longest count at a time, so that painting never waits for it.
MOST_SECONDS = 0.015
DEBOUNCE_MS = 250
#: While a long count goes on, what is known is told so often.
TELL_SECONDS = 0.5
#: Up to so many planes, all are counted again after an undo or a refresh.
FEW_PLANES = 16


class Tally(QObject):
    """Pixels by value of one labels layer, counted plane by plane while nothing else happens.

    A stroke makes its planes due again, undo all those ever painted.
    """

    counted = Signal()

    def __init__(self, layer: Any, empty: bool = False) -> None:
        super().__init__()
        self._layer = layer
        self._planes: dict[tuple[int, ...], dict[int, int]] = {}
        self._due: set[tuple[int, ...]] = set() if empty else set(self._all_planes())
        self._told = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._step)
        layer.events.paint.connect(self._painted)
        layer.events.set_data.connect(self._redrawn)
        layer.events.data.connect(self._replaced)
        self._timer.start(0)

    def counts(self) -> dict[int, int]:
        """Pixels by value, without 0, as far as they are counted."""
        total: dict[int, int] = {}
        for plane in self._planes.values():
            for value, n in plane.items():
                total[value] = total.get(value, 0) + n
        return total

    def count_now(self) -> dict[int, int]:
        """Count everything that is due before answering."""
        while self._due:
            self._count(self._due.pop())
        return self.counts()

    def close(self) -> None:
        """Stop counting."""
        self._timer.stop()
        for emitter, slot in (("paint", self._painted), ("set_data", self._redrawn), ("data", self._replaced)):
            getattr(self._layer.events, emitter).disconnect(slot)

    def _all_planes(self) -> Iterator[tuple[int, ...]]:
        return iter(np.ndindex(*self._layer.data.shape[:-2]))

    def _painted(self, event: Any) -> None:
        for atom in event.value:
            if hasattr(atom, "slice_key"):
                spans = [range(s.start or 0, s.stop) for s in atom.slice_key[:-2]]
            else:
                spans = [range(int(np.min(i)), int(np.max(i)) + 1) for i in atom[0][:-2]]
            grid = np.array(np.meshgrid(*spans, indexing="ij")).reshape(len(spans), -1).T if spans else [()]
            self._due.update(tuple(int(i) for i in plane) for plane in grid)
        self._timer.start(DEBOUNCE_MS)

    def _redrawn(self, event: Any = None) -> None:
        """Undo and redo redraw without saying what they changed."""
        planes = prod(self._layer.data.shape[:-2])
        self._due.update(self._all_planes() if planes <= FEW_PLANES else (p for p, n in self._planes.items() if n))
        self._timer.start(DEBOUNCE_MS)

    def _replaced(self, event: Any = None) -> None:
        self._planes.clear()
        self._due = set(self._all_planes())
        self._timer.start(DEBOUNCE_MS)

    def _step(self) -> None:
        until = time.monotonic() + MOST_SECONDS
        while self._due and time.monotonic() < until:
            self._count(self._due.pop())
        if self._due:
            self._timer.start(0)
        if not self._due or until > self._told + TELL_SECONDS:
            self._told = until
            self.counted.emit()

    def _count(self, index: tuple[int, ...]) -> None:
        plane = np.asarray(self._layer.data[index])
        found = np.unique(plane[plane != 0], return_counts=True) if plane.any() else ((), ())
        self._planes[index] = {int(value): int(n) for value, n in zip(*found, strict=True)}

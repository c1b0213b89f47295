import time
from collections.abc import Callable, Collection, Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer, Signal

#: Longest count at a time, so that painting never waits for it.
MOST_SECONDS = 0.015
DEBOUNCE_MS = 250
#: Pixels counted at once.
STRIP_PIXELS = 1 << 20
#: Plane index, and which strip of it.
Strip = tuple[int, ...]
#: While a long count goes on, what is known is told so often.
TELL_SECONDS = 0.5
#: Up to so many planes, all are counted again after an undo or a refresh.
FEW_PLANES = 16


class Tally(QObject):
    """Pixels by value of one labels layer, counted strip by strip while nothing else happens.

    A stroke makes the strips it touched due again; undo, which does not say what it changes, all those that ever were
    touched or held paint. A strip is some rows of one plane (the last two axes of the array).
    """

    #: All that was due is counted, or a while has passed.
    counted = Signal()
    #: For the first time since this began something was painted; it is not counted yet.
    touched = Signal()
    #: Strip and its values (of the layer itself: copy what is kept), each time it was read.
    read = Signal(object, object)

    def __init__(self, layer: Any, empty: bool = False) -> None:
        super().__init__()
        self._layer = layer
        self._strips: dict[Strip, dict[int, int]] = {}
        self._painted_on: set[Strip] = set()  # of those that are due, known to be changed: they come first
        self._due: set[Strip] = set() if empty else set(self.all_strips())
        self._touched: set[Strip] = set()  # painted on, or found painted, at any time: redo may bring it back
        self._told = 0.0
        self._empty = empty
        #: Whether what is read should wait, as whoever listens has too much of it.
        self.waits: Callable[[], bool] = lambda: False
        self.changed = False  # whether anything was painted since this began
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
        for strip in self._strips.values():
            for value, n in strip.items():
                total[value] = total.get(value, 0) + n
        return total

    def planes(self) -> set[tuple[int, ...]]:
        """Indices of the planes that hold or ever held paint, or are still to be counted."""
        return {strip[:-1] for strip in self._touched | self._due}

    def rows_of(self, plane: tuple[int, ...], values: Collection[int]) -> slice | None:
        """Rows of a plane between which all pixels of some values lie; None where there are none."""
        self.count_now()
        wanted = set(values)
        found = [strip[-1] for strip, held in self._strips.items() if strip[:-1] == plane and wanted & held.keys()]
        return slice(min(found) * self.height, (max(found) + 1) * self.height) if found else None

    def planes_of(self, value: int) -> list[tuple[int, ...]]:
        """Indices of the planes that hold a value."""
        self.count_now()
        return sorted({strip[:-1] for strip, held in self._strips.items() if value in held})

    @property
    def counting(self) -> bool:
        """Whether some strips are still to be counted."""
        return bool(self._due)

    def painted_strips(self) -> set[Strip]:
        """Strips that hold paint, or are still to be counted."""
        return {strip for strip, values in self._strips.items() if values} | self._due

    def values(self, strip: Strip) -> npt.NDArray[np.integer]:
        """The (rows, columns) of a strip."""
        *plane, k = strip
        return np.asarray(self._layer.data[(*plane, slice(k * self.height, (k + 1) * self.height))])

    def count_now(self) -> dict[int, int]:
        """Count everything that is due before answering."""
        while self._due:
            self._count(self._next())
        return self.counts()

    def count_for(self, seconds: float) -> None:
        """Count what was painted on, and for so long whatever else is due."""
        until = time.monotonic() + seconds
        while self._painted_on or (self._due and time.monotonic() < until):
            self._count(self._next())

    def look_again(self) -> None:
        """Count everything again, while nothing else happens."""
        self._due = set(self.all_strips())
        self._soon()

    def close(self) -> None:
        """Stop counting."""
        self._timer.stop()
        for emitter, slot in (("paint", self._painted), ("set_data", self._redrawn), ("data", self._replaced)):
            getattr(self._layer.events, emitter).disconnect(slot)

    @property
    def height(self) -> int:
        """Rows of a strip."""
        return max(1, STRIP_PIXELS // max(1, int(self._layer.data.shape[-1])))

    def all_strips(self) -> Iterator[Strip]:
        """The strips of the whole layer."""
        *planes, rows, _ = self._layer.data.shape
        return product(*(range(n) for n in planes), range(-(-rows // self.height)))

    def _painted(self, event: Any) -> None:
        for atom in event.value:
            if hasattr(atom, "slice_key"):
                spans = [(key.start, key.stop) if isinstance(key, slice) else (key, key + 1) for key in atom.slice_key]
            else:
                spans = [(int(np.min(index)), int(np.max(index)) + 1) for index in atom[0]]
            *planes, (top, bottom), _ = spans
            rows = range(int(top) // self.height, (int(bottom) - 1) // self.height + 1)
            strips = set(product(*(range(int(a), int(b)) for a, b in planes), rows))
            self._touched |= strips
            self._due |= strips
            self._painted_on |= strips
        self._soon()
        self._touch()

    def _touch(self) -> None:
        if not self.changed:
            self.changed = True
            self.touched.emit()

    def _redrawn(self, event: Any = None) -> None:
        """Undo and redo redraw without saying what they changed."""
        few = prod(self._layer.data.shape[:-2]) <= FEW_PLANES
        self._due.update(self.all_strips() if few else self._touched)
        self._soon()

    def _replaced(self, event: Any = None) -> None:
        self._strips.clear()
        self._touched.clear()
        self._painted_on.clear()
        self._due = set(self.all_strips())
        self._soon()
        self._touch()

    def _soon(self) -> None:
        if not self._timer.isActive():  # who paints without a pause is counted too
            self._timer.start(DEBOUNCE_MS)

    def _step(self) -> None:
        if not self._painted_on and self.waits():
            self._timer.start(DEBOUNCE_MS)
            return
        until, painted = time.monotonic() + MOST_SECONDS, bool(self._painted_on)
        while self._due and time.monotonic() < until:
            self._count(self._next())
        if self._due:
            self._timer.start(0)
        if not self._due or (painted and not self._painted_on) or until > self._told + TELL_SECONDS:
            self._told = until
            self.counted.emit()

    def _next(self) -> Strip:
        strip = self._painted_on.pop() if self._painted_on else next(iter(self._due))
        self._due.discard(strip)
        return strip

    def _count(self, strip: Strip) -> None:
        values = self.values(strip)
        before, now = self._strips.get(strip, {} if self._empty else None), _pixels_by_value(values)
        self._strips[strip] = now
        if now:
            self._touched.add(strip)
        if before is not None and before != now:
            self._touch()
        self.read.emit(strip, values)


def _pixels_by_value(values: npt.NDArray[np.integer]) -> dict[int, int]:
    """Pixels of each value but 0."""
    if not values.any():
        return {}
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:  # ten times faster than sorting
        counts = np.bincount(values.ravel())
        counts[0] = 0
        found = np.flatnonzero(counts)
        return dict(zip(found.tolist(), counts[found].tolist(), strict=True))
    ids, n = np.unique(values[values != 0], return_counts=True)
    return dict(zip(ids.tolist(), n.tolist(), strict=True))

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
#: Pixels counted at once, and columns of them: of a wide plane only the painted part is read, hashed and written.
PART_PIXELS, PART_COLUMNS = 1 << 18, 1024
#: Plane index, and which rows and which columns of it.
Part = tuple[int, ...]
#: While a long count goes on, what is known is told so often.
TELL_SECONDS = 0.5
#: Up to so many planes, all are counted again after an undo or a refresh.
FEW_PLANES = 16
#: Of what nobody painted on only one part at a time is counted until nothing was painted for so long.
REST_SECONDS = 0.5


class Tally(QObject):
    """Pixels by value of one labels layer, counted part by part while nothing else happens.

    A stroke makes the parts it touched due again; undo, which does not say what it changes, all those that ever were
    touched or held paint. A part is some rows and columns of one plane (the last two axes of the array).
    """

    #: All that was due is counted, or a while has passed.
    counted = Signal()
    #: For the first time since this began something was painted; it is not counted yet.
    touched = Signal()
    #: Part and its values (of the layer itself: copy what is kept), each time it was read.
    read = Signal(object, object)

    def __init__(self, layer: Any, empty: bool = False) -> None:
        super().__init__()
        self._layer = layer
        self._parts: dict[Part, dict[int, int]] = {}
        self._painted_on: set[Part] = set()  # of those that are due, perhaps changed: they come first
        self._due: set[Part] = set() if empty else set(self.all_parts())
        self._touched: set[Part] = set()  # painted on, or found painted, at any time: redo may bring it back
        self._told = self._last_painted = 0.0
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
        for part in self._parts.values():
            for value, n in part.items():
                total[value] = total.get(value, 0) + n
        return total

    def planes(self) -> set[tuple[int, ...]]:
        """Indices of the planes that hold or ever held paint, or are still to be counted."""
        return {part[:-2] for part in self._touched | self._due}

    def rows_of(self, plane: tuple[int, ...], values: Collection[int]) -> slice | None:
        """Rows of a plane between which all pixels of some values lie; None where there are none."""
        self.count_now()
        wanted = set(values)
        found = [part[-2] for part, held in self._parts.items() if part[:-2] == plane and wanted & held.keys()]
        return slice(min(found) * self.height, (max(found) + 1) * self.height) if found else None

    def planes_of(self, value: int) -> list[tuple[int, ...]]:
        """Indices of the planes that hold a value."""
        self.count_now()
        return sorted({part[:-2] for part, held in self._parts.items() if value in held})

    @property
    def counting(self) -> bool:
        """Whether some parts are still to be counted."""
        return bool(self._due)

    def painted_parts(self) -> set[Part]:
        """Parts that hold paint, or are still to be counted."""
        return {part for part, values in self._parts.items() if values} | self._due

    def values(self, part: Part) -> npt.NDArray[np.integer]:
        """The (rows, columns) of a part."""
        *plane, y, x = part
        rows = slice(y * self.height, (y + 1) * self.height)
        return np.asarray(self._layer.data[(*plane, rows, slice(x * self.width, (x + 1) * self.width))])

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
        self._due = set(self.all_parts())
        self._soon()

    def close(self) -> None:
        """Stop counting."""
        self._timer.stop()
        for emitter, slot in (("paint", self._painted), ("set_data", self._redrawn), ("data", self._replaced)):
            getattr(self._layer.events, emitter).disconnect(slot)

    @property
    def height(self) -> int:
        """Rows of a part."""
        return max(1, PART_PIXELS // self.width)

    @property
    def width(self) -> int:
        """Columns of a part."""
        return max(1, min(PART_COLUMNS, int(self._layer.data.shape[-1])))

    def all_parts(self) -> Iterator[Part]:
        """The parts of the whole layer."""
        *planes, rows, columns = self._layer.data.shape
        return product(*(range(n) for n in planes), range(-(-rows // self.height)), range(-(-columns // self.width)))

    def _painted(self, event: Any) -> None:
        for atom in event.value:
            if hasattr(atom, "slice_key"):
                spans = [(key.start, key.stop) if isinstance(key, slice) else (key, key + 1) for key in atom.slice_key]
            else:
                spans = [(int(np.min(index)), int(np.max(index)) + 1) for index in atom[0]]
            *planes, (top, bottom), (left, right) = spans
            rows = range(int(top) // self.height, (int(bottom) - 1) // self.height + 1)
            columns = range(int(left) // self.width, (int(right) - 1) // self.width + 1)
            parts = set(product(*(range(int(a), int(b)) for a, b in planes), rows, columns))
            self._touched |= parts
            self._due |= parts
            self._painted_on |= parts
        self._last_painted = time.monotonic()
        self._soon()
        self._touch()

    def _touch(self) -> None:
        if not self.changed:
            self.changed = True
            self.touched.emit()

    def _redrawn(self, event: Any = None) -> None:
        """Undo and redo redraw without saying what they changed."""
        few = prod(self._layer.data.shape[:-2]) <= FEW_PLANES
        self._due.update(self.all_parts() if few else self._touched)
        self._painted_on |= self._touched  # what undo and redo change lies there
        self._soon()

    def _replaced(self, event: Any = None) -> None:
        self._parts.clear()
        self._touched.clear()
        self._painted_on.clear()
        self._due = set(self.all_parts())
        self._soon()
        self._touch()

    def _soon(self) -> None:
        if not self._timer.isActive():  # who paints without a pause is counted too
            self._timer.start(DEBOUNCE_MS)

    def _step(self) -> None:
        if not self._painted_on and self.waits():
            self._timer.start(DEBOUNCE_MS)
            return
        now = time.monotonic()
        until, painted = now + MOST_SECONDS, bool(self._painted_on)
        at_rest = now >= self._last_painted + REST_SECONDS
        if not painted and self._due:
            self._count(self._next())
        while (self._painted_on or (self._due and at_rest and not painted)) and time.monotonic() < until:
            self._count(self._next())
        if self._due:
            self._timer.start(0 if at_rest or self._painted_on else DEBOUNCE_MS)
        if not self._due or (painted and not self._painted_on) or until > self._told + TELL_SECONDS:
            self._told = until
            self.counted.emit()

    def _next(self) -> Part:
        part = self._painted_on.pop() if self._painted_on else next(iter(self._due))
        self._due.discard(part)
        return part

    def _count(self, part: Part) -> None:
        values = self.values(part)
        before, now = self._parts.get(part, {} if self._empty else None), _pixels_by_value(values)
        self._parts[part] = now
        if now:
            self._touched.add(part)
        if before is not None and before != now:
            self._touch()
        self.read.emit(part, values)


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

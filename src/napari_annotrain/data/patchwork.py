"""Annotation in memory that costs only what is painted, and that nobody changes while it is read."""

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

#: Columns of a piece, in px.
COLUMNS = 256
#: Start and stop along every axis.
Box = tuple[slice, ...]


class Patchwork:
    """A label array of any size of which only the painted pieces take memory; elsewhere it is 0.

    Pieces are replaced, never written to, so that a copy shares them and costs nothing. ::

        rows 0 ..   +-------+-------+----
                    | 256   |       |        a piece: some rows and `COLUMNS` columns of one plane,
                    +-------+-------+----    which is the last two axes
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike, rows: int) -> None:
        self.shape, self.dtype = tuple(int(n) for n in shape), np.dtype(dtype)
        self._rows = rows
        self._pieces: dict[tuple[int, ...], npt.NDArray[Any]] = {}

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def n_bytes(self) -> int:
        """Memory its pieces take, in bytes."""
        return sum(piece.nbytes for piece in self._pieces.values())

    def copy(self) -> "Patchwork":
        """The same as it is now."""
        made = Patchwork(self.shape, self.dtype, self._rows)
        made._pieces = dict(self._pieces)
        return made

    def put(self, plane: tuple[int, ...], strip: int, values: npt.NDArray[Any], first: int = 0) -> list[Box]:
        """Replace strip number `strip` of a plane by (rows, columns) values; boxes around the pixels that differ.

        Of a part of the strip `first` is its first column, a multiple of `COLUMNS`, and it ends at one or with the
        plane.
        """
        changed = []
        for at in range(0, values.shape[1], COLUMNS):
            new, left = values[:, at : at + COLUMNS], first + at
            key = (*plane, strip, left // COLUMNS)
            old = self._pieces.get(key)
            differs = new != 0 if old is None else new != old
            rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
            if not rows.size:
                continue
            if new.any():
                self._pieces[key] = np.array(new, self.dtype)
            else:
                self._pieces.pop(key, None)
            top = strip * self._rows
            y = slice(top + int(rows[0]), top + int(rows[-1]) + 1)
            x = slice(left + int(columns[0]), left + int(columns[-1]) + 1)
            changed.append((*(slice(i, i + 1) for i in plane), y, x))
        return changed

    def boxes(self) -> list[Box]:
        """Boxes around all that is painted, a piece each."""
        return self.changed_since(Patchwork(self.shape, self.dtype, self._rows))

    def changed_since(self, before: "Patchwork") -> list[Box]:
        """Boxes of the pieces that are other ones than in an earlier copy."""
        keys = self._pieces.keys() | before._pieces.keys()
        changed = sorted(key for key in keys if self._pieces.get(key) is not before._pieces.get(key))
        return [self._box(key) for key in changed]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a window, given as one slice without a step for every axis."""
        spans = [range(n)[s] for s, n in zip(key, self.shape, strict=True)]
        window = np.zeros([len(span) for span in spans], self.dtype)
        if not window.size:
            return window
        *planes, rows, columns = spans
        strips = range(rows.start // self._rows, (rows.stop - 1) // self._rows + 1)
        across = range(columns.start // COLUMNS, (columns.stop - 1) // COLUMNS + 1)
        for place in product(*planes, strips, across):
            piece = self._pieces.get(place)
            if piece is None:
                continue
            *plane, top, bottom = (s.start for s in self._box(place))
            row, column = max(rows.start, top), max(columns.start, bottom)
            part = piece[row - top : rows.stop - top, column - bottom : columns.stop - bottom]
            at = [index - span.start for index, span in zip(plane, planes, strict=True)]
            row, column = row - rows.start, column - columns.start
            window[(*at, slice(row, row + part.shape[0]), slice(column, column + part.shape[1]))] = part
        return window

    def _box(self, key: tuple[int, ...]) -> Box:
        *plane, strip, column = key
        height, width = self.shape[-2:]
        rows = slice(strip * self._rows, min((strip + 1) * self._rows, height))
        columns = slice(column * COLUMNS, min((column + 1) * COLUMNS, width))
        return (*(slice(i, i + 1) for i in plane), rows, columns)

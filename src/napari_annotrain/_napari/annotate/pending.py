from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.annotate.plane_edit import PlaneOf, write
from napari_annotrain.objects.edits import Box, Edit


class Pending:
    """Changes of planes of one layer that become one step of undo, all or none; each is made knowing those before it.

    What is read is the layer with what was put so far laid over it::

        layer     . . . . .        put    2 2 2 . .        read    2 2 2 . .
    """

    def __init__(self) -> None:
        self._edits: list[tuple[PlaneOf, Edit]] = []

    def read(self, plane: PlaneOf, box: Box) -> npt.NDArray[np.int64]:
        """Values of a box of a plane, (Y, X), as they will be."""
        values = plane.read(box).astype(np.int64)
        present = values.copy()
        for other, edit in self._edits:
            both = _overlap(box, edit.box)
            if other.at == plane.at and both is not None:
                mine, theirs = _within(both, box), _within(both, edit.box)
                changed = edit.values[theirs] != present[mine]
                values[mine][changed] = edit.values[theirs][changed]
        return values

    def put(self, plane: PlaneOf, box: Box, values: npt.NDArray[Any]) -> None:
        """Change a box of a plane, whose `values` are (Y, X); a pixel is changed once at most."""
        new = values != self.read(plane, box)
        self._edits.append((plane, Edit(box, np.where(new, values, plane.read(box)))))

    def write(self) -> int:
        """Write all of it into the layer; the number of pixels that changed. See `plane_edit.write`."""
        return write(self._edits)


def _overlap(one: Box, other: Box) -> Box | None:
    rows, columns = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else None


def _within(part: Box, box: Box) -> Box:
    """The same part, counted from the corner of a box."""
    rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(part, box, strict=True))
    return rows, columns

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.viewer.view import is_inside
from napari_annotrain.events import Region

#: Writes the cells of a box, numbered from 1 in each run, into the canvas.
Write = Callable[[Region, npt.NDArray[Any]], None]


@dataclass(frozen=True)
class Patch:
    """Cells that were written at once: their ids are above `below` and at most `top`."""

    box: Region
    below: int
    top: int


class CellIds:
    """Keeps apart the ids of cells that several runs write into one canvas.

    Every run numbers its cells from 1. They are lifted above all ids that stay outside the region of the run, which
    are known from what was written: the canvas itself is not searched. ::

        before      1..9 |  10..14 |           what is seen of plane 0, then plane 1
        plane 1     1..9 |  10..13 |           its own old ids are free again
        the stack   1..8 |   9..12 | 13..20    all old ids are
    """

    def __init__(self) -> None:
        self._patches: list[Patch] = []

    def take_over(self, canvas: Any, top: int) -> None:
        """All of the canvas holds the cells of one run, whose ids reach up to `top`."""
        t, z, y, x = (slice(0, n) for n in canvas.shape)
        self._patches = [Patch((t, z, y, x), 0, top)] if top else []

    @contextmanager
    def writing(self, canvas: Any, region: Region | None) -> Iterator[Write]:
        """Write the cells of one run, box by box; (T, Z, Y, X) both, None for the whole canvas.

        What the run did not come to keeps its cells; their ids are lifted in turn where they have been given again.
        """
        t, z, y, x = region or tuple(slice(0, n) for n in canvas.shape)
        replaced = [patch for patch in self._patches if is_inside(patch.box, (t, z, y, x))]
        kept = [patch for patch in self._patches if patch not in replaced]
        offset = _highest(kept)
        new: list[Patch] = []

        def write(box: Region, cells: npt.NDArray[Any]) -> None:
            ids = cells[cells > 0]
            canvas[box] = np.where(cells > 0, cells + np.int64(offset), 0) if offset else cells
            low, high = (int(ids.min()) - 1, int(ids.max())) if ids.size else (0, 0)
            new.append(Patch(box, low + offset, high + offset))

        try:
            yield write
        finally:
            left = [patch for patch in replaced if not any(is_inside(patch.box, one.box) for one in new)]
            self._patches = [patch for patch in (*kept, *new) if patch.top > patch.below]
            for patch in left:
                self._patches.append(self._lifted(canvas, patch, left))

    def _lifted(self, canvas: Any, patch: Patch, left: list[Patch]) -> Patch:
        """A patch with ids of its own: its old ones, or higher ones where those were given again."""
        if not any(one.below < patch.top and patch.below < one.top for one in self._patches):
            return patch
        lift = max(_highest(self._patches), _highest(left)) - patch.below
        part = canvas[patch.box]
        part[(part > patch.below) & (part <= patch.top)] += lift
        canvas[patch.box] = part  # which was read from the disk, perhaps
        return Patch(patch.box, patch.below + lift, patch.top + lift)


def _highest(patches: list[Patch]) -> int:
    return max((patch.top for patch in patches), default=0)

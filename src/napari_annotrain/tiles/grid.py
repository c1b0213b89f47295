"""Overlap-tiles: regions to write that partition the image, each with a wider region to read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.tiles.geometry import Geometry

#: Rows and columns in one plane.
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """One overlap-tile of a plane (Ronneberger et al. 2015, figure 2).

    ::

        +---------------------------+  read: may reach beyond the image, where it is mirrored
        |      margin               |
        |    +-----------------+    |
        |    |  write: core    |    |  write: inside the image; the writes partition the region asked for
        |    +-----------------+    |
        +---------------------------+

    Attributes
    ----------
    read, write
        (Y, X) slices in pixels of the image; the start of `read` may be negative, its stop beyond the image.
    crop
        (Y, X) slices that take `write` out of the network's output for `read`.
    """

    read: Box
    write: Box
    crop: Box


def cut(region: Box, core: int, geometry: Geometry) -> list[Tile]:
    """Cut a region into tiles whose cores have at most `core` pixels a side, row by row.

    Origins keep to the network's grid counted from the image's own origin, so that any region of an image gives
    exactly the values that the whole image gives there.

    Parameters
    ----------
    region
        (Y, X) slices inside the image.
    core
        Side of the written core in px; rounded up to the grid.
    """
    step = geometry.round_up(core)
    return [Tile(*zip(*pair, strict=True)) for pair in product(*(list(_cut_axis(s, step, geometry)) for s in region))]


def _cut_axis(region: slice, step: int, geometry: Geometry) -> Iterator[tuple[slice, slice, slice]]:
    first = region.start // geometry.grid * geometry.grid
    for start in range(first, region.stop, step):
        stop = min(start + step, region.stop)
        write = slice(max(start, region.start), stop)
        read = slice(start - geometry.before, start - geometry.before + geometry.read_size(stop - start))
        offset = geometry.crop + write.start - start
        yield read, write, slice(offset, offset + write.stop - write.start)


def mirror(start: int, stop: int, length: int) -> npt.NDArray[np.intp]:
    """Indices start .. stop - 1 folded into 0 .. length - 1 by mirroring at both ends, as often as needed.

    The edge pixel itself is not repeated: of length 4, the indices -2 .. 5 become 2 1 0 1 2 3 2 1.
    """
    if length == 1:
        return np.zeros(stop - start, np.intp)
    period = 2 * (length - 1)
    index = np.arange(start, stop) % period
    return np.where(index < length, index, period - index)


def read_mirrored(read: Callable[[Box], npt.NDArray[Any]], shape: tuple[int, int], box: Box) -> npt.NDArray[Any]:
    """Read a box that may reach beyond the image, mirrored where the image ends and only there.

    Parameters
    ----------
    read
        Reads a box inside the plane: (..., Y, X).
    shape
        (Y, X) of the plane.
    box
        What to read; any start and stop.
    """
    if all(s.start >= 0 and s.stop <= n for s, n in zip(box, shape, strict=True)):
        return read(box)
    rows, columns = (mirror(s.start, s.stop, n) for s, n in zip(box, shape, strict=True))
    inner = read((slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)))
    return inner[..., rows - rows.min(), :][..., columns - columns.min()]

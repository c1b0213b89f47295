"""Connected components of a plane that is looked at block by block."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
#: Rows and columns.
Box = tuple[slice, slice]


def blocks_of(shape: Sequence[int], side: int) -> list[Box]:
    """Blocks of at most `side` pixels a side that make up a plane, row by row."""
    rows, columns = ([slice(a, min(a + side, n)) for a in range(0, n, side)] for n in shape)
    return list(product(rows, columns))


@dataclass(frozen=True)
class Components:
    """Components of a mask, numbered 0, 1, 2, ...; each is made of parts, those of one block of the plane.

    Attributes
    ----------
    starts
        How many parts lie in the blocks before each block.
    component
        Of each part.
    diagonal
        Whether pixels that touch at a corner are connected.
    sizes
        Pixels of each component.
    firsts
        Of each component the first pixel, row by row, counted from that of the plane; a name for it.
    boxes
        (components, 4): top, left, bottom, right of each; bottom and right are the first row and column beyond.
    """

    starts: Ints
    component: Ints
    diagonal: bool
    sizes: Ints
    firsts: Ints
    boxes: Ints

    def __len__(self) -> int:
        return len(self.sizes)

    def at(self, block: int, mask: Mask, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """In a block, the value of the component that each pixel belongs to (a value each); 0 outside the mask."""
        parts, n = _label(mask, self.diagonal)
        table = np.zeros(n + 1, values.dtype)
        table[1:] = values[self.component[self.starts[block] : self.starts[block] + n]]
        return table[parts]


def connect(
    masks: Callable[[int], Mask], blocks: Sequence[Box], diagonal: bool = False, named: bool = True
) -> Components:
    """Find the components of a plane: those of each block, joined where they touch those of its neighbours.

    Parameters
    ----------
    masks
        Gives the mask of a block.
    blocks
        From `blocks_of`.
    diagonal
        Whether pixels that touch at a corner are connected.
    named
        Whether their first pixels are wanted; else `firsts` is 0.
    """
    width = max(box[1].stop for box in blocks)
    above = below = np.zeros(width, np.int64)  # of the last row of blocks and of this one, the parts at its lower edge
    left = np.zeros(0, np.int64)
    starts, sizes, firsts, boxes, pairs = [], [], [], [], []
    n_parts = 0
    for i, (rows, columns) in enumerate(blocks):
        parts, n = _label(masks(i), diagonal)
        starts.append(n_parts)
        sizes.append(np.bincount(parts.ravel(), minlength=n + 1)[1:])
        firsts.append(_firsts(parts, n, rows.start, columns.start, width) if named else np.zeros(n, np.int64))
        boxes.append(_boxes(parts, rows.start, columns.start))
        own = np.where(parts > 0, parts + np.int64(n_parts), 0)
        if columns.start == 0:
            above, below, left = below, np.zeros(width, np.int64), np.zeros(len(own), np.int64)
        wide = slice(max(columns.start - 1, 0), columns.stop + 1)
        top = np.zeros(width, np.int64)
        top[columns] = own[0]
        pairs += [*_touching(above[wide], top[wide], diagonal), *_touching(left, own[:, 0], diagonal)]
        below[columns], left = own[-1], own[:, -1]
        n_parts += n
    edges = np.concatenate(pairs, axis=1) - 1
    graph = coo_array((np.ones(edges.shape[1], bool), tuple(edges)), shape=(n_parts, n_parts))
    count, component = connected_components(graph, directed=False) if n_parts else (0, np.zeros(0, np.int64))
    return Components(
        np.array(starts),
        component.astype(np.int64),
        diagonal,
        np.bincount(component, np.concatenate(sizes), count).astype(np.int64),
        _least(np.concatenate(firsts), component, count),
        _extent(np.concatenate(boxes), component, count),
    )


def first_pixels(parts: Labels, n: int) -> Ints:
    """The first pixel of each of n parts, row by row."""
    inside = np.flatnonzero(parts)[::-1]
    found = np.zeros(n + 1, np.int64)
    found[parts.ravel()[inside]] = inside  # the last one assigned stays: the first pixel
    return found[1:]


def _label(mask: Mask, diagonal: bool) -> tuple[Labels, int]:
    parts, n = ndi.label(mask, np.ones((3, 3)) if diagonal else None)
    return parts, int(n)


def _firsts(parts: Labels, n: int, top: int, left: int, width: int) -> Ints:
    y, x = np.divmod(first_pixels(parts, n), parts.shape[1])
    return (y + top) * width + x + left


def _boxes(parts: Labels, top: int, left: int) -> Ints:
    found = [(y.start + top, x.start + left, y.stop + top, x.stop + left) for y, x in ndi.find_objects(parts)]
    return np.array(found, np.int64).reshape(-1, 4)


def _touching(one: Ints, other: Ints, diagonal: bool) -> Iterator[Ints]:
    """(2, N) pairs of parts that lie opposite each other in two neighbouring lines."""
    for a, b in ((one, other), (one[1:], other[:-1]), (one[:-1], other[1:]))[: 3 if diagonal else 1]:
        both = (a > 0) & (b > 0)
        yield np.stack([a[both], b[both]])


def _least(values: Ints, component: Ints, count: int) -> Ints:
    least = np.full((count, *values.shape[1:]), np.iinfo(np.int64).max)
    np.minimum.at(least, component, values)
    return least


def _extent(boxes: Ints, component: Ints, count: int) -> Ints:
    return np.concatenate([_least(boxes[:, :2], component, count), -_least(-boxes[:, 2:], component, count)], axis=1)

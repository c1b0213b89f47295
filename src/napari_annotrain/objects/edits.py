"""Corrections of cells in one plane; ids are values of an annotation, above background."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from skimage.draw import line

#: What is not a cell: 0 not annotated, 1 background.
MOST_NO_CELL = 1
Labels = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]
#: Rows and columns.
Box = tuple[slice, slice]
EVERYWHERE = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Edit:
    """New values of a box of a plane; what lies outside of it stays.

    Attributes
    ----------
    box
        Rows and columns in the plane that was given.
    values
        (Y, X) of the box; of a wider type than the plane's where an id may be new.
    """

    box: Box
    values: Labels


def box_of(plane: Labels, cells: Sequence[int]) -> Box | None:
    """Smallest box around some cells; None where the plane has none of them."""
    found = np.isin(plane, cells)
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def merge(plane: Labels, kept: int, other: int) -> Edit | None:
    """Give the pixels of another cell to the one that is kept; None where nothing changes."""
    box = box_of(plane, [other])
    if kept == other or min(kept, other) <= MOST_NO_CELL or box is None:
        return None
    values = plane[box].copy()
    values[values == other] = kept
    return Edit(box, values)


def are_apart(plane: Labels, one: int, other: int) -> bool:
    """Whether no pixel of one cell touches the other cell, at an edge or a corner."""
    box = box_of(plane, [one, other])
    if box is None:
        return True
    part = plane[box]
    return not (ndi.binary_dilation(part == one, EVERYWHERE) & (part == other)).any()


def remove(plane: Labels, cell: int, instead: int = 0) -> Edit | None:
    """Turn a cell into "not annotated", or into background (`instead` 1)."""
    box = box_of(plane, [cell])
    if cell <= MOST_NO_CELL or box is None:
        return None
    values = plane[box].copy()
    values[values == cell] = instead
    return Edit(box, values)


def fill_holes(plane: Labels, cell: int) -> Edit | None:
    """Give a cell what it encloses, unless that belongs to another cell; None where it encloses nothing."""
    box = box_of(plane, [cell])
    if cell <= MOST_NO_CELL or box is None:
        return None
    part = plane[box]
    holes = ndi.binary_fill_holes(part == cell) & (part <= MOST_NO_CELL)
    if not holes.any():
        return None
    values = part.copy()
    values[holes] = cell
    return Edit(box, values)


def cell_under(plane: Labels, path: npt.NDArray[np.floating]) -> int:
    """The cell that a line runs through longest; 0 where it meets none. See `split` for the line."""
    values = plane[_line(path, plane.shape)]
    values = values[values > MOST_NO_CELL]
    return int(np.bincount(values).argmax()) if values.size else 0


def split(plane: Labels, path: npt.NDArray[np.floating], next_id: int) -> Edit | None:
    """Cut the cell that a line runs through longest along this line.

    The pieces get ids of their own from `next_id` on, the largest keeps the old one; the pixels under the line go to
    the nearest piece, so that none is lost. ::

        2 2 2|2 2       2 2 2 3 3
        2 2 2|2 2  ->   2 2 2 3 3
        2 2 2|2 2       2 2 2 3 3

    Parameters
    ----------
    path
        (N, 2) points (y, x) in px, in the order they were drawn; parts beyond the plane are left out.
    next_id
        Above all ids of the annotation.

    Returns
    -------
    None where the line does not cut the cell in two: it must begin and end outside of it.
    """
    cell = cell_under(plane, path)
    box = box_of(plane, [cell])
    if cell == 0 or box is None:
        return None
    own = plane[box] == cell
    cut = np.zeros(plane.shape, bool)
    cut[_line(path, plane.shape)] = True
    cut = cut[box] & own
    before, _ = ndi.label(own, EVERYWHERE)
    touched = np.isin(before, np.unique(before[cut]))  # of a cell in several parts, those under the line
    pieces, n = ndi.label(touched & ~cut, EVERYWHERE)
    n_before = len(np.unique(before[touched & ~cut]))
    if n <= n_before:
        return None
    nearest = ndi.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    pieces = np.where(touched, pieces[tuple(nearest)], 0)
    sizes = np.bincount(pieces.ravel(), minlength=n + 1)
    sizes[0] = 0
    ids = np.zeros(n + 1, np.int64)
    ids[np.arange(n + 1) != sizes.argmax()] = np.arange(n) + next_id - 1  # 0, the rest of the plane, is first
    ids[sizes.argmax()] = cell
    values = plane[box].astype(np.int64)  # a smaller type would wrap ids it has no room for
    values[touched] = ids[pieces[touched]]
    return Edit(box, values)


def number_apart(plane: Labels, first_id: int) -> tuple[npt.NDArray[np.int64], int]:
    """Give every piece of paint that lies apart from others of its value an id of its own, from `first_id` on.

    Returns
    -------
    The plane with these ids, and the next free one; pieces touch at edges or corners. ::

        2 2 . 3 3 . 2       2 2 . 4 4 . 3
    """
    values, next_id = plane.astype(np.int64), first_id
    for value in np.unique(plane[plane > MOST_NO_CELL]):
        found, n = ndi.label(plane == value, EVERYWHERE)
        values[found > 0] = found[found > 0] + (next_id - 1)
        next_id += n
    return values, next_id


def _line(path: npt.NDArray[np.floating], shape: tuple[int, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pixels of a line through points, each sharing an edge with the next, so that it parts what touches at corners."""
    points = np.round(np.asarray(path, float)).astype(int)
    rows, columns = [points[:1, 0]], [points[:1, 1]]
    for (y0, x0), (y1, x1) in pairwise(points):
        y, x = line(y0, x0, y1, x1)
        rows += [y, y[1:]]
        columns += [x, x[:-1]]  # the corner between two pixels that touch diagonally; else one of the two again
    y, x = np.concatenate(rows), np.concatenate(columns)
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return y[inside], x[inside]

"""The gaps between neighbouring cells: which there are, and which have closed after the image was deformed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

#: Cells are neighbours where at most so much background lies between them, in px.
WIDEST_PX = 6
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gaps:
    """Gaps between the cells of a plane.

    Attributes
    ----------
    map
        (Y, X) number of the gap that each pixel lies in, from 1; 0 for none.
    pairs
        (N, 2) ids of the two cells of each gap, ascending.
    """

    map: Ids
    pairs: Ids


def find_gaps(cells: Ids, background: npt.NDArray[np.bool_]) -> Gaps:
    """Find the background between neighbouring cells.

    Parameters
    ----------
    cells
        (Y, X) ids, 0 for none.
    background
        (Y, X) pixels that are known to be no cell.

    Returns
    -------
    A pixel lies in the gap of its nearest and second nearest cell where both distances together are at most
    `WIDEST_PX` + 1, and within one pixel of their sum where the gap is narrowest. Pairs that touch have no gap.
    """
    first, second = np.full(cells.shape, np.inf), np.full(cells.shape, np.inf)
    nearest, next_nearest = np.zeros(cells.shape, np.int64), np.zeros(cells.shape, np.int64)
    reach = WIDEST_PX + 1
    ids, compact = np.unique(cells, return_inverse=True)
    boxes = ndi.find_objects(compact.reshape(cells.shape) + (ids[0] != 0))
    for cell, box in zip(ids[ids != 0], boxes, strict=True):
        wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
        distance = ndi.distance_transform_edt(cells[wide] != cell)
        nearer, further = distance < first[wide], (distance >= first[wide]) & (distance < second[wide])
        second[wide] = np.where(nearer, first[wide], np.where(further, distance, second[wide]))
        next_nearest[wide] = np.where(nearer, nearest[wide], np.where(further, cell, next_nearest[wide]))
        first[wide] = np.where(nearer, distance, first[wide])
        nearest[wide] = np.where(nearer, cell, nearest[wide])
    inside = background & (first + second <= reach)
    pairs = np.sort(np.stack([nearest[inside], next_nearest[inside]], axis=1), axis=1)
    touching = {tuple(pair) for pair in contacts(cells)[0].tolist()}
    found, which = np.unique(pairs, axis=0, return_inverse=True) if len(pairs) else (pairs, np.zeros(0, np.int64))
    which, sums = which.ravel(), (first + second)[inside]
    narrowest = np.full(len(found), np.inf)
    np.minimum.at(narrowest, which, sums)
    keep = np.array([tuple(pair) not in touching for pair in found.tolist()], bool)
    number = np.where(keep, np.cumsum(keep), 0)
    numbered = np.zeros(cells.shape, np.int64)
    numbered[inside] = np.where(sums <= narrowest[which] + 1, number[which], 0)
    return Gaps(numbered, found[keep])


def contacts(cells: Ids) -> tuple[Ids, Ids]:
    """Pairs of cells that touch, (N, 2) ids ascending, and at how many places each."""
    found = []
    for here, there in ((cells[:-1], cells[1:]), (cells[:, :-1], cells[:, 1:])):
        touch = (here != there) & (here != 0) & (there != 0)
        found.append(np.sort(np.stack([here[touch], there[touch]], axis=1), axis=1))
    return np.unique(np.concatenate(found), axis=0, return_counts=True)


def count_closed(gaps: Gaps, gap_map: Ids, cells: Ids) -> tuple[int, int]:
    """Of the gaps that are still to be seen after an image was deformed, how many there are and how many closed.

    A gap has closed where its two cells touch at more places than pixels of it are left.

    Parameters
    ----------
    gaps
        Before.
    gap_map, cells
        (Y, X) `gaps.map` and the ids of the cells, deformed together.
    """
    left = np.bincount(gap_map.ravel(), minlength=len(gaps.pairs) + 1)[1:]
    pairs, n_places = contacts(cells)
    touching = dict(zip(map(tuple, pairs.tolist()), n_places.tolist(), strict=True))
    at = np.array([touching.get(tuple(pair), 0) for pair in gaps.pairs.tolist()], np.int64)
    return int(((left > 0) | (at > 0)).sum()), int((at > left).sum())

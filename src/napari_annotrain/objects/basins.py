"""The watershed of a landscape, its basins joined again where a pass does not part two cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

#: Below this many pixels, smoothing and necks are matters of the grid, not of shape.
GRID_PX = 0.5
#: Up to this depth the distance to the background is found by shifting, which takes longer the deeper cells are.
SHIFTS_PX = 64
#: The network sees two cells where the depth between them is less than this share of that on the shallower side, and
#: neither is a speck. Chosen on images of DSB 2018, BBBC039 and T98G that base weights were not trained on.
VALLEY, SEEN_APART_PX = 0.45, 15
#: Each pixel and its neighbour above, below, left and right.
NEIGHBOURS: tuple[tuple[Any, Any], ...] = (
    (np.s_[1:], np.s_[:-1]),
    (np.s_[:-1], np.s_[1:]),
    (np.s_[:, 1:], np.s_[:, :-1]),
    (np.s_[:, :-1], np.s_[:, 1:]),
)


@dataclass(frozen=True)
class Basins:
    """Basins of a watershed and the passes between them.

    Attributes
    ----------
    labels
        Basin of each pixel, (Y, X), 0 outside.
    summits
        Height of the summit of each basin; entry 0 is the outside.
    areas
        Pixels of each basin.
    passes
        (basin, basin, height, depth), highest first; the depth is the greatest that the network sees between the two.
    deepest
        Greatest depth that the network sees in each basin; 1 everywhere where it sees none.
    """

    labels: Labels
    summits: Floats
    areas: Ints
    passes: list[tuple[int, int, float, float]]
    deepest: Floats

    @classmethod
    def of(cls, heights: Floats, mask: Mask, depth: Floats | None = None) -> "Basins":
        """Flood the landscape from each of its summits; neighbours share an edge, so no component lacks one.

        Parameters
        ----------
        depth
            How deep inside its cell each pixel lies as the network sees it, 0 to 1, (Y, X).
        """
        highest = heights.copy()
        for here, there in NEIGHBOURS:
            np.maximum(highest[here], heights[there], out=highest[here])
        summits = mask & (heights == highest)
        seeds, n = ndi.label(summits)
        labels = _climb(heights, highest, seeds, mask)
        top = np.zeros(n + 1, np.float32)
        top[seeds[summits]] = heights[summits]
        deepest = np.ones(n + 1, np.float32)
        if depth is not None:
            deepest[:] = 0
            inside = labels > 0
            np.maximum.at(deepest, labels[inside], depth[inside])
        passes = list(_passes(labels, heights, depth, n + 1))
        return cls(labels, top, np.bincount(labels.ravel()), passes, deepest)

    def merge(self, neck_depth: float, piece_area: float = 0, cell_area: float = 0) -> Ints:
        """Join basins until every pass that is left parts two cells; for each basin the one that its cell goes by.

        A pass parts two cells when it lies at least `neck_depth` (never less than `GRID_PX`) below the lower summit,
        each side has `piece_area`, and the two together have `cell_area`; where the network sees a cell's depth on
        both sides and little of it between them (`VALLEY`), they may be of any size from `SEEN_APART_PX` on.
        """
        parent = list(range(len(self.areas)))
        summits, areas, deepest = self.summits.tolist(), self.areas.tolist(), self.deepest.tolist()
        neck_depth = max(neck_depth, GRID_PX)

        def root(basin: int) -> int:
            while parent[basin] != basin:
                parent[basin] = basin = parent[parent[basin]]
            return basin

        for a, b, height, depth in self.passes:
            low, high = root(a), root(b)
            if summits[high] < summits[low]:
                low, high = high, low
            shallow = summits[low] - height < neck_depth
            smaller = min(areas[low], areas[high])
            small = smaller < piece_area or areas[low] + areas[high] < cell_area
            if small and smaller >= SEEN_APART_PX:
                small = depth >= VALLEY * min(deepest[low], deepest[high])
            if low != high and (shallow or small):
                parent[low] = high
                areas[high] += areas[low]
                deepest[high] = max(deepest[low], deepest[high])
        return np.array([root(basin) for basin in parent], np.int64)

    def connected_to(self, pixels: tuple[Ints, Ints]) -> Mask:
        """Which basins lie in the components that these pixels (rows, columns) are of; a value a basin."""
        pairs = np.array([(a, b) for a, b, *_ in self.passes], np.int64).reshape(-1, 2)
        n = len(self.areas)
        graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        component = connected_components(graph, directed=False)[1]
        return np.isin(component, component[self.labels[pixels]])

    def areas_of(self, cells: Ints) -> Ints:
        """Pixels of the cells of `merge`, a number a basin; 0 where its cell goes by another."""
        return np.bincount(cells, self.areas, len(cells)).astype(np.int64)


def _climb(heights: Floats, highest: Floats, seeds: Labels, mask: Mask) -> Labels:
    """The watershed of a landscape from all its summits: each pixel is of the summit to which the steepest way leads.

    A flood gives the same: it takes pixels in order of their height, because all but the summits have a higher
    neighbour, so a pixel goes with its highest neighbour, which is flooded first. Where two are equally high (often in
    masks, hardly ever with probabilities) a flood decides by turn, which hangs on all that is flooded with it; here the
    one above goes before the one below, left and right, so that a component is parted alike in any window.

    Parameters
    ----------
    highest
        Greatest height of each pixel and its neighbours, (Y, X).
    seeds
        One value a summit, 0 elsewhere, (Y, X).
    """
    ways = np.zeros(mask.shape, np.uint8)  # to the highest neighbours, a bit each
    for bit, (here, there) in enumerate(NEIGHBOURS):
        ways[here] |= (heights[there] == highest[here]).view(np.uint8) << np.uint8(bit)
    ways[seeds > 0] = 0
    inside = np.flatnonzero(mask)
    place = np.zeros(mask.size, np.intp)
    place[inside] = np.arange(len(inside))
    ways = ways.ravel()[inside]
    first = ways & (~ways + np.uint8(1))
    steps = np.zeros(9, np.intp)
    steps[[1, 2, 4, 8]] = -mask.shape[1], mask.shape[1], -1, 1
    up = place[inside + steps[first]]
    while not np.array_equal(further := up[up], up):
        up = further
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = seeds.ravel()[inside[up]]
    return labels


def _passes(labels: Labels, heights: Floats, depth: Floats | None, n: int) -> Iterator[tuple[int, int, float, float]]:
    """Highest pass between each two neighbouring basins, highest first, and the greatest depth between the two."""
    keys, saddles, between = [], [], []
    for here, there in NEIGHBOURS[::2]:
        edge = (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
        a, b = labels[here][edge].astype(np.int64), labels[there][edge]
        keys.append(np.minimum(a, b) * n + np.maximum(a, b))
        saddles.append(np.minimum(heights[here][edge], heights[there][edge]))
        if depth is not None:
            between.append(np.minimum(depth[here][edge], depth[there][edge]))
    pair, place = np.unique(np.concatenate(keys), return_inverse=True)
    saddle, seen = np.zeros(len(pair), np.float32), np.ones(len(pair), np.float32)
    np.maximum.at(saddle, place, np.concatenate(saddles))
    if depth is not None:
        seen[:] = 0
        np.maximum.at(seen, place, np.concatenate(between))
    falling = np.lexsort((pair, -saddle))
    columns = (pair // n, pair % n, saddle, seen)
    yield from zip(*(column[falling].tolist() for column in columns), strict=True)


def depths(mask: Mask) -> Floats:
    """Distance of each pixel to the background.

    Its square is the least of (x - x')² + g(x')² over the columns x', g(x') the distance within column x'. Shifts
    |x - x'| beyond the deepest place need not be looked at; where there would be many, scipy is faster.
    """
    if mask.all():  # a window amid tissue
        return np.full(mask.shape, SHIFTS_PX, np.float32)
    gap = np.where(mask, np.uint16(2 * SHIFTS_PX), np.uint16(0))
    for rows in (gap, gap[::-1]):
        for before, row in pairwise(rows):
            np.minimum(row, before + np.uint16(1), out=row)
    gap *= gap
    least = gap.copy()
    for shift in range(1, SHIFTS_PX + 1):
        if shift**2 >= least.max():
            return np.sqrt(least, dtype=np.float32)
        shifted = gap + np.uint16(shift**2)
        np.minimum(least[:, shift:], shifted[:, :-shift], out=least[:, shift:])
        np.minimum(least[:, :-shift], shifted[:, shift:], out=least[:, :-shift])
    return np.asarray(ndi.distance_transform_edt(mask), np.float32)

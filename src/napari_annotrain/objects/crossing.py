"""Cells of tissue: where they touch over more than can be looked at at once, blocks that overlap are joined."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_annotrain.objects.components import Box, Components, Ints, Labels, Mask

if TYPE_CHECKING:
    from napari_annotrain.objects.plane import Plane

#: Two blocks mean the same cell when what one of them sees of it and what the other does share more than this part of
#: the two together: then no block can mean the same with two.
SAME = 0.5


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a block sees of the cells at one of its edges: labels of a box, and what to add for their ids."""

    box: Box
    labels: Labels
    offset: int


class Crossing:
    """Components too large for a window.

    Each block decides on its own pixels, knowing those around it. A cell on which two neighbours agree (`SAME`, of what
    both see within half a halo of their edge) is one cell; where they do not, each keeps its part. What is smaller
    than the smallest cell in the end is dropped. The order of blocks does not matter.

    Parameters
    ----------
    components, mask
        Of the plane.
    chosen
        Which components are meant.
    blocks
        From `components.blocks_of`; `components` were found in them.
    halo
        What a block knows around it, in pixels.
    """

    def __init__(self, components: Components, chosen: Mask, mask: Mask, blocks: Sequence[Box], halo: int) -> None:
        self._components, self._chosen, self._mask = components, chosen, mask
        self._blocks, self._halo = blocks, halo
        self._n_columns = sum(box[0].start == 0 for box in blocks)
        stops = [*components.starts[1:], len(components.component)]
        spans = zip(components.starts, stops, strict=True)
        self._there = [i for i, (a, b) in enumerate(spans) if chosen[components.component[a:b]].any()]

    def boxes(self) -> list[Box]:
        """What each block that holds some of them knows."""
        return [self._widened(self._blocks[i]) for i in self._there]

    def cores(self) -> Iterator[tuple[Box, Box, Mask]]:
        """What each block that holds some of them knows, its own part of that, and which pixels there are theirs."""
        for i in self._there:
            core = self._blocks[i]
            window = self._widened(core)
            yield window, _within(core, window), self._components.at(i, np.asarray(self._mask[core]), self._chosen)

    def label(self, out: "Plane", labels_there: Iterable[Labels], least: float, last_id: int) -> int:
        """Write the cells of these components.

        Parameters
        ----------
        labels_there
            The cells of each box of `cores`.
        least
            Area of the smallest cell, in pixels.
        last_id
            The first cell gets the next id.

        Returns
        -------
        The largest id.
        """
        n, areas, pairs = 0, [np.zeros(0, np.int64)], [np.zeros((2, 0), np.int64)]
        above: dict[int, _Seen] = {}
        left: dict[int, _Seen] = {}
        for i, (window, inner, chosen), labels in zip(self._there, self.cores(), labels_there, strict=True):
            core = self._blocks[i]
            for seen in (above.pop(i - self._n_columns, None), left.pop(i - 1, None)):
                if seen is not None:
                    pairs.append(_agreed(seen, _Seen(seen.box, labels[_within(seen.box, window)], n)))
            above = {j: seen for j, seen in above.items() if j > i - self._n_columns}
            above[i] = self._seen(labels, window, core, 0, n)
            if (i + 1) % self._n_columns:
                left = {i: self._seen(labels, window, core, 1, n)}
            ours = chosen & (labels[inner] > 0)
            out[core] = np.where(ours, labels[inner] + np.int64(last_id + n), out[core].astype(np.int64))
            here = int(labels.max(initial=0))
            areas.append(np.bincount(labels[inner][ours], minlength=here + 1)[1:].astype(np.int64))
            n += here
        cells = _join(np.concatenate(pairs, axis=1), np.concatenate(areas), least)
        table = np.concatenate([[0], np.where(cells > 0, cells + last_id, 0)])
        for i in self._there:
            values = out[self._blocks[i]].astype(np.int64)
            ours = values > last_id
            out[self._blocks[i]] = np.where(ours, table[np.where(ours, values - last_id, 0)], values)
        return last_id + int(cells.max(initial=0))

    def _seen(self, labels: Labels, window: Box, core: Box, axis: int, offset: int) -> _Seen:
        """What a block sees around its lower (axis 0) or right edge."""
        edge, near = core[axis].stop, max(1, self._halo // 2)
        zone = slice(max(edge - near, window[axis].start), min(edge + near, window[axis].stop))
        box = (zone, window[1]) if axis == 0 else (window[0], zone)
        return _Seen(box, labels[_within(box, window)].copy(), offset)

    def _widened(self, box: Box) -> Box:
        halo, shape = self._halo, self._mask.shape
        y, x = (slice(max(0, s.start - halo), min(n, s.stop + halo)) for s, n in zip(box, shape, strict=True))
        return y, x


def _within(box: Box, other: Box) -> Box:
    """A box counted from the corner of one that holds it."""
    y, x = (slice(s.start - o.start, s.stop - o.start) for s, o in zip(box, other, strict=True))
    return y, x


def _agreed(one: _Seen, other: _Seen) -> Ints:
    """(2, N) pairs of cells, counted from 0, that two blocks mean alike."""
    both = (one.labels > 0) & (other.labels > 0)
    a, b = one.labels[both].astype(np.int64), other.labels[both].astype(np.int64)
    width = int(b.max(initial=0)) + 1
    key, shared = np.unique(a * width + b, return_counts=True)
    a, b = np.divmod(key, width)
    sizes = (np.bincount(seen.labels.ravel()) for seen in (one, other))
    together = next(sizes)[a] + next(sizes)[b] - shared
    same = shared > SAME * together
    return np.stack([a[same] - 1 + one.offset, b[same] - 1 + other.offset])


def _join(pairs: Ints, areas: Ints, least: float) -> Ints:
    """For each block's cells in turn the number 1, 2, ... of the cell they are part of; 0 where that is too small."""
    if not len(areas):
        return np.zeros(0, np.int64)
    graph = coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(len(areas), len(areas)))
    n, cell = connected_components(graph, directed=False)
    kept = np.bincount(cell, areas, n) >= least
    return np.asarray(np.where(kept, np.cumsum(kept), 0)[cell], np.int64)

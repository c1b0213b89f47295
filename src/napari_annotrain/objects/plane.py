"""The cells of a plane too large to be looked at as a whole."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, isqrt, prod
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from napari_annotrain.objects.basins import Basins
from napari_annotrain.objects.components import Box, Components, Ints, Labels, Mask, blocks_of, connect
from napari_annotrain.objects.crossing import Crossing
from napari_annotrain.objects.in_order import in_order
from napari_annotrain.objects.instances import Floats, choose_cells, find_basins, pieces_of
from napari_annotrain.objects.room import Queue, queue_in, room_for
from napari_annotrain.objects.rules import CellRules, radius_of, typical_area
from napari_annotrain.objects.windows import Window, fitting, windows_of

#: What telling cells apart takes a pixel, in bytes; measured where half of the plane is cells, and some more.
BYTES_A_PIXEL = 96
#: So many windows are looked at at once.
THREADS = 2
#: What a block of tissue sees around its own part, in diameters of a typical cell.
HALO = 3

#: Gives of a box (1 + D, Y, X) the probability of being inside a cell and D distances, at most one.
Read = Callable[[Box], npt.NDArray[Any]]
#: Certainty, depth and mask of a box.
Scores = tuple[Floats, Floats | None, Mask]
Find = Callable[[Scores], Basins]
Place = TypeVar("Place")


class Plane(Protocol):
    """Labels that are read and written by (Y, X) slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(Y, X)."""

    def __getitem__(self, box: Box) -> npt.NDArray[Any]: ...
    def __setitem__(self, box: Box, values: npt.NDArray[Any]) -> None: ...


def label_plane(
    read: Read, out: Plane, rules: CellRules, most_px: int, last_id: int = 0, folder: Path | None = None
) -> int:
    """Label the cells of a plane in windows; every cell is whole, and as `instances.label_cells` has it.

    A connected piece of foreground that fits into a window of `most_px` pixels is looked at whole, with all around it
    that its cells hang on, so the result is that of the whole plane, ids apart. Tissue, where cells touch over a
    larger region, is looked at in blocks that overlap (`crossing.Crossing`). Where the diameter of cells is not known,
    it is measured on what the foreground falls into; tissue then counts as its blocks see it.

    Parameters
    ----------
    read
        Gives the scores of a box.
    out
        The labels are written here; 0 where there may be cells.
    rules
        As for `label_cells`.
    most_px
        Pixels looked at at once.
    last_id
        The first cell gets the next id.
    folder
        What is needed for a while, some 10 bytes a pixel, lies in files here; None: in memory.

    Returns
    -------
    The largest id given, or `last_id` where there is no cell.
    """
    side = max(1, isqrt(most_px) // 2)
    blocks = blocks_of(out.shape, side)
    with room_for(out.shape, bool, folder) as mask:
        plane = _Plane(read, mask, blocks, rules, most_px, side, folder)
        n_inside = plane.read_mask()
        if n_inside in (0, prod(out.shape)):
            for box in blocks if n_inside else ():
                out[box] = np.full(out[box].shape, last_id + 1)
            return last_id + bool(n_inside)
        return plane.label(out, last_id)


def label_class_plane(
    read: Read,
    out: Plane,
    classes: Sequence[int],
    rules: CellRules,
    most_px: int,
    last_id: int = 0,
    folder: Path | None = None,
) -> int:
    """Label the objects of each class of a plane in windows, as `instances.label_classes` has them.

    Parameters
    ----------
    read
        Gives the (Y, X) classes of a box; class 0 holds no objects.
    classes
        All others that there may be, lowest first.
    out, rules, most_px, last_id, folder
        See `label_plane`.
    """
    for value in classes:

        def of_class(box: Box, value: int = value) -> npt.NDArray[Any]:
            return np.asarray(read(box) == value)[None]

        if rules.largest_hole_px == 0:  # then no object reaches into another class
            last_id = label_plane(of_class, out, rules, most_px, last_id, folder)
            continue
        with room_for(out.shape, np.int64, folder) as own:
            last_id = label_plane(of_class, own, rules, most_px, last_id, folder)
            for box in blocks_of(out.shape, isqrt(most_px)):
                there, before = read(box), out[box]
                free = (own[box] > 0) & ((there == value) | (there == 0)) & (before == 0)
                out[box] = np.where(free, own[box], before)
    return last_id


@dataclass(frozen=True, eq=False)
class _Plane:
    read: Read
    mask: Mask
    blocks: list[Box]
    rules: CellRules
    most_px: int
    side: int
    folder: Path | None

    def read_mask(self) -> int:
        """Read what is foreground; its number of pixels."""
        for box in self.blocks:
            self.mask[box] = np.asarray(self.read(box)[0], np.float32) >= self.rules.threshold
        return sum(int(np.count_nonzero(self.mask[box])) for box in self.blocks)

    def label(self, out: Plane, last_id: int) -> int:
        rules, area = self.rules, self.rules.area
        if area is None:
            sizes = self._components(named=False).sizes
            rules = rules.seeing(sizes)
            area = rules.area or typical_area(sizes)
        self._close_holes(rules.largest_hole(area))
        sigma = rules.sigma(area)
        margin = reach(sigma)
        components = self._components()
        whole = fitting(components, margin, self.most_px, out.shape)
        windows = list(windows_of(components, whole, margin, self.most_px, out.shape))
        crossing = None if whole.all() else self._cross(margin, 2 * radius_of(area))
        with queue_in(self.folder) as queue:
            find = partial(_find, sigma)
            found_before = rules.area is None
            if found_before:
                pieces = np.concatenate(list(self._pieces(windows, crossing, find, area, queue)))
                if len(pieces):
                    rules = rules.seeing(pieces)
                    area = rules.area or typical_area(pieces)
                queue.rewind()

            def with_basins(places: Iterable[Place]) -> Iterator[tuple[Place, Basins | None]]:
                for place in places:
                    yield place, queue.take() if found_before else None

            def cells_in(there: tuple[Window, Basins | None]) -> Labels:
                window, basins = there
                scores = self._scores(window.box)
                basins = basins or find(scores)
                return choose_cells(basins, *scores[:2], area, rules, self._own(basins, window))

            for window, labels in zip(windows, in_order(cells_in, with_basins(windows), THREADS), strict=True):
                last_id = _write(out, window.box, labels, last_id)
            if crossing is None:
                return last_id

            def labels_of(there: tuple[Box, Basins | None]) -> Labels:
                box, basins = there
                scores = self._scores(box)
                return choose_cells(basins or find(scores), *scores[:2], area, rules)

            labels_there = in_order(labels_of, with_basins(crossing.boxes()), THREADS)
            return crossing.label(out, labels_there, rules.least(area), last_id)

    def _components(self, named: bool = True) -> Components:
        return connect(lambda i: self.mask[self.blocks[i]], self.blocks, named=named)

    def _cross(self, margin: int, diameter: float) -> Crossing:
        """The components that fit into no window, in blocks of their own."""
        longest = isqrt(self.most_px)
        halo = max(1, min(longest // 4, max(margin, ceil(HALO * diameter))))
        blocks = blocks_of(self.mask.shape, max(1, longest - 2 * halo))
        components = connect(lambda i: self.mask[blocks[i]], blocks)
        large = ~fitting(components, margin, self.most_px, self.mask.shape)
        return Crossing(components, large, self.mask, blocks, halo)

    def _close_holes(self, largest: float) -> None:
        """Fill gaps in the foreground of at most so many pixels that do not reach the border of the image."""
        if largest <= 0:
            return
        gaps = connect(lambda i: ~self.mask[self.blocks[i]], self.blocks, diagonal=True, named=False)
        top, left, bottom, right = gaps.boxes.T
        height, width = self.mask.shape
        inner = (top > 0) & (left > 0) & (bottom < height) & (right < width)
        small = (gaps.sizes <= largest) & inner
        for i, box in enumerate(self.blocks):
            gap = ~self.mask[box]
            self.mask[box] |= gaps.at(i, gap, small)

    def _scores(self, box: Box) -> Scores:
        """What the network says of a box, sure of the holes that were closed, and its mask."""
        inside, *depth = self.read(box)
        certainty, mask = np.array(inside, np.float32), np.array(self.mask[box])
        certainty[mask & (certainty < self.rules.threshold)] = 1
        return certainty, np.asarray(depth[0], np.float32) if depth else None, mask

    def _own(self, basins: Basins, window: Window) -> Mask:
        """Which basins a window answers for."""
        return basins.connected_to(window.pixels(self.mask.shape[1]))

    def _pieces(
        self, windows: list[Window], crossing: Crossing | None, find: Find, area: float, queue: Queue
    ) -> Iterator[Ints]:
        """Areas of what the foreground falls into; the basins are kept, to be asked for again in this order."""
        found = in_order(lambda window: find(self._scores(window.box)), windows, THREADS)
        for window, basins in zip(windows, found, strict=True):
            queue.put(basins)
            areas = basins.areas_of(pieces_of(basins, area))
            yield areas[self._own(basins, window) & (areas > 0)]
        if crossing is None:
            return
        found = in_order(lambda box: find(self._scores(box)), crossing.boxes(), THREADS)
        for (_, inner, ours), basins in zip(crossing.cores(), found, strict=True):
            queue.put(basins)
            yield _mostly_here(basins, basins.labels[inner][ours], area)


def reach(sigma: float) -> int:
    """How far around a component its landscape hangs on what is there.

    Its smoothing reaches 4 sigma, along both axes; the height of another component's pixels there on the distance to
    the background, some of which lies between the two.
    """
    support = 4 * sigma + 1
    return ceil(support * (1 + 2**0.5)) + 3


def _find(sigma: float, scores: Scores) -> Basins:
    certainty, depth, mask = scores
    return find_basins(mask, certainty, depth, sigma)


def _mostly_here(basins: Basins, here: Labels, area: float) -> Ints:
    """Pixels of the pieces of which at least half are here; `here` are the basins of our own pixels."""
    pieces = pieces_of(basins, area)
    areas, ours = basins.areas_of(pieces), np.bincount(pieces[here.ravel()], minlength=len(pieces))
    areas[0] = 0  # the outside
    return areas[(areas > 0) & (2 * ours >= areas)]


def _write(out: Plane, box: Box, labels: Labels, last_id: int) -> int:
    """Write labels 1, 2, ... under new ids; the last one."""
    n = int(labels.max(initial=0))
    if n:
        out[box] = np.where(labels > 0, labels + np.int64(last_id), out[box].astype(np.int64))
    return last_id + n

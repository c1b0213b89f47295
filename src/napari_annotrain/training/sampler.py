from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.area import Area
from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.growth import Fresh
from napari_annotrain.tiles.grid import Box, read_mirrored

#: Annotated pixels remembered of each class and area, evenly spread; more would not sample any better.
MOST_POSITIONS = 20_000
#: The annotated pixel that a patch is cut around lies within this share of the patch's side from its middle.
OFF_CENTRE = 0.35
#: Areas are kept in memory, normalised, while all together take no more bytes than this.
MOST_CACHED = 400_000_000
#: What was painted while training went on: this share of the patches is cut there at first, falling to none over so
#: many steps. It has its usual share besides.
FRESH_SHARE, FRESH_STEPS = 0.5, 300
#: In the place of a class: annotated, but held out or in another area; or mirrored, beyond the image.
NOT_LEARNT = -1
#: (C, Y, X) image and (2 or 3, Y, X) maps of one window.
_Cut = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
#: Pixels, one a row.
_Positions = npt.NDArray[np.int64]
#: Where an area lies: image, T, Z, and (start, stop) along Y and X.
_Place = tuple[int, int, int, tuple[int, int], tuple[int, int]]
#: A plane: image, T, Z.
_Plane = tuple[int, int, int]


@dataclass(frozen=True)
class Windows:
    """Windows around annotated pixels, not yet deformed.

    Attributes
    ----------
    images
        (B, C, S, S) float32, normalised; mirrored where the image ends.
    maps
        (B, 2 or 3, S, S) float32: class index + 1 (0: not annotated, -1: nothing is to be learnt here, as annotation is
        held out or the image has ended), weight, and for cells their distance map.
    """

    images: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]


class Sampler:
    """Cuts windows around annotated pixels, every class equally often, and reads nothing else.

    Parameters
    ----------
    dataset
        What is annotated; held-out pixels, and those of other areas in a window, are not learnt.
    patch
        Side of the patches that the windows are for, in px.
    window
        Side of the windows, in px (`augment.window_size`).
    """

    def __init__(self, dataset: AnnotatedDataset, patch: int, window: int) -> None:
        self._dataset, self._patch, self._window = dataset, patch, window
        self._images: dict[_Place, npt.NDArray[np.float32]] = {}
        self._maps: dict[int, npt.NDArray[np.float32]] = {}
        self._room = MOST_CACHED
        self._found: dict[int, tuple[Area, list[_Positions]]] = {}
        self._fresh: list[tuple[int, Fresh]] = []
        self._fresh_positions: list[_Positions] = []
        self._find_all()

    def grown(self, dataset: AnnotatedDataset, fresh: Sequence[Fresh], step: int) -> "Sampler":
        """A sampler of the same annotation with what was painted before this step; that is seen more often at first.

        `FRESH_SHARE` of the patches of this step are cut where it was painted, every class equally often, and fewer
        and fewer with each step: none after `FRESH_STEPS`.
        """
        made = Sampler.__new__(Sampler)
        made._dataset, made._patch, made._window = dataset, self._patch, self._window
        places = {_place(area) for area in dataset.areas}
        made._images = {place: image for place, image in self._images.items() if place in places}
        made._maps = {}
        made._room = MOST_CACHED - sum(image.nbytes for image in made._images.values())
        made._found = self._found
        made._fresh = [(born, one) for born, one in self._fresh if step - born < FRESH_STEPS]
        made._fresh += [(step, one) for one in fresh]
        made._find_all()
        return made

    def draw(self, rng: np.random.Generator, batch: int, step: int = 0) -> Windows:
        """Cut the batch of a step; the same generator state gives the same batch."""
        n_channels, side = self._dataset.images[0].stack.n_channels, self._window
        images = np.empty((batch, n_channels, side, side), np.float32)
        maps = np.empty((batch, 2 + len(self._dataset.distances), side, side), np.float32)
        for i in range(batch):
            images[i], maps[i] = self._cut(*self._choose(rng, step))
        return Windows(images, maps)

    def _choose(self, rng: np.random.Generator, step: int) -> tuple[int, Box]:
        """An area, and a window near one of its annotated pixels."""
        share = self._share_of_fresh(step)
        of = self._fresh_positions if share > 0 and rng.random() < share else self._positions
        positions = of[rng.integers(len(of))]
        area, y, x = positions[rng.integers(len(positions))]
        off = rng.integers(-int(self._patch * OFF_CENTRE), int(self._patch * OFF_CENTRE) + 1, 2)
        box = self._dataset.areas[area].box
        start = np.array([box[0].start + y, box[1].start + x]) + off - self._window // 2
        return int(area), tuple(slice(int(s), int(s) + self._window) for s in start)  # type: ignore[return-value]

    def _share_of_fresh(self, step: int) -> float:
        """Share of the patches that are cut where something was painted not long ago."""
        if not self._fresh_positions:
            return 0.0
        age = step - max(born for born, _ in self._fresh)
        return FRESH_SHARE * max(0.0, 1 - age / FRESH_STEPS)

    def _cut(self, index: int, window: Box) -> _Cut:
        area, side = self._dataset.areas[index], self._window
        if index not in self._maps:
            on_plane = self._on_plane[_plane(area)]
            wide = tuple(slice(s.start - side, s.stop + side) for s in area.box)
            n_pixels = int(np.prod([s.stop - s.start for s in wide]))
            place, n_maps = _place(area), 2 + len(self._dataset.distances)
            n_new = n_maps + (place not in self._images) * self._dataset.images[area.image].stack.n_channels
            if 4 * n_new * n_pixels > self._room:
                return read_normalised(self._dataset, area, window), _read_maps(self._dataset, area, window, on_plane)
            self._room -= 4 * n_new * n_pixels
            if place not in self._images:
                self._images[place] = read_normalised(self._dataset, area, wide)  # type: ignore[arg-type]
            self._maps[index] = _read_maps(self._dataset, area, wide, on_plane)  # type: ignore[arg-type]
        y, x = (slice(w.start - b.start + side, w.stop - b.start + side) for w, b in zip(window, area.box, strict=True))
        return self._images[_place(area)][:, y, x], self._maps[index][:, y, x]

    def _find_all(self) -> None:
        """Find the positions of every class; those of areas that have not changed are known."""
        n_classes = len(self._dataset.classes)
        known, self._found = self._found, {}
        found: list[list[_Positions]] = [[] for _ in range(n_classes)]
        self._on_plane: dict[_Plane, list[Area]] = {}
        for index, area in enumerate(self._dataset.areas):
            self._on_plane.setdefault(_plane(area), []).append(area)
            before = known.get(id(area.target))
            same = before is not None and before[0].held_out is area.held_out
            own = before[1] if before is not None and same else [_positions(area, k) for k in range(n_classes)]
            self._found[id(area.target)] = area, own
            for k, yx in enumerate(own):
                found[k].append(_of_area(index, yx))
        self._positions = [np.concatenate(one) for one in found]
        self._fresh_positions = self._find_fresh()

    def _find_fresh(self) -> list[_Positions]:
        """Positions of every class that has some where something was painted not long ago."""
        found: list[list[_Positions]] = [[] for _ in self._dataset.classes]
        for index, area in enumerate(self._dataset.areas):
            inside = np.zeros(area.target.shape, bool)
            for _, one in self._fresh:
                if (one.image, one.t, one.z) == _plane(area):
                    inside[_overlap(area.box, one.box)[0]] = True
            for k, positions in enumerate(found):
                positions.append(_of_area(index, _positions(area, k, inside) if inside.any() else NOWHERE))
        joined = [np.concatenate(one) for one in found]
        return [positions for positions in joined if len(positions)]


NOWHERE: npt.NDArray[np.int64] = np.empty((0, 2), np.int64)


def _plane(area: Area) -> _Plane:
    return area.image, area.t, area.z


def _place(area: Area) -> _Place:
    y, x = area.box
    return *_plane(area), (y.start, y.stop), (x.start, x.stop)


def _positions(area: Area, k: int, inside: npt.NDArray[np.bool_] | None = None) -> _Positions:
    """(N, 2) y, x of annotated pixels of a class, in the area's own coordinates."""
    of_class = (area.target == k) & ~area.held_out
    flat = np.flatnonzero(of_class if inside is None else of_class & inside)
    flat = flat[:: -(-len(flat) // MOST_POSITIONS) or 1]
    return np.stack(np.divmod(flat, area.target.shape[1]), axis=1)


def _of_area(index: int, yx: _Positions) -> _Positions:
    """(N, 3) area, y, x."""
    return np.column_stack([np.full(len(yx), index, yx.dtype), yx])


def _read_maps(dataset: AnnotatedDataset, area: Area, window: Box, on_plane: Sequence[Area]) -> npt.NDArray[np.float32]:
    """Target and weight of an area's pixels, in a window; what is held out, or another area's, is not to be learnt.

    Nor is what lies beyond the image: it repeats what lies within, and what is annotated there.
    """
    maps = np.zeros((2 + len(dataset.distances), *(s.stop - s.start for s in window)), np.float32)
    inside, _ = _overlap(window, tuple(slice(0, n) for n in dataset.images[area.image].stack.shape[-2:]))  # type: ignore[arg-type]
    maps[0] = NOT_LEARNT
    maps[0][inside] = 0
    for other in on_plane:
        if all(w.start < b.stop and b.start < w.stop for w, b in zip(window, other.box, strict=True)):
            here, there = _overlap(window, other.box)
            maps[0][here][other.target[there] >= 0] = NOT_LEARNT
    here, there = _overlap(window, area.box)
    learnt = (area.target[there] >= 0) & ~area.held_out[there]
    maps[0][here][learnt] = area.target[there][learnt] + 1
    np.multiply(area.weight_in(there), learnt, out=maps[1][here])
    if area.distance is not None:
        maps[2][here] = area.distance[there]
    return maps


def read_normalised(dataset: AnnotatedDataset, area: Area, window: Box) -> npt.NDArray[np.float32]:
    """Read a window of an area's plane, mirrored where the image ends and normalised: (C, Y, X) float32."""
    stack = dataset.images[area.image].stack

    def read(box: Box) -> npt.NDArray[np.generic]:
        return stack.read(area.t, (slice(area.z, area.z + 1), *box))[:, 0]

    return dataset.normalisations[area.image].apply(read_mirrored(read, stack.shape[-2:], window))


def _overlap(window: Box, box: Box) -> tuple[Box, Box]:
    """Where a window and a box meet: in the window's own coordinates, and in the box's."""
    start = [max(w.start, b.start) for w, b in zip(window, box, strict=True)]
    stop = [max(s, min(w.stop, b.stop)) for s, w, b in zip(start, window, box, strict=True)]
    here = tuple(slice(s - w.start, e - w.start) for s, e, w in zip(start, stop, window, strict=True))
    there = tuple(slice(s - b.start, e - b.start) for s, e, b in zip(start, stop, box, strict=True))
    return here, there  # type: ignore[return-value]

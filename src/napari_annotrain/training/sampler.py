from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.area import Area
from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.tiles.grid import Box, read_mirrored

#: Annotated pixels remembered of each class and area, evenly spread; more would not sample any better.
MOST_POSITIONS = 20_000
#: The annotated pixel that a patch is cut around lies within this share of the patch's side from its middle.
OFF_CENTRE = 0.35
#: Areas are kept in memory, normalised, while all together take no more bytes than this.
MOST_CACHED = 400_000_000
#: (C, Y, X) image and (2 or 3, Y, X) maps of one window.
_Cut = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Windows:
    """Windows around annotated pixels, not yet deformed.

    Attributes
    ----------
    images
        (B, C, S, S) float32, normalised; mirrored where the image ends.
    maps
        (B, 2 or 3, S, S) float32: class index + 1 (0: not annotated), weight, and for cells their distance map.
    """

    images: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]


class Sampler:
    """Cuts windows around annotated pixels, every class equally often, and reads nothing else.

    Parameters
    ----------
    dataset
        What is annotated; held-out pixels are shown as not annotated.
    patch
        Side of the patches that the windows are for, in px.
    window
        Side of the windows, in px (`augment.window_size`).
    """

    def __init__(self, dataset: AnnotatedDataset, patch: int, window: int) -> None:
        self._dataset, self._patch, self._window = dataset, patch, window
        self._positions = [self._find(k) for k in range(len(dataset.classes))]
        self._cache: dict[int, _Cut] = {}
        self._room = MOST_CACHED

    def draw(self, rng: np.random.Generator, batch: int) -> Windows:
        """Cut a batch of windows; the same generator state gives the same batch."""
        n_channels, side = self._dataset.images[0].stack.n_channels, self._window
        images = np.empty((batch, n_channels, side, side), np.float32)
        maps = np.empty((batch, 2 + len(self._dataset.distances), side, side), np.float32)
        for i in range(batch):
            images[i], maps[i] = self._cut(*self._choose(rng))
        return Windows(images, maps)

    def _choose(self, rng: np.random.Generator) -> tuple[int, Box]:
        """An area, and a window near one of its annotated pixels."""
        positions = self._positions[rng.integers(len(self._positions))]
        area, y, x = positions[rng.integers(len(positions))]
        off = rng.integers(-int(self._patch * OFF_CENTRE), int(self._patch * OFF_CENTRE) + 1, 2)
        box = self._dataset.areas[area].box
        start = np.array([box[0].start + y, box[1].start + x]) + off - self._window // 2
        return int(area), tuple(slice(int(s), int(s) + self._window) for s in start)  # type: ignore[return-value]

    def _cut(self, index: int, window: Box) -> _Cut:
        if index not in self._cache:
            area, side = self._dataset.areas[index], self._window
            wide = tuple(slice(s.start - side, s.stop + side) for s in area.box)
            n_maps = self._dataset.images[area.image].stack.n_channels + 2 + len(self._dataset.distances)
            n_bytes = 4 * n_maps * int(np.prod([s.stop - s.start for s in wide]))
            if n_bytes > self._room:
                return _read(self._dataset, area, window)
            self._room -= n_bytes
            self._cache[index] = _read(self._dataset, area, wide)  # type: ignore[arg-type]
        box = self._dataset.areas[index].box
        y, x = (
            slice(w.start - b.start + self._window, w.stop - b.start + self._window)
            for w, b in zip(window, box, strict=True)
        )
        image, maps = self._cache[index]
        return image[:, y, x], maps[:, y, x]

    def _find(self, k: int) -> npt.NDArray[np.int64]:
        """(N, 3) area, y, x of annotated pixels of a class, in its areas' own coordinates."""
        found = []
        for index, area in enumerate(self._dataset.areas):
            flat = np.flatnonzero((area.target == k) & ~area.held_out)
            flat = flat[:: -(-len(flat) // MOST_POSITIONS) or 1]
            y, x = np.divmod(flat, area.target.shape[1])
            found.append(np.stack([np.full_like(y, index), y, x], axis=1))
        return np.concatenate(found)


def _read(dataset: AnnotatedDataset, area: Area, window: Box) -> _Cut:
    """Image, and target and weight of an area's pixels, in a window; what is held out is shown as not annotated."""
    here, there = _overlap(window, area.box)
    maps = np.zeros((2 + len(dataset.distances), *(s.stop - s.start for s in window)), np.float32)
    shown = (area.target[there] + 1) * ~area.held_out[there]
    maps[0][here] = shown
    np.multiply(area.weight[there], shown > 0, out=maps[1][here])
    if area.distance is not None:
        maps[2][here] = area.distance[there]
    return read_normalised(dataset, area, window), maps


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

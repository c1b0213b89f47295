"""Cells of planes that do not fit into memory: what the network makes of a plane goes to the disk first."""

import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_annotrain.api.under_way import UnderWay, kind_of, stored_as
from napari_annotrain.data.filling import part_of
from napari_annotrain.data.places import refusing
from napari_annotrain.data.plane import one_plane
from napari_annotrain.data.stack import Stack, paste, take
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import BlockDone, Computed, Event, Note, Region, Separating, Started, TileDone
from napari_annotrain.inference.cells import CellDecoder, Read
from napari_annotrain.inference.nearest import Look, nearest_plane
from napari_annotrain.inference.rescale import rescale
from napari_annotrain.inference.tile_size import choose_window
from napari_annotrain.net.model import Model
from napari_annotrain.objects.components import Box, blocks_of
from napari_annotrain.specs import PredictSpec

#: Bytes a pixel that planes take on their way through memory: two maps in half precision of the one that is computed,
#: and of the one before, whose labels, mask and basins are found, and written.
ON_THE_WAY = 24
#: Share of the memory that a plane may take.
PLANE_SHARE = 0.5

#: So often it is said that cells are being told apart.
SECONDS_BETWEEN = 0.3
#: Streams one plane with other settings to a place of its own (`streaming.iter_stream`).
Stream = Callable[..., Generator[Event]]


def is_large(model: Model, stack: Stack, spec: PredictSpec) -> bool:
    """Whether the planes of a prediction of cells are passed over the disk; never those that are rescaled."""
    box = slice(0, stack.shape[-2]), slice(0, stack.shape[-1])
    if kind_of(model, spec) != "cells" or rescale(model.card, stack, spec, box).scale != 1:
        return False
    return prod(stack.shape[-2:]) * ON_THE_WAY > spec.memory * PLANE_SHARE


def iter_planes(way: UnderWay, stream: Stream, focus: Callable[[], Look]) -> Generator[Event]:
    """Fill a result plane by plane: the scores of one are streamed to the disk, and cells told apart in windows.

    Both go on where they were interrupted: the network with the tiles it has not seen, telling apart with the plane.
    What somebody looks at comes first: that plane, and of it what is seen.

    Yields
    ------
    `Computed` for every tile, and a `BlockDone` for every plane.
    """
    card, kind = way.model.card, "probabilities" if way.model.card.target == "cells" else "classes"
    n_t, _, n_z, *plane = way.stack.shape
    box = slice(0, plane[0]), slice(0, plane[1])
    diameter = rescale(card, way.stack, way.spec, box).diameter_px
    cells = CellDecoder(card, way.spec.cells, diameter, choose_window(way.spec), way.filling.finished.last_id)
    spec = way.spec.model_copy(update={"output": kind})
    finished = way.filling.finished
    left = [(t, z) for t, z in product(range(n_t), range(n_z)) if not finished.has(t, z, box)]
    tell = _Teller(n_t * n_z, n_t * n_z - len(left))
    while left:
        t, z = nearest_plane(left, focus())
        left.remove((t, z))
        one = one_plane(way.stack, t, z)
        place = part_of(way.filling.path, f"scores-{way.filling.store.name}-{t}-{z}")
        how = {"resume": True, "normalisation": way.normalisation, "focus": partial(_look, focus), "levels": False}
        with closing(stream(way.model, one, spec, place, **how)) as events:
            yield from tell.of_plane(events)
        scores, (axes, _) = zarr.open_array(place, path="0", mode="r"), stored_as(way.model, one, spec)
        region = slice(t, t + 1), slice(z, z + 1), *box
        with refusing(way.filling.path):
            out = _PlaneOf(way.filling.level, way.filling.axes, region)
            for part in blocks_of(plane, 4096):  # what an interrupted run has written
                out[part] = np.zeros(1, way.filling.level.dtype)
            last_id = yield from _separate(cells, _reader(scores, axes), out, place.parent)
        way.filling.note(region, last_id)
        with refusing(way.filling.path):
            shutil.rmtree(place)
        yield tell.whole(region, last_id)


def _separate(cells: CellDecoder, read: Read, out: "_PlaneOf", folder: Path) -> Generator[Event, None, int]:
    """Tell the cells of a plane apart, saying so again and again; closed, it ends with the present window."""
    stop = Flag()

    def read_on(box: Box) -> npt.NDArray[Any]:
        if stop.is_set():
            raise AnnotrainError("Telling cells apart was stopped.")
        return read(box)

    with ThreadPoolExecutor(1, "annotrain-planes") as thread:
        under_way = thread.submit(cells.decode_into, read_on, out, folder)
        try:
            while not wait([under_way], SECONDS_BETWEEN).done:
                yield Separating()
        finally:
            stop.set()
        return under_way.result()


def _look(focus: Callable[[], Look]) -> Look:
    """Where somebody looks, in the only plane there is."""
    look = focus()
    return None if look is None else (0, 0, *look[2:])


class _Teller:
    """Tells of the tiles of each plane as of those of all planes; of what is said in words only once."""

    def __init__(self, planes: int, done: int) -> None:
        self._planes, self._done = planes, done
        self._tiles = 1  # of a plane
        self._said: set[Event] = set()
        self._started = False

    def of_plane(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            match event:
                case Started():
                    self._tiles = max(self._tiles, event.total or 1)
                    if not self._started:
                        yield replace(event, total=self._planes * self._tiles)
                    self._started = True
                case TileDone() | BlockDone():
                    self._tiles = max(self._tiles, event.total)
                    yield Computed(self._done * self._tiles + event.done, self._planes * self._tiles)
                case Note():
                    if event not in self._said:
                        yield event
                    self._said.add(event)

    def whole(self, region: Region, last_id: int) -> Event:
        self._done += 1
        return BlockDone(region, last_id, self._done * self._tiles, self._planes * self._tiles)


def _reader(scores: zarr.Array, axes: str) -> Callable[[Box], npt.NDArray[Any]]:
    def read(box: Box) -> npt.NDArray[Any]:
        values = take(scores, axes, (slice(0, 1), slice(0, 1), *box))[..., 0, 0, :, :]
        return values.astype(np.float16 if values.dtype.kind == "f" else values.dtype)

    return read


@dataclass(frozen=True)
class _PlaneOf:
    """One plane of a result, by (Y, X) slices."""

    level: Any
    axes: str
    region: Region

    @property
    def shape(self) -> tuple[int, int]:
        return self.region[2].stop, self.region[3].stop

    def __getitem__(self, box: Box) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = take(self.level, self.axes, (*self.region[:2], *box))[0, 0]
        return values

    def __setitem__(self, box: Box, values: npt.NDArray[Any]) -> None:
        shape = tuple(s.stop - s.start for s in box)
        paste(self.level, self.axes, (*self.region[:2], *box), np.broadcast_to(values, shape)[None, None])

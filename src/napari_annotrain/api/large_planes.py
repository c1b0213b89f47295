"""Cells of planes that do not fit into memory: what the network makes of a plane goes to the disk first."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_annotrain.api.under_way import UnderWay, stored_as
from napari_annotrain.data.filling import part_of
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.places import refusing
from napari_annotrain.data.plane import one_plane
from napari_annotrain.data.stack import Stack, paste, take
from napari_annotrain.events import BlockDone, Computed, Event, Note, OnEvent, Region, Started, TileDone
from napari_annotrain.inference.cells import CellDecoder
from napari_annotrain.inference.rescale import rescale
from napari_annotrain.inference.tile_size import choose_window
from napari_annotrain.objects.components import Box, blocks_of
from napari_annotrain.specs import PredictSpec

#: Bytes a pixel that a plane takes on its way through memory: two maps in half precision, labels, and these as written.
ON_THE_WAY = 16
#: Share of the memory that a plane may take.
PLANE_SHARE = 0.5

#: Streams one plane with other settings to a place of its own: stack, settings, place, intensities, who is told.
Stream = Callable[[Stack, PredictSpec, Any, Normalisation, OnEvent], zarr.Array]


def is_large(way: UnderWay) -> bool:
    """Whether the planes of a prediction of cells are passed over the disk; never those that are rescaled."""
    box = slice(0, way.stack.shape[-2]), slice(0, way.stack.shape[-1])
    if not way.cells or rescale(way.model.card, way.stack, way.spec, box).scale != 1:
        return False
    return prod(way.stack.shape[-2:]) * ON_THE_WAY > way.spec.memory * PLANE_SHARE


def fill_planes(way: UnderWay, stream: Stream, on_event: OnEvent | None) -> None:
    """Fill a result plane by plane: the scores of one are streamed to the disk, and cells told apart in windows.

    Both go on where they were interrupted: the network with the tiles it has not seen, telling apart with the plane.
    """
    card, kind = way.model.card, "probabilities" if way.model.card.target == "cells" else "classes"
    n_t, _, n_z, *plane = way.stack.shape
    box = slice(0, plane[0]), slice(0, plane[1])
    diameter = rescale(card, way.stack, way.spec, box).diameter_px
    cells = CellDecoder(card, way.spec.cells, diameter, choose_window(way.spec), way.filling.finished.last_id)
    spec = way.spec.model_copy(update={"output": kind})
    tell = _Teller(on_event, n_t * n_z)
    for i, (t, z) in enumerate(product(range(n_t), range(n_z))):
        if way.filling.finished.has(t, z, box):
            continue
        one = one_plane(way.stack, t, z)
        place = part_of(way.filling.path, f"scores-{way.filling.store.name}-{t}-{z}")
        scores = stream(one, spec, place, way.normalisation, tell.of_plane(i))
        axes, _ = stored_as(way.model, one, spec)
        region = slice(t, t + 1), slice(z, z + 1), *box
        with refusing(way.filling.path):
            out = _PlaneOf(way.filling.level, way.filling.axes, region)
            for part in blocks_of(plane, 4096):  # what an interrupted run has written
                out[part] = np.zeros(1, way.filling.level.dtype)
            last_id = cells.decode_into(_reader(scores, axes), out, place.parent)
        way.filling.note(region, last_id)
        with refusing(way.filling.path):
            shutil.rmtree(place)


class _Teller:
    """Tells of the tiles of each plane as of those of all planes; of what is said in words only once."""

    def __init__(self, on_event: OnEvent | None, planes: int) -> None:
        self._on_event, self._planes = on_event or (lambda event: None), planes
        self._said: set[Event] = set()
        self._started = False

    def of_plane(self, plane: int) -> OnEvent:
        def tell(event: Event) -> None:
            match event:
                case Started():
                    if not self._started:
                        self._on_event(replace(event, total=self._planes * (event.total or 1)))
                    self._started = True
                case TileDone() | BlockDone():
                    self._on_event(Computed(plane * event.total + event.done, self._planes * event.total))
                case Note():
                    if event not in self._said:
                        self._on_event(event)
                    self._said.add(event)
                case _:
                    self._on_event(event)

        return tell


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

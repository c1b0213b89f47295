"""A result too large for the memory: it grows on the disk, and is known again by what it is made of."""

import hashlib
import json
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_annotrain.api.clusters import iter_blocks
from napari_annotrain.api.predicting import iter_prediction
from napari_annotrain.api.under_way import ATTRIBUTE, UnderWay, begin, go_on, id_type, identity, run_of
from napari_annotrain.data.filling import alone, forget, place_of, tidy, unfinished
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.record import Finished, Record
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Completing, Done, Event, TileDone
from napari_annotrain.inference.nearest import Look
from napari_annotrain.inference.results import output_of
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: Where an OME-Zarr of ours says up to where ids of cells are taken.
LAST_ID = f"{ATTRIBUTE}_last_id"
#: Of an image's name, so many letters stand in that of its results.
MOST_LETTERS = 60


@dataclass(frozen=True)
class Stored:
    """A result on the disk: complete, on its way, or not yet begun.

    Attributes
    ----------
    path
        Where it lies when it is complete.
    run
        What it is made of (`under_way.identity`).
    complete
        Whether it is.
    begun
        Whether an interrupted run has left something of it.
    finished
        What that run has finished; of a complete one only the largest id is told.
    """

    path: Path
    run: Mapping[str, Any] = field(repr=False)
    complete: bool = False
    begun: bool = False
    finished: Finished = field(repr=False, default_factory=Finished)


def find_stored(model: Model, stack: Stack, spec: PredictSpec, folder: Path) -> Stored:
    """Find what there is in a folder of a result: its name is that of the image and a digest of what it is made of."""
    run = identity(model, stack, spec, bool(spec.scheduler))
    digest = hashlib.blake2b(json.dumps(run, sort_keys=True).encode(), digest_size=6).hexdigest()
    name = re.sub(r"[^\w.-]+", "-", stack.name).strip(".-")[:MOST_LETTERS] or "image"
    path = folder / f"{name}-{digest}.ome.zarr"
    if run_of(path) == run:
        tidy(path)
        last_id = zarr.open_group(path, mode="r").attrs.get(LAST_ID, 0)
        return Stored(path, run, complete=True, finished=Finished(last_id=int(str(last_id))))
    if unfinished(path) is None:
        return Stored(path, run)
    return Stored(path, run, begun=True, finished=Record(place_of(path)).finished())


def type_stored(model: Model, stack: Stack, spec: PredictSpec) -> np.dtype[Any]:
    """Type of a result on the disk: ids of cells may need more room there than in the memory."""
    kind, dtype, _ = output_of(model.card, spec.output)
    return id_type(stack) if kind == "cells" else dtype


def iter_stored(
    model: Model,
    stack: Stack,
    stored: Stored,
    *,
    spec: PredictSpec,
    normalisation: Normalisation | None = None,
    focus: Callable[[], Look] = lambda: None,
) -> Generator[Event]:
    """Predict into an OME-Zarr, as a generator: `Started`, `TileDone`s or `BlockDone`s, `Completing`, `Done(path)`.

    Each of the pieces is on the disk before its event. Whatever ends the generator, what is finished is kept; where
    that is nothing, nothing is left behind. On a cluster (`spec.scheduler`) the workers must see the place.

    Parameters
    ----------
    stored
        From `find_stored`. A complete one is done at once; one that has begun goes on, with the tiles and the
        intensities of its first run.
    normalisation
        For one that has not begun, from `measure_normalisation`.
    focus
        As in `iter_prediction`.

    Raises
    ------
    AnnotrainError
        The place cannot be written, or the prediction fails.
    """
    if stored.complete:
        yield Done(stored.path)
        return
    with alone(stored.path):
        left = unfinished(stored.path)
        if left is None:
            # what lies there under this name and is not this result is a damaged one
            way = begin(stored.run, model, stack, spec, stored.path, True, normalisation)
        else:
            way = go_on(left, stored.run, model, stack, spec, stored.path)
        try:
            with closing(_pieces(way, focus)) as events:
                for event in events:
                    if isinstance(event, TileDone):
                        way.filling.write(event.write, event.result, way.cells)
                    if not isinstance(event, Done):
                        yield event
            yield Completing()
            last_id = Record(place_of(stored.path)).finished().last_id
            way.filling.complete({ATTRIBUTE: stored.run, LAST_ID: last_id})
        except BaseException:
            if not way.filling.has_something:
                forget(stored.path)
            raise
    yield Done(stored.path)


def _pieces(way: UnderWay, focus: Callable[[], Look]) -> Generator[Event]:
    if way.spec.scheduler:
        return iter_blocks(way, way.spec.scheduler)
    return iter_prediction(
        way.model,
        way.stack,
        spec=way.spec,
        normalisation=way.normalisation,
        finished=way.filling.finished,
        focus=focus,
    )

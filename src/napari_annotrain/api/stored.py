"""A result too large for the memory: it grows on the disk, and is known again by what it is made of."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_annotrain.api.large_planes import is_large
from napari_annotrain.api.under_way import LAST_ID, id_type, identity, run_of
from napari_annotrain.data.filling import place_of, tidy, unfinished
from napari_annotrain.data.record import Finished, Record
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference.results import output_of
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: A result that takes more than this share of the memory a prediction may use grows on the disk: tiles take the rest.
SHARE = 0.5
#: Of an image's name, so many letters stand in that of its results.
MOST_LETTERS = 60


@dataclass(frozen=True)
class Stored:
    """A result on the disk: complete, on its way, or not yet begun.

    Attributes
    ----------
    path
        Where it lies when it is complete.
    complete
        Whether it is.
    begun
        Whether an interrupted run has left something of it.
    finished
        What that run has finished; of a complete one only the largest id is told.
    """

    path: Path
    complete: bool = False
    begun: bool = False
    finished: Finished = field(repr=False, default_factory=Finished)


def find_stored(model: Model, stack: Stack, spec: PredictSpec, folder: Path) -> Stored:
    """Find what there is in a folder of a result: its name is that of the image and a digest of what it is made of."""
    run = identity(model, stack, spec)
    digest = hashlib.blake2b(json.dumps(run, sort_keys=True).encode(), digest_size=6).hexdigest()
    name = re.sub(r"[^\w.-]+", "-", stack.name).strip(".-")[:MOST_LETTERS] or "image"
    path = folder / f"{name}-{digest}.ome.zarr"
    if run_of(path) == run:
        tidy(path)
        return Stored(path, complete=True, finished=Finished(last_id=last_id_of(path)))
    if unfinished(path) is None:
        return Stored(path)
    return Stored(path, begun=True, finished=Record(place_of(path)).finished())


def last_id_of(path: Path) -> int:
    """Up to where ids of cells are taken in a result, complete or on its way; 0 where there is none."""
    if run_of(path) is None:
        return Record(place_of(path)).finished().last_id
    return int(str(zarr.open_group(path, mode="r").attrs.get(LAST_ID, 0)))


def is_for_disk(model: Model, stack: Stack, spec: PredictSpec) -> bool:
    """Whether a result is too large for the memory, or what becomes of a plane of it on the way."""
    _, dtype, channels = output_of(model.card, spec.output)
    n_bytes = prod(stack.label_shape) * max(channels, 1) * dtype.itemsize
    return n_bytes > SHARE * spec.memory or is_large(model, stack, spec)


def type_stored(model: Model, stack: Stack, spec: PredictSpec) -> np.dtype[Any]:
    """Type of a result on the disk: ids of cells may need more room there than in the memory."""
    kind, dtype, _ = output_of(model.card, spec.output)
    return id_type(stack) if kind == "cells" else dtype

"""Prediction from disk to disk: bounded memory, and what is finished is never computed again."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import napari_annotrain
from napari_annotrain.api.predicting import iter_prediction, measure_normalisation, write_behind
from napari_annotrain.data import filling as fillings
from napari_annotrain.data.filling import Filling
from napari_annotrain.data.ngff import CHUNK_PX, valid_order
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.record import Region, piece_of
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.validation import fingerprint
from napari_annotrain.data.writing import check_writable
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import BlockDone, OnEvent, TileDone
from napari_annotrain.inference.results import output_of
from napari_annotrain.inference.segment import plan_tiles
from napari_annotrain.net.model import Model, digest
from napari_annotrain.specs import PredictSpec

#: Side of the blocks that a cluster computes, about.
BLOCK_PX = 2048
#: Cells of fewer pixels on the average would be crumbs: what decides how large their ids may become.
LEAST_CELL_PX = 16
#: Where an OME-Zarr of ours says how it was made.
ATTRIBUTE = "napari_annotrain"


@dataclass(frozen=True)
class Conduct:
    """How a prediction behaves beside what it computes.

    Attributes
    ----------
    scheduler
        See `inference.distributed.run_blocks`; None: this process computes.
    resume
        Go on with what an interrupted run left.
    overwrite
        Replace a result that is there, or what is left of one.
    on_event
        Called with every event.
    """

    scheduler: str | None = None
    resume: bool = False
    overwrite: bool = False
    on_event: OnEvent | None = None


def stream(model: Model, stack: Stack, spec: PredictSpec, out: Path, how: Conduct) -> zarr.Array:
    """Predict into an OME-Zarr, piece by piece; it appears under its name when it is complete.

    What is finished of an interrupted run lies beside it until then.

    Raises
    ------
    AnnotrainError
        There is something in the way, what was left belongs to another run, or the prediction fails.
    """
    run = _identity(model, stack, spec, how.scheduler is not None)
    if how.resume and out.exists():
        _check_same(_run_of(out), run, out)
        return _level(out)
    left = fillings.unfinished(out)
    if left is not None and not how.resume and not how.overwrite:
        raise AnnotrainError(f"An interrupted run left an unfinished {out}: resume it, or allow it to be overwritten.")
    if left is not None and how.resume:
        way = _go_on(left, run, model, stack, spec, out)
    else:
        way = _begin(run, model, stack, spec, out, how.overwrite)
    with _keeping(way.filling):
        if how.scheduler is None:
            _compute(way, how.on_event)
        else:
            _distribute(way, how.scheduler, how.on_event)
        way.filling.complete({ATTRIBUTE: run})
    return _level(out)


@dataclass(frozen=True)
class _Way:
    """A result on its way, and how it is computed."""

    filling: Filling
    model: Model
    stack: Stack
    spec: PredictSpec
    normalisation: Normalisation
    by_plane: bool

    @property
    def cells(self) -> bool:
        return _kind(self.model, self.spec) == "cells"


def _begin(run: Mapping[str, Any], model: Model, stack: Stack, spec: PredictSpec, out: Path, overwrite: bool) -> _Way:
    kind, dtype, _ = output_of(model.card, spec.output)
    axes, shape = stored_as(model, stack, spec)
    spec, by_plane = plan_tiles(model, stack, spec)
    check_writable(out, overwrite, shape, axes, dtype)  # before the image is measured
    normalisation = measure_normalisation(model, stack)
    about = {"run": run, "tile": spec.tile, "precision": spec.precision, "normalisation": asdict(normalisation)}
    made = _id_type(stack) if kind == "cells" else dtype
    chunk = CHUNK_PX if by_plane else _divide(int(spec.tile))
    filling = fillings.begin(out, shape, made, axes, about, stack.pixel_um, chunk, overwrite)
    return _Way(filling, model, stack, spec, normalisation, by_plane)


def _go_on(
    left: Mapping[str, Any], run: Mapping[str, Any], model: Model, stack: Stack, spec: PredictSpec, out: Path
) -> _Way:
    _check_same(left["run"], run, out)
    axes, shape = stored_as(model, stack, spec)
    spec = spec.model_copy(update={"tile": left["tile"], "precision": left["precision"]})
    spec, by_plane = plan_tiles(model, stack, spec)
    normalisation = Normalisation(**left["normalisation"])
    return _Way(fillings.go_on(out, shape, axes), model, stack, spec, normalisation, by_plane)


def stored_as(model: Model, stack: Stack, spec: PredictSpec) -> tuple[str, tuple[int, ...]]:
    """Axes and shape of a result in an OME-Zarr, which wants time and channel first."""
    _, _, channels = output_of(model.card, spec.output)
    sizes = dict(zip(stack.label_axes, stack.label_shape, strict=True)) | {"C": channels}
    axes = valid_order("C" * bool(channels) + stack.label_axes)
    return axes, tuple(sizes[a] for a in axes)


def _compute(way: _Way, on_event: OnEvent | None) -> None:
    """Predict in this process, writing a piece while the next one is computed."""

    def write(event: TileDone) -> None:
        way.filling.write(event.write, event.result, way.cells)

    events = iter_prediction(
        way.model, way.stack, spec=way.spec, normalisation=way.normalisation, finished=way.filling.finished
    )
    with closing(events):
        write_behind(events, write, on_event)


def _distribute(way: _Way, scheduler: str, on_event: OnEvent | None) -> None:
    """Predict on a cluster, whose workers write."""
    from napari_annotrain.inference.distributed import Work, run_blocks

    n_t, _, n_z, *plane = way.stack.shape
    ids = prod(plane) // LEAST_CELL_PX + 1 if way.cells else 0
    side = max(plane) if way.by_plane else _block_side(int(way.spec.tile))
    finished = way.filling.finished.pieces
    todo = (block for block in _blocks((n_t, n_z, plane[0], plane[1]), side) if piece_of(block) not in finished)
    total = n_t * n_z * prod(-(-n // side) for n in plane)
    store = way.filling.store.absolute()
    work = Work(way.model, way.stack, way.normalisation, way.spec, store, way.filling.axes, ids)
    with closing(run_blocks(scheduler, work, todo, total, len(finished))) as events:
        for event in events:
            if isinstance(event, BlockDone):
                way.filling.note(event.block, event.last_id)
            if on_event:
                on_event(event)


def _blocks(shape: tuple[int, int, int, int], side: int) -> Iterator[Region]:
    """Regions of at most `side` pixels along Y and X that make up a (T, Z, Y, X) result."""
    n_t, n_z, height, width = shape
    for t, z, y, x in product(range(n_t), range(n_z), range(0, height, side), range(0, width, side)):
        yield slice(t, t + 1), slice(z, z + 1), slice(y, min(y + side, height)), slice(x, min(x + side, width))


def _block_side(core: int) -> int:
    """Side of a block of whole tiles, about `BLOCK_PX`."""
    return core * max(1, round(BLOCK_PX / core))


@contextmanager
def _keeping(filling: Filling) -> Iterator[None]:
    """Whatever ends a run, what it has finished is kept; where that is nothing, nothing is left behind."""
    try:
        yield
    except BaseException as error:
        if not filling.has_something:
            filling.discard()
            raise
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt("Interrupted; what is finished is kept: resume goes on from there.") from None
        if isinstance(error, AnnotrainError):
            what = str(error).rstrip(".")
            raise AnnotrainError(f"{what}; what is finished is kept, and resume goes on from there.") from error
        raise


def _kind(model: Model, spec: PredictSpec) -> str:
    return output_of(model.card, spec.output)[0]


def _identity(model: Model, stack: Stack, spec: PredictSpec, cluster: bool) -> dict[str, Any]:
    """What must be the same for a result to be gone on with."""
    kind = _kind(model, spec)
    return {
        "model": digest(model.weights),
        "image": fingerprint(stack),
        "shape": list(stack.shape),
        "output": kind,
        "cells": spec.cells.model_dump(mode="json") if kind == "cells" else None,
        "cluster": cluster,  # whose blocks and ids are others
        "version": napari_annotrain.__version__,
    }


def _check_same(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any], out: Path) -> None:
    if theirs is None:
        raise AnnotrainError(f"{out} was not made by a prediction that could be resumed: choose another name.")
    words = {
        "model": "another model",
        "shape": "another image",
        "image": "another image",
        "output": "another kind of output",
        "cells": "other cell settings",
        "cluster": "no scheduler" if ours["cluster"] else "a scheduler (local:1 will do)",
    }
    others = [word for key, word in words.items() if theirs.get(key) != ours[key]]
    if others:
        raise AnnotrainError(
            f"The run to resume, of {out}, had {others[0]}: give what it had, or allow it to be overwritten."
        )


def _run_of(out: Path) -> Mapping[str, Any] | None:
    try:
        found = zarr.open_group(out, mode="r").attrs.get(ATTRIBUTE)
    except (OSError, KeyError, ValueError):
        return None
    return found if isinstance(found, Mapping) else None


def _level(out: Path) -> zarr.Array:
    return zarr.open_array(out, path="0", mode="r")


def _divide(core: int) -> int:
    """Side of chunks of which whole ones fit into a tile, so that no two tiles share one."""
    n = -(-core // CHUNK_PX)
    while core % n:
        n += 1
    return core // n


def _id_type(stack: Stack) -> np.dtype[np.unsignedinteger[Any]]:
    """Large enough for the ids of all cells there can be; chosen before the first one is found."""
    most = prod(stack.label_shape) // LEAST_CELL_PX
    return np.dtype(np.uint32 if most < 2**32 else np.uint64)

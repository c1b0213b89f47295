"""Prediction from disk to disk: bounded memory, and what is finished is never computed again."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import zarr

from napari_annotrain.api.clusters import distribute
from napari_annotrain.api.large_planes import fill_planes, is_large
from napari_annotrain.api.predicting import iter_prediction, write_behind
from napari_annotrain.api.under_way import ATTRIBUTE, UnderWay, begin, check_same, go_on, identity, run_of
from napari_annotrain.data.filling import Filling, alone, forget, tidy, unfinished
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import OnEvent, TileDone
from napari_annotrain.inference.distributed import serving
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: How a sentence ends that tells why a run did.
KEPT = "what is finished is kept, and resume goes on from there."


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


def stream(
    model: Model,
    stack: Stack,
    spec: PredictSpec,
    out: Path,
    how: Conduct,
    normalisation: Normalisation | None = None,
    levels: bool = True,
) -> zarr.Array:
    """Predict into an OME-Zarr, piece by piece; it appears under its name when it is complete.

    What is finished of an interrupted run lies beside it until then. Without `normalisation` the image is measured,
    without `levels` there are no smaller ones.

    Raises
    ------
    AnnotrainError
        Something is in the way, another process writes it, what was left is of another run, or the prediction fails.
    """
    run = identity(model, stack, spec, how.scheduler is not None)
    if how.resume and out.exists() and unfinished(out) is None:
        check_same(run_of(out), run, out, complete=True)
        tidy(out)
        return _level(out)
    with alone(out):
        way = _way(run, model, stack, spec, out, how, normalisation)
        with _keeping(way.filling):
            if is_large(way):
                with nullcontext() if how.scheduler is None else serving(how.scheduler) as scheduler:
                    fill_planes(way, partial(_stream_part, model, scheduler), how.on_event)
            elif how.scheduler is None:
                _compute(way, how.on_event)
            else:
                distribute(way, how.scheduler, how.on_event)
            way.filling.complete({ATTRIBUTE: run}, levels)
    return _level(out)


def _way(
    run: Mapping[str, Any],
    model: Model,
    stack: Stack,
    spec: PredictSpec,
    out: Path,
    how: Conduct,
    normalisation: Normalisation | None,
) -> UnderWay:
    """Go on with what an interrupted run left, or begin."""
    left = unfinished(out)
    if left is not None and not how.resume and not how.overwrite:
        raise AnnotrainError(f"An interrupted run left an unfinished {out}: resume it, or allow it to be overwritten.")
    if left is not None and how.resume and not (how.overwrite and left["run"] != run):
        return go_on(left, run, model, stack, spec, out)
    return begin(run, model, stack, spec, out, how.overwrite, normalisation)


def _stream_part(
    model: Model,
    scheduler: str | None,
    stack: Stack,
    spec: PredictSpec,
    out: Path,
    normalisation: Normalisation,
    on_event: OnEvent,
) -> zarr.Array:
    """Stream what a result takes, going on with what there is of it."""
    conduct = Conduct(scheduler, resume=True, on_event=on_event)
    return stream(model, stack, spec, out, conduct, normalisation, levels=False)


def _compute(way: UnderWay, on_event: OnEvent | None) -> None:
    """Predict in this process, writing a piece while the next one is computed."""

    def write(event: TileDone) -> None:
        way.filling.write(event.write, event.result, way.cells)

    events = iter_prediction(
        way.model, way.stack, spec=way.spec, normalisation=way.normalisation, finished=way.filling.finished
    )
    with closing(events):
        write_behind(events, write, on_event)


@contextmanager
def _keeping(filling: Filling) -> Iterator[None]:
    """Whatever ends a run, what it has finished is kept; where that is nothing, nothing is left behind."""
    try:
        yield
    except BaseException as error:
        if not filling.has_something:
            forget(filling.path)
            raise
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt("Interrupted; what is finished is kept: resume goes on from there.") from None
        if isinstance(error, AnnotrainError):
            if str(error).endswith(KEPT):  # said of a part of it
                raise
            what = str(error).rstrip(".")
            raise AnnotrainError(f"{what}; {KEPT}") from error
        raise


def _level(out: Path) -> zarr.Array:
    return zarr.open_array(out, path="0", mode="r")

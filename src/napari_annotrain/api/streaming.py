"""Prediction from disk to disk: bounded memory, and what is finished is never computed again."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zarr

from napari_annotrain.api.clusters import iter_blocks
from napari_annotrain.api.large_planes import is_large, iter_planes
from napari_annotrain.api.piecewise import iter_prediction
from napari_annotrain.api.under_way import (
    ATTRIBUTE,
    LAST_ID,
    UnderWay,
    begin,
    check_same,
    go_on,
    identity,
    is_same,
    run_of,
)
from napari_annotrain.data.filling import alone, forget, tidy, unfinished
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Begun, Completing, Done, Event, OnEvent, TileDone
from napari_annotrain.inference.distributed import serving
from napari_annotrain.inference.nearest import Look
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: How a sentence ends that tells why a run did.
KEPT = "what is finished is kept, and resume goes on from there."


@dataclass(frozen=True)
class Conduct:
    """How a prediction behaves beside what it computes.

    Attributes
    ----------
    resume
        Go on with what an interrupted run left.
    overwrite
        Replace a result that is there, or what is left of one.
    on_event
        Called with every event.
    """

    resume: bool = False
    overwrite: bool = False
    on_event: OnEvent | None = None


def stream(model: Model, stack: Stack, spec: PredictSpec, out: Path, how: Conduct) -> zarr.Array:
    """Predict into an OME-Zarr as `iter_stream` does; what interrupts it says whether something is kept.

    Raises
    ------
    AnnotrainError
        As `iter_stream`.
    """
    begun = False
    try:
        events = iter_stream(model, stack, spec, out, resume=how.resume, overwrite=how.overwrite)
        with closing(events):
            for event in events:
                begun = begun or isinstance(event, Begun)
                if how.on_event:
                    how.on_event(event)
    except (AnnotrainError, KeyboardInterrupt) as error:
        if not begun or unfinished(out) is None:
            raise
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt("Interrupted; what is finished is kept: resume goes on from there.") from None
        what = str(error).rstrip(".")
        raise AnnotrainError(f"{what}; {KEPT}") from error
    return zarr.open_array(out, path="0", mode="r")


def iter_stream(
    model: Model,
    stack: Stack,
    spec: PredictSpec,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    normalisation: Normalisation | None = None,
    focus: Callable[[], Look] = lambda: None,
    levels: bool = True,
) -> Generator[Event]:
    """Predict into an OME-Zarr, as a generator of events: `Begun`, `Started`, results, `Completing`s, last `Done(out)`.

    Results are `TileDone`s or `BlockDone`s; each is on the disk before its event. Until all are there they lie beside
    `out`; whatever ends the generator, what is finished is kept, and where that is nothing, nothing is left behind. On
    a cluster (`spec.scheduler`) the workers must see the place.

    Parameters
    ----------
    resume
        Go on with what an interrupted run left, with the tiles and the intensities of that run. What is complete is
        done at once.
    overwrite
        Replace what is there, or what is left; with `resume` only where it is of another run.
    normalisation
        For one that has not begun, from `measure_normalisation`; None: the image is measured.
    focus
        As in `iter_prediction`.
    levels
        Whether smaller ones are added.

    Raises
    ------
    AnnotrainError
        Something is in the way, another process writes it, what was left is of another run, or the prediction fails.
    """
    run = identity(model, stack, spec)
    if resume and out.exists() and unfinished(out) is None and not (overwrite and not is_same(run_of(out), run)):
        check_same(run_of(out), run, out, complete=True)
        tidy(out)
        yield Done(out)
        return
    with alone(out):
        left = unfinished(out)
        if left is not None and not resume and not overwrite:
            raise AnnotrainError(
                f"An interrupted run left an unfinished {out}: resume it, or allow it to be overwritten."
            )
        if left is not None and resume and not (overwrite and left["run"] != run):
            way = go_on(left, run, model, stack, spec, out)
        else:
            way = begin(run, model, stack, spec, out, overwrite, normalisation)
        try:
            yield Begun()
            with closing(_pieces(way, focus)) as events:
                for event in events:
                    if not isinstance(event, Done):
                        yield event
            yield from _complete(way, run, levels)
        except BaseException:
            if not way.filling.has_something:
                forget(out)
            raise
    yield Done(out)


def _pieces(way: UnderWay, focus: Callable[[], Look]) -> Generator[Event]:
    if is_large(way.model, way.stack, way.spec):
        with _served(way) as served:
            yield from iter_planes(served, iter_stream, focus)
    elif way.spec.scheduler:
        yield from iter_blocks(way)
    else:
        yield from _compute(way, focus)


def _compute(way: UnderWay, focus: Callable[[], Look]) -> Generator[Event]:
    """Predict in this process, writing a piece while the next one is computed."""

    def write(event: TileDone) -> None:
        way.filling.write(event.write, event.result, way.cells)

    events = iter_prediction(
        way.model,
        way.stack,
        spec=way.spec,
        normalisation=way.normalisation,
        finished=way.filling.finished,
        focus=focus,
        write=write,
    )
    with closing(events):
        yield from events


@contextmanager
def _served(way: UnderWay) -> Iterator[UnderWay]:
    """The same with the address of a cluster that is there: one for all planes."""
    if not way.spec.scheduler:
        yield way
        return
    with serving(way.spec.scheduler) as address:
        yield replace(way, spec=way.spec.model_copy(update={"scheduler": address}))


def _complete(way: UnderWay, run: Mapping[str, Any], levels: bool) -> Iterator[Event]:
    yield Completing(0, 1)
    attributes = {ATTRIBUTE: run, LAST_ID: way.filling.last_id}
    for done, total in way.filling.iter_completing(attributes, levels):
        yield Completing(done, total)

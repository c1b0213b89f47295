import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari import colours, engine
from napari_annotrain._napari.cell_ids import CellIds, Write
from napari_annotrain._napari.view import Region
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Computed, Done, Event, Note, Step, TileDone
from napari_annotrain.specs import PredictSpec, TrainSpec

#: Measuring the intensity range of more pixels takes long enough to be told.
LARGE_IMAGE = 1 << 24


@dataclass(frozen=True)
class Ready(Event):
    """The engine is loaded: devices as (value, words), and the names of the shipped models."""

    devices: Sequence[tuple[str, str]]
    bases: Sequence[str]


@dataclass(frozen=True)
class Advanced(Event):
    """A region of one of several images is written.

    Attributes
    ----------
    piece, pieces
        Which image of how many, from 0.
    done, total
        Regions of this image finished, and in all.
    n_cells
        Different cells found in all images so far; None when single cells were not asked for.
    """

    piece: int
    pieces: int
    done: int
    total: int
    n_cells: int | None


@dataclass(frozen=True)
class Measuring(Event):
    """The intensity range of a large image is being measured, which takes a while."""

    name: str


@dataclass(frozen=True)
class LeftOut(Event):
    """One of several images cannot be predicted, and why; the others go on."""

    piece: int
    name: str
    why: str


@dataclass
class Measured:
    """The intensity range of one image, so that view, slice and stack agree."""

    data: Any = None
    how: Any = None
    value: Any = None

    def holds(self, model: Any, stack: Stack) -> bool:
        """Whether it was measured before, for this model or one that measures alike."""
        return self.data is stack.array and self.how == _how_measured(model)

    def of(self, api: Any, model: Any, stack: Stack) -> Any:
        """What was measured before, or measure it now."""
        if not self.holds(model, stack):
            self.value = api.measure_normalisation(model, stack)
            self.data, self.how = stack.array, _how_measured(model)
        return self.value


@dataclass(frozen=True)
class Piece:
    """One image to predict.

    Attributes
    ----------
    region
        The part that is wanted; None for everything.
    canvas
        Where the result is written, by the worker: (T, Z, Y, X), or (K, T, Z, Y, X) for probabilities.
    ids
        What is known of the ids in the canvas; used for cells only.
    """

    stack: Stack
    region: Region | None
    canvas: npt.NDArray[Any] = field(repr=False)
    measured: Measured = field(repr=False, default_factory=Measured)
    ids: CellIds = field(repr=False, default_factory=CellIds)


def _how_measured(model: Any) -> Any:
    return model.card.normalise, model.card.training_range


@dataclass(frozen=True)
class Previewed(Event):
    """A prediction in the middle of a training has ended.

    Attributes
    ----------
    seconds
        Training time so far.
    cost
        Seconds that the prediction took.
    """

    seconds: float
    cost: float


def warm_up() -> Iterator[Event]:
    """Import torch and compile the colours in the background, while the user still looks at the image."""
    api = engine.load()
    api.warm_up()
    colours.warm_up()
    yield Ready(list(api.list_devices()), list(api.base_models()))


def training(
    images: Sequence[AnnotatedImage],
    target: str,
    preset: str,
    base: Any,
    spec: TrainSpec,
    class_names: Mapping[int, str],
    take_request: Callable[[], tuple[Any, Sequence[Piece], PredictSpec] | None] = lambda: None,
) -> Iterator[Event]:
    """Train, and give the memory back however it ends; between two steps, predict what is asked for meanwhile."""
    api = engine.load()
    try:
        run = api.iter_training(
            images, target=target, preset=preset, base=base, spec=spec, class_names=dict(class_names)
        )
        seconds = 0.0
        with closing(run) as events:
            for event in events:
                yield event
                if not isinstance(event, Step):
                    continue
                seconds = event.seconds
                if (wanted := take_request()) is not None:
                    yield from _preview(api, *wanted, seconds)
    finally:
        api.release_memory()


def _preview(api: Any, model: Any, pieces: Sequence[Piece], spec: PredictSpec, seconds: float) -> Iterator[Event]:
    """Predict in the middle of a training, which goes on whatever becomes of it."""
    began = time.perf_counter()
    try:
        for event in _pieces(api, model, pieces, spec):
            if isinstance(event, Advanced):
                yield event
    except (AnnotrainError, RuntimeError, MemoryError, OSError) as error:
        yield Note(f"What you see could not be predicted while training: {error}")
    yield Previewed(seconds, time.perf_counter() - began)


def prediction(model: Any, pieces: Sequence[Piece], spec: PredictSpec) -> Iterator[Event]:
    """Predict some images one after the other, writing each finished region where it belongs.

    Of several images, one that cannot be predicted is left out.
    """
    api = engine.load()
    try:
        yield from _pieces(api, model, pieces, spec)
        yield Done(None)
    finally:
        api.release_memory()


def _pieces(api: Any, model: Any, pieces: Sequence[Piece], spec: PredictSpec) -> Iterator[Event]:
    count = api.output_of(model, spec.output)[0] == "cells"
    n_cells = n_failed = 0
    for i, piece in enumerate(pieces):
        cells: set[int] = {0}  # of this image: every one starts again from 1
        try:
            for event in _one_image(api, model, piece, spec, count):
                if not isinstance(event, TileDone | Computed):
                    yield event
                    continue
                if count and isinstance(event, TileDone):
                    cells.update(np.unique(event.result).tolist())
                found = n_cells + len(cells) - 1 if count else None
                yield Advanced(i, len(pieces), event.done, event.total, found)
        except AnnotrainError as error:
            n_failed += 1
            if n_failed == len(pieces):
                raise
            yield LeftOut(i, piece.stack.name, str(error))
        n_cells += len(cells) - 1


def _one_image(api: Any, model: Any, piece: Piece, spec: PredictSpec, cells: bool) -> Iterator[Event]:
    """Predict one image, and write; its events, without the last one."""
    if prod(piece.stack.array.shape) > LARGE_IMAGE and not piece.measured.holds(model, piece.stack):
        yield Measuring(piece.stack.name)
    known = piece.measured.of(api, model, piece.stack)
    run = api.iter_prediction(model, piece.stack, spec=spec, region=piece.region, normalisation=known)
    with _writing(piece, cells) as write, closing(run) as events:
        for event in events:
            if isinstance(event, TileDone):
                write(event.write, event.result)
            if not isinstance(event, Done):
                yield event


@contextmanager
def _writing(piece: Piece, cells: bool) -> Iterator[Write]:
    def write(box: Region, values: npt.NDArray[Any]) -> None:
        piece.canvas[(..., *box)] = values

    if not cells:
        yield write
        return
    with piece.ids.writing(piece.canvas, piece.region) as write_cells:
        yield write_cells


def seam_check(model: Any, stack: Stack, spec: PredictSpec, t: int, z: int) -> Iterator[Event]:
    """Look for seams in one plane; what was found is the result, a sentence."""
    api = engine.load()
    try:
        yield Done(str(api.check_seams(model, stack, spec, t, z)))
    finally:
        api.release_memory()


def as_tzyx(array: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """View of a label array, or of a stack of them, as (..., T, Z, Y, X); writing to it writes to the array.

    `axes` names the last dimensions of the array; a C among them must have length 1.
    """
    lead = array.ndim - len(axes)
    if "C" in axes:
        array = np.squeeze(array, axis=lead + axes.index("C"))
        axes = axes.replace("C", "")
    order = [*range(lead), *(lead + axes.index(a) for a in "TZYX" if a in axes)]
    view = array.transpose(order)
    missing = tuple(lead + i for i, a in enumerate("TZYX") if a not in axes)
    return np.expand_dims(view, missing)

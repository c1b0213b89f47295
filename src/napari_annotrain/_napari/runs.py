from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari import engine
from napari_annotrain._napari.view import Region
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Event, TileDone
from napari_annotrain.specs import PredictSpec, TrainSpec


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


@dataclass
class Measured:
    """The intensity range of one image for one model, so that view, slice and stack agree."""

    data: Any = None
    model: Any = None
    value: Any = None

    def of(self, api: Any, model: Any, stack: Stack) -> Any:
        """What was measured before, or measure it now."""
        if self.data is not stack.array or self.model is not model:
            self.value = api.measure_normalisation(model, stack)
            self.data, self.model = stack.array, model
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
    """

    stack: Stack
    region: Region | None
    canvas: npt.NDArray[Any] = field(repr=False)
    measured: Measured = field(repr=False, default_factory=Measured)


def warm_up() -> Iterator[Event]:
    """Import torch in the background, while the user still looks at the image."""
    api = engine.load()
    yield Ready(list(api.list_devices()), list(api.base_models()))


def training(
    images: Sequence[AnnotatedImage],
    target: str,
    preset: str,
    base: Any,
    spec: TrainSpec,
    class_names: Mapping[int, str],
) -> Iterator[Event]:
    """Train, and give the memory back however it ends."""
    api = engine.load()
    try:
        run = api.iter_training(
            images, target=target, preset=preset, base=base, spec=spec, class_names=dict(class_names)
        )
        with closing(run) as events:
            yield from events
    finally:
        api.release_memory()


def prediction(model: Any, pieces: Sequence[Piece], spec: PredictSpec) -> Iterator[Event]:
    """Predict some images one after the other, writing each finished region where it belongs."""
    api = engine.load()
    count = api.output_of(model, spec.output)[0] == "cells"
    n_cells = 0  # in the images before the present one, whose numbers start again
    try:
        for i, piece in enumerate(pieces):
            cells: set[int] = set()
            known = piece.measured.of(api, model, piece.stack)
            run = api.iter_prediction(model, piece.stack, spec=spec, region=piece.region, normalisation=known)
            with closing(run) as events:
                for event in events:
                    if isinstance(event, TileDone):
                        piece.canvas[(..., *event.write)] = event.result
                        if count:
                            cells.update(np.unique(event.result).tolist())
                        found = n_cells + len(cells - {0}) if count else None
                        yield Advanced(i, len(pieces), event.done, event.total, found)
                    elif not isinstance(event, Done):
                        yield event
            n_cells += len(cells - {0})
        yield Done(None)
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

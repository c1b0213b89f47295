"""From class probabilities to what the user asked for: classes, cells or probabilities."""

import dataclasses
from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Computed, Event, Note, Started, TileDone
from napari_annotrain.inference.predictor import Decoding, Predictor, Scores
from napari_annotrain.inference.schedule import count_tiles, iter_scores
from napari_annotrain.inference.tile_size import choose_core, memory_budget
from napari_annotrain.instances import label_cells, label_classes
from napari_annotrain.net.device import describe
from napari_annotrain.net.model import Card, Model
from napari_annotrain.specs import PredictSpec

#: T, Z, Y, X.
Region = tuple[slice, slice, slice, slice]
#: The first of each is the default.
OUTPUTS: dict[str, tuple[str, ...]] = {
    "classes": ("classes", "cells", "probabilities"),
    "cells": ("cells", "classes", "probabilities"),
}


def output_of(card: Card, output: str | None) -> tuple[str, np.dtype[np.generic], int]:
    """What a model's result will be: its kind, its type, and its channels (0 for labels).

    Raises
    ------
    AnnotrainError
        The model cannot make this output.
    """
    choices = OUTPUTS[card.target]
    kind = choices[0] if output is None else output
    if kind not in choices:
        raise AnnotrainError(f"A model of {card.target} cannot give '{output}': choose one of {', '.join(choices)}.")
    if kind == "probabilities":
        return kind, np.dtype(np.float32), len(card.classes) if card.target == "classes" else 1 + len(card.distances)
    return kind, np.dtype(np.int32 if kind == "cells" else np.min_scalar_type(max(card.classes))), 0


def check_channels(model: Model, stack: Stack) -> None:
    """Refuse an image with other channels than the model reads.

    Raises
    ------
    AnnotrainError
        It has.
    """
    if stack.n_channels != model.card.channels:
        raise AnnotrainError(
            f"{stack.name} has {stack.n_channels} channels but the model reads {model.card.channels}: "
            "choose another model, or give the axes of the image if they were misread."
        )


def segment(
    model: Model, stack: Stack, normalisation: Normalisation, spec: PredictSpec, region: Region | None = None
) -> Generator[Event]:
    """Predict a stack, or a region of it, plane by plane; a generator of events that can be closed at any moment.

    `Started`, then a `TileDone` for every finished tile (for cells: `Computed` for every tile, and a `TileDone` for
    every finished plane of the region), and `Note` where something should be said. Ids of cells run on from plane to
    plane, so that they are unique in the region.

    Parameters
    ----------
    stack
        As many channels as the model.
    normalisation
        Of the whole image, measured once (`data.normalise.measure`).
    region
        (T, Z, Y, X) slices inside the image; None for all of it.
    """
    card = model.card
    kind, _, _ = output_of(card, spec.output)
    check_channels(model, stack)
    predictor = Predictor(model, spec)
    t_range, z_range, rows, columns = region or tuple(slice(0, n) for n in stack.shape[:1] + stack.shape[2:])
    planes = [(t, z) for t in range(t_range.start, t_range.stop) for z in range(z_range.start, z_range.stop)]
    budget = memory_budget(spec, predictor.device)
    core = choose_core(spec, card.net, (rows, columns), budget, predictor.precision)
    total = count_tiles(predictor, len(planes), (rows, columns), core)
    precision = str(predictor.precision).removeprefix("torch.")
    yield Started("prediction", total, None, describe(predictor.device), precision)
    plane = _Plane(card, (rows, columns)) if kind == "cells" else None
    done = n_invalid = 0
    if normalisation.is_constant:
        yield Note(f"{stack.name} has the same value everywhere: all of it became background.")
    decoding = _decoding(card, kind)
    for scores in iter_scores(predictor, stack, normalisation, planes, (rows, columns), core, decoding):
        if not isinstance(scores, Scores):
            yield scores
            continue
        done += 1
        total = max(total, done)
        n_invalid += 0 if scores.invalid is None else int(scores.invalid.sum())
        if normalisation.is_constant:
            scores = _all_background(scores)
        if plane is None:
            yield _tile_done(card, kind, scores, done, total)
            continue
        yield Computed(done, total)
        if (cells := plane.add(scores)) is not None:
            yield TileDone(_place(scores.t, scores.z, (rows, columns)), cells[None, None], done, total)
    if n_invalid:
        one = n_invalid == 1
        what = (
            f"1 pixel of {stack.name} is not a number"
            if one
            else f"{n_invalid:,} pixels of {stack.name} are not numbers"
        )
        yield Note(f"{what} (NaN or infinite): {'it' if one else 'they'} became background.")


class _Plane:
    """Collects the tiles of one plane, and decodes its cells when the last one has come."""

    def __init__(self, card: Card, region: tuple[slice, slice]) -> None:
        self._card, self._region = card, region
        self._shape = tuple(s.stop - s.start for s in region)
        self._missing, self._next_id = 0, 0
        self._values: npt.NDArray[Any] = np.empty(0)

    def add(self, scores: Scores) -> npt.NDArray[np.int32] | None:
        if self._missing == 0:
            self._missing = self._shape[0] * self._shape[1]
            if self._card.target == "cells":
                self._values = np.zeros((1 + len(self._card.distances), *self._shape), np.float32)
            else:
                self._values = np.zeros(self._shape, np.min_scalar_type(max(self._card.classes)))
        y, x = (slice(w.start - r.start, w.stop - r.start) for w, r in zip(scores.write, self._region, strict=True))
        values = _inside(scores) if self._card.target == "cells" else _classes(self._card, scores)
        self._values[..., y, x] = values
        self._missing -= values.shape[-2] * values.shape[-1]
        return self._decode() if self._missing == 0 else None

    def _decode(self) -> npt.NDArray[np.int32]:
        if self._card.target == "cells":
            inside, *distances = self._values
            cells = label_cells(
                inside,
                *distances,
                min_size=self._card.min_size_px,
                cell_diameter_px=self._card.cell_diameter_px,
            )
        else:
            cells = label_classes(self._values)
        cells = np.where(cells > 0, cells + self._next_id, 0).astype(np.int32)
        self._next_id = max(self._next_id, int(cells.max(initial=0)))
        return cells


def _decoding(card: Card, kind: str) -> Decoding:
    if card.target == "cells":
        return "inside"
    return "probabilities" if kind == "probabilities" else "classes"


def _tile_done(card: Card, kind: str, scores: Scores, done: int, total: int) -> TileDone:
    place = _place(scores.t, scores.z, scores.write)
    if kind == "probabilities":
        values = _inside(scores) if card.target == "cells" else _known(card, scores)
        return TileDone(place, values[:, None, None], done, total)
    classes = _classes(card, scores) if card.target == "classes" else (_inside(scores)[0] > 0.5).astype(np.uint8)
    return TileDone(place, classes[None, None], done, total)


def _classes(card: Card, scores: Scores) -> npt.NDArray[np.generic]:
    """The value of the likeliest class; what is not a number is the first class, background where there is one."""
    values = np.asarray(card.classes, np.min_scalar_type(max(card.classes)))
    index = scores.values if scores.invalid is None else np.where(scores.invalid, 0, scores.values)
    straight = np.array_equal(values, np.arange(len(values))) and values.dtype == index.dtype
    return index if straight else values[index]


def _inside(scores: Scores) -> npt.NDArray[np.float32]:
    return scores.values if scores.invalid is None else np.where(scores.invalid, np.float32(0), scores.values)


def _known(card: Card, scores: Scores) -> npt.NDArray[np.float32]:
    """Probabilities with what is not a number turned into the first class, background where there is one."""
    if scores.invalid is None:
        return scores.values
    first = np.zeros((len(card.classes), 1, 1), np.float32)
    first[0] = 1
    return np.where(scores.invalid, first, scores.values)


def _all_background(scores: Scores) -> Scores:
    return dataclasses.replace(scores, invalid=np.ones(scores.values.shape[-2:], bool))


def _place(t: int, z: int, box: tuple[slice, slice]) -> Region:
    return slice(t, t + 1), slice(z, z + 1), *box

"""From scores to what the user asked for: classes, cells, probabilities, their uncertainty or an image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.inference.cells import CellDecoder, Read
from napari_annotrain.inference.planes import Values
from napari_annotrain.inference.predictor import Decoding, Scores
from napari_annotrain.net.model import Card

#: The first of each is the default.
OUTPUTS: dict[str, tuple[str, ...]] = {
    "classes": ("classes", "cells", "probabilities", "uncertainty"),
    "cells": ("cells", "classes", "probabilities", "uncertainty"),
    "image": ("image",),
}


_OF = {"classes": "classes", "cells": "cells", "image": "images"}


def output_of(card: Card, output: str | None) -> tuple[str, np.dtype[np.generic], int]:
    """What a model's result will be: its kind, its type, and its channels (0 for labels, uncertainty, images of one).

    Raises
    ------
    AnnotrainError
        The model cannot make this output.
    """
    choices = OUTPUTS[card.target]
    kind = choices[0] if output is None else output
    if kind not in choices:
        one_of = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
        raise AnnotrainError(f"A model of {_OF[card.target]} cannot give '{output}': choose {one_of}.")
    if kind == "uncertainty":
        if len(card.classes) < 2:
            raise AnnotrainError("This model knows only one class, so that it is never in doubt: train one with two.")
        return kind, np.dtype(np.float32), 0
    if kind == "image":
        return kind, np.dtype(np.float32), card.net.outputs if card.net.outputs > 1 else 0
    if kind == "probabilities":
        return kind, np.dtype(np.float32), len(card.classes) if card.target == "classes" else 1 + len(card.distances)
    return kind, np.dtype(np.int32 if kind == "cells" else np.min_scalar_type(max(card.classes))), 0


@dataclass(frozen=True)
class Results:
    """Turns the scores of a model into one kind of result.

    Attributes
    ----------
    kind
        See `output_of`.
    smooth
        The scores are resampled first, so that they must come as probabilities.
    normalisation
        Of the image.
    """

    card: Card
    kind: str
    smooth: bool
    cells: CellDecoder | None
    normalisation: Normalisation

    @property
    def decoding(self) -> Decoding:
        """What the predictor should make of the scores."""
        if self.kind in ("uncertainty", "image"):
            return "uncertainty" if self.kind == "uncertainty" else "image"
        if self.card.target == "cells":
            return "inside"
        return "probabilities" if self.kind == "probabilities" or self.smooth else "classes"

    def clean(self, scores: Scores) -> Values:
        """The values of a tile; what is not a number is the first class, background where there is one, or stays so."""
        if scores.invalid is None:
            return scores.values
        if self.kind == "image":
            return np.where(scores.invalid, np.float32(np.nan), scores.values)
        if self.decoding == "probabilities":
            first = np.zeros((len(self.card.classes), 1, 1), np.float32)
            first[0] = 1
            return np.where(scores.invalid, first, scores.values)
        return np.where(scores.invalid, scores.values.dtype.type(0), scores.values)

    def of(self, values: Values) -> npt.NDArray[Any]:
        """The result, (T, Z, Y, X) or (K, T, Z, Y, X), of cleaned values; not for cells, which are `of_plane`."""
        if self.kind == "uncertainty":
            return np.asarray(values[0, None, None], np.float32)
        if self.kind == "image":
            made = target_normalisation(self.card, self.normalisation).invert(values)
            return made[:, None, None] if len(made) > 1 else made[:, None]
        if self.kind == "probabilities":
            return np.asarray(values[:, None, None])
        if self.card.target == "cells":
            return np.asarray(values[:1, None] > 0.5, np.uint8)
        index = values.argmax(0) if self.decoding == "probabilities" else values
        return self._classes(index)[None, None]

    def words_of_constant(self, name: str) -> str:
        """What is said of an image that has the same value everywhere."""
        what = "there is nothing to be learnt from it" if self.kind == "image" else "all of it became background"
        return f"{name} has the same value everywhere: {what}."

    def of_plane(self, read: Read, shape: tuple[int, int]) -> npt.NDArray[Any]:
        """The result of a plane of this (Y, X) shape, of whose boxes `read` gives the cleaned values."""
        if self.cells is None:
            return self.of(read((slice(0, shape[0]), slice(0, shape[1]))))
        if self.card.target == "cells":
            return self.cells.decode(read, shape)[None, None]
        return self.cells.decode(lambda box: self.of(read(box))[0, 0], shape)[None, None]

    def _classes(self, index: Values) -> npt.NDArray[Any]:
        values = np.asarray(self.card.classes, np.min_scalar_type(max(self.card.classes)))
        straight = np.array_equal(values, np.arange(len(values))) and values.dtype == index.dtype
        return index if straight else values[index]


def target_normalisation(card: Card, own: Normalisation) -> Normalisation:
    """What 0 and 1 of a network that gives images mean: the range of its targets, or that of the image given."""
    if not card.target_range:
        return own
    low, high = zip(*card.target_range, strict=True)
    return Normalisation(low, high)

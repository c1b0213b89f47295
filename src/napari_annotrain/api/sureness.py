"""Probabilities of a model window by window, in bounded memory."""

from collections.abc import Generator, Iterable
from contextlib import closing
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import TileDone
from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.inference.segment import segment
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: Side of the largest window that is predicted at once, in px.
WINDOW_PX = 1024
#: Plane, rows and columns.
Window = tuple[int, int, tuple[slice, slice]]


def windows_of(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Windows that make up a plane of (Y, X) px."""
    spans = [[slice(i, min(i + WINDOW_PX, n)) for i in range(0, n, WINDOW_PX)] for n in shape]
    return list(product(*spans))


def coarse_order(n: int, start: int = 0) -> list[int]:
    """All of range(n), such that any beginning of it is spread evenly: start, the farthest, the middles, ...

    0 1 2 3 4 5 6 7  from 0:  0 4 2 6 1 5 3 7
    """
    bits = max(n - 1, 1).bit_length()
    turned = (int(format(i, f"0{bits}b")[::-1], 2) for i in range(1 << bits))
    return [(place + start) % n for place in dict.fromkeys(i * n >> bits for i in turned)]


def classes_of(model: Model) -> tuple[int, ...]:
    """Annotation value of each channel that `iter_probabilities` gives; of cells 2 stands for all."""
    return tuple(int(v) + 1 for v in model.card.classes) if model.card.target == "classes" else (1, 2)


def iter_probabilities(
    model: Model, stack: Stack, normalisation: Normalisation, spec: PredictSpec, windows: Iterable[Window]
) -> Generator[tuple[Window, npt.NDArray[np.float32]]]:
    """Each window with its (K, Y, X) probabilities, those that the whole image has there; see `classes_of`.

    Raises
    ------
    AnnotrainError
        The model knows only one class.
    """
    if len(classes_of(model)) < 2:
        raise AnnotrainError("This model knows only one class, so that it is never in doubt: train one with two.")
    wanted = spec.model_copy(update={"output": "probabilities", "scheduler": ""})
    predictor = Predictor(model, wanted)
    for t, z, box in windows:
        region = slice(t, t + 1), slice(z, z + 1), *box
        size = [s.stop - s.start for s in box]
        found = np.zeros((len(classes_of(model)), *size), np.float32)
        with closing(segment(model, stack, normalisation, wanted, region, predictor=predictor)) as events:
            for event in events:
                if isinstance(event, TileDone):
                    y, x = (
                        slice(s.start - b.start, s.stop - b.start) for s, b in zip(event.write[2:], box, strict=True)
                    )
                    found[:, y, x] = _of_classes(model, event.result[:, 0, 0])
        yield (t, z, box), found


def _of_classes(model: Model, values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Channels of a result to one a class: a model of cells gives the probability of being inside, and distances."""
    return values if model.card.target == "classes" else np.stack([1 - values[0], values[0]])

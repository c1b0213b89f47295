"""What the window's runs tell besides the events of the engine."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.border_map import BorderMap
from napari_annotrain.events import Event, Region
from napari_annotrain.metrics.changes import Changes


@dataclass(frozen=True)
class Ready(Event):
    """The engine is loaded: devices as (value, words), the names of the shipped models, and why a GPU is not used."""

    devices: Sequence[tuple[str, str]]
    bases: Sequence[str]
    why_no_gpu: str = ""


@dataclass(frozen=True)
class Opened(Event):
    """A model of a session is read; which file it is of, and the model."""

    file: str
    model: Any


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
    region
        What was written; None where a tile was computed whose result comes later.
    """

    piece: int
    pieces: int
    done: int
    total: int
    n_cells: int | None
    region: Region | None = None


@dataclass(frozen=True)
class Found(Event):
    """What there is already of the result of one of several images.

    Attributes
    ----------
    regions
        What is finished of it.
    words
        That in a sentence; empty where it is nothing.
    place
        Where it is kept; None in the memory.
    complete
        Whether it is finished, and only shown.
    n_cells
        How many cells were found in it; None where that is not known.
    """

    piece: int
    regions: Collection[Region] = field(repr=False)
    words: str
    place: Path | None = None
    complete: bool = False
    n_cells: int | None = 0


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


@dataclass(frozen=True)
class Weighed(Event):
    """The border weights of one plane of one of several images are known."""

    piece: int
    weights: BorderMap


@dataclass(frozen=True)
class Made(Event):
    """What one candidate of a comparison makes of the view.

    Attributes
    ----------
    kind
        ``"classes"``, ``"cells"`` or ``"image"``.
    result
        (T, Z, Y, X) labels of the region, or the (..., T, Z, Y, X) image.
    """

    candidate: int
    kind: str
    result: npt.NDArray[Any] = field(repr=False)


@dataclass(frozen=True)
class Compared(Event):
    """What has changed in one region of an image.

    Attributes
    ----------
    before
        (T, Z, Y, X) labels of the earlier model there; None where it was not asked.
    changes
        What differs.
    """

    before: npt.NDArray[np.integer] | None = field(repr=False)
    changes: Changes = field(repr=False)

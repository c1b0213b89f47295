"""What the long loops say while they run: one loop, many readers (progress bar, command line, test, notebook)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

#: A part of an image or result: slices over T, Z, Y, X.
Region = tuple[slice, slice, slice, slice]


@dataclass(frozen=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True)
class Started(Event):
    """A run has begun.

    Attributes
    ----------
    what
        ``"training"`` or ``"prediction"``.
    total
        Steps to train, or regions to predict; None when time is the limit.
    seconds
        Training time asked for, in seconds; None when steps are the limit.
    device, precision
        In words: ``"CPU, 2 cores"``, ``"float32"``.
    """

    what: str
    total: int | None
    seconds: float | None
    device: str
    precision: str


@dataclass(frozen=True)
class Begun(Event):
    """A result on the disk is begun, or gone on with: from now on, what is finished of it is kept."""


@dataclass(frozen=True)
class Note(Event):
    """One plain sentence that the user should see (an image skipped, too little annotation to validate)."""

    text: str


@dataclass(frozen=True)
class Step(Event):
    """One gradient step was taken.

    Attributes
    ----------
    step
        1 for the first step ever, counted over resumed runs.
    loss
        Of this step's batch, before the step: weighted cross-entropy, unless other terms are asked for.
    seconds
        Training time so far, in seconds, over resumed runs.
    fraction
        How much of the asked steps or seconds is done, 0 to 1.
    """

    step: int
    loss: float
    seconds: float
    fraction: float


@dataclass(frozen=True)
class Validated(Event):
    """The averaged weights were scored on the validation regions.

    Attributes
    ----------
    score
        Mean intersection over union over the classes, 0 to 1; of images their signal-to-noise ratio in dB.
    loss
        That of the training, without weights, over the known validation pixels.
    kept
        True when these weights are kept: no earlier ones are known to be better.
    measure
        What the score is: ``"IoU"``, or which ``"PSNR"``.
    tables
        What it was counted from: (N, K, K), of each validation block the pixels of every true class (rows) that were
        given each class, or of images their errors (see `training.kept`); None where nobody says.
    """

    step: int
    score: float
    loss: float
    seconds: float
    kept: bool
    measure: str = "IoU"
    tables: Any = field(default=None, repr=False)

    @property
    def words(self) -> str:
        """The score with its name and unit."""
        return f"IoU {self.score:.3f}" if self.measure == "IoU" else f"{self.measure} {self.score:.1f} dB"


@dataclass(frozen=True)
class Grown(Event):
    """What was painted while training went on is learnt from now on.

    Attributes
    ----------
    dataset
        All that is annotated now (`data.dataset.AnnotatedDataset`).
    seconds
        Training time so far, in seconds.
    n_places
        Number of boxes in which something was painted or erased.
    """

    step: int
    dataset: Any = field(repr=False)
    seconds: float
    n_places: int


@dataclass(frozen=True)
class Checkpoint(Event):
    """A model that may be kept, whatever happens next.

    Attributes
    ----------
    model
        The model that is kept, on the CPU: its weights from `training.fit`, a whole `net.model.Model` from `api`.
    state
        What is needed to go on training (`training.state.TrainingState`).
    threshold
        Of a model of cells: least probability of a cell that fits the annotation best; None before it is looked for.
    """

    step: int
    model: Any
    state: Any
    threshold: float | None = None


@dataclass(frozen=True)
class TileDone(Event):
    """One region of the result is final.

    Attributes
    ----------
    write
        Where it belongs: slices over (T, Z, Y, X).
    result
        The values there, ready to be written: (T, Z, Y, X) for labels, (K, T, Z, Y, X) for probabilities
        and images of several channels.
    done, total
        Regions finished so far and in all.
    """

    write: Region
    result: npt.NDArray[np.generic] = field(repr=False)
    done: int
    total: int


@dataclass(frozen=True)
class BlockDone(Event):
    """A block of the result is final, and on the disk already.

    A worker of a cluster has written it, or it is a large plane whose cells were told apart in windows.

    Attributes
    ----------
    block
        Where it lies: slices over (T, Z, Y, X).
    last_id
        Largest id of a cell in it; 0 where none are told apart.
    done, total
        Blocks finished so far and in all; where planes are computed in tiles first, these.
    """

    block: Region
    last_id: int
    done: int
    total: int


@dataclass(frozen=True)
class Computed(Event):
    """One tile was computed whose result comes later, with its plane (cells).

    Attributes
    ----------
    done, total
        Tiles computed so far and in all.
    """

    done: int
    total: int


@dataclass(frozen=True)
class Separating(Event):
    """The cells of a large plane are being told apart, which takes a while; comes again and again meanwhile."""


@dataclass(frozen=True)
class Completing(Event):
    """All pieces of a result are on the disk; what lets others read it fast (smaller levels) is being added.

    Attributes
    ----------
    done, total
        Chunks added so far and in all.
    """

    done: int
    total: int


@dataclass(frozen=True)
class Searched(Event):
    """A window of a search is done.

    Attributes
    ----------
    done, total
        Windows searched so far and in all.
    found
        What was found so far, the most remarkable first.
    """

    done: int
    total: int
    found: tuple[Any, ...] = field(repr=False)


@dataclass(frozen=True)
class Measured(Event):
    """Some more objects were measured.

    Attributes
    ----------
    n
        Rows of the table so far.
    done, total
        Planes finished so far and in all.
    """

    n: int
    done: int
    total: int


@dataclass(frozen=True)
class Entered(Event):
    """A candidate of a comparison is ready to train.

    Attributes
    ----------
    candidate, name
        Its number, from 0, and what it is called.
    parameters
        Trainable numbers of its network.
    reach_px
        So far around a pixel of the image the network looks to label it, in px.
    memory_bytes
        Most memory that training takes, reckoned (`training.parts`).
    judged_by
        Stands for the validation pixels, at the scale at which it sees them: equal where the same ones judge. Empty
        where nothing is kept for validation.
    target
        What it learns: ``"classes"``, ``"cells"`` or ``"image"``.
    measure
        What its scores will be, see `Validated`.
    """

    candidate: int
    name: str
    parameters: int
    reach_px: int
    memory_bytes: int
    judged_by: str
    target: str = "classes"
    measure: str = "IoU"


@dataclass(frozen=True)
class Told(Event):
    """An event of the training of one candidate of a comparison, by its number."""

    candidate: int
    event: Event


@dataclass(frozen=True)
class Failed(Event):
    """The run ended in an exception; the last event of its stream.

    Attributes
    ----------
    sentence
        What happened and what to do, for the status line.
    details
        The traceback as text, for the log.
    """

    sentence: str
    details: str


@dataclass(frozen=True)
class Done(Event):
    """The run ended as asked; the last event of its stream.

    Attributes
    ----------
    result
        The trained `Model`, the predicted array, or the table of a measurement.
    """

    result: Any = field(repr=False)


#: A reader of events.
OnEvent = Callable[[Event], None]

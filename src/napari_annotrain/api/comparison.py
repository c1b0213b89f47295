"""What a comparison has shown so far: gathered from its events, wherever they are read; knows no torch."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.events import Checkpoint, Done, Entered, Event, Failed, Note, Started, Step, Told, Validated
from napari_annotrain.metrics.jackknife import standard_error

#: Columns of the table, with their units.
COLUMNS = (
    *("name", "score", "measure", "seconds", "steps", "parameters", "reach_px", "memory_MB"),
    *("best", "file", "failed"),
)

#: Why there is no winner: nothing is kept for validation, or not the same of it for all.
_NO_WINNER = {
    "labels": (
        "No winner: too little is annotated to keep some of it for validation; look at the labels, or annotate more "
        "and compare again.",
        "No winner: the candidates were not judged by the same validation pixels, because one starts from a model that "
        "sees the images at another scale or knows some of them; look at the labels.",
    ),
    "image": (
        "No winner: the images are too small to keep some of them for validation; look at the results, or compare "
        "again with more images.",
        "No winner: the candidates were not judged by the same validation pixels, because they differ in what is made "
        "worse or hidden, in the range of the results, or one starts from a model that knows some of the images; look "
        "at the results.",
    ),
}


@dataclass(eq=False)
class Contender:
    """One candidate and what is known of it so far.

    Attributes
    ----------
    parameters, reach_px, memory_bytes, judged_by
        See `events.Entered`; the memory is reckoned.
    losses, scores
        (seconds of training, value): the loss of every step, and the score of every validation.
    target
        What it learns: ``"classes"``, ``"cells"`` or ``"image"``.
    measure
        What the score is, see `events.Validated`: ``"IoU"``, or of images which ``"PSNR"``, in dB.
    score
        Of the weights that are kept; None before the first validation.
    steps, seconds
        How long it has trained.
    tables
        Of the weights that are kept, see `events.Validated`.
    model
        The model that is kept; None before the first step.
    failed
        Why it could not go on; empty where it could.
    """

    name: str
    parameters: int = 0
    reach_px: int = 0
    memory_bytes: int = 0
    judged_by: str = ""
    target: str = "classes"
    measure: str = "IoU"
    device: str = ""
    losses: list[tuple[float, float]] = field(default_factory=list)
    scores: list[tuple[float, float]] = field(default_factory=list)
    score: float | None = None
    tables: Any = field(default=None, repr=False)
    steps: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    model: Any = None
    failed: str = ""
    notes: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Read one event of its training."""
        match event:
            case Started():
                self.device = f"{event.device}, {event.precision}"
            case Step():
                self.losses.append((event.seconds, event.loss))
                self.steps, self.seconds, self.fraction = event.step, event.seconds, event.fraction
            case Validated():
                self.scores.append((event.seconds, event.score))
                self.seconds = event.seconds
                if event.kept:
                    self.score, self.tables = event.score, event.tables
            case Checkpoint():
                self.model = event.model
            case Note():
                self.notes.append(event.text)
            case Done():  # validation may have taken the rest of the time
                self.fraction = 1.0
            case Failed():
                self.failed = event.sentence

    @property
    def score_words(self) -> str:
        """The score as one reads it: "0.823", or of images "31.24 dB"; empty before the first validation."""
        if self.score is None:
            return ""
        return f"{self.score:.3f}" if self.measure == "IoU" else f"{self.score:.2f} dB"


class Comparison:
    """All candidates of a comparison, in their order; the best one by validation, and the table.

    Attributes
    ----------
    contenders
        `Contender` each.
    """

    def __init__(self) -> None:
        self.contenders: list[Contender] = []

    def take(self, event: Event) -> None:
        """Read one event of a comparison."""
        match event:
            case Entered():
                facts = (event.parameters, event.reach_px, event.memory_bytes, event.judged_by)
                self.contenders.append(Contender(event.name, *facts, event.target, event.measure))
            case Told():
                self.contenders[event.candidate].take(event.event)

    @property
    def fraction(self) -> float:
        """How much of the asked time or steps is done, 0 to 1."""
        done = [1.0 if one.failed else one.fraction for one in self.contenders]
        return sum(done) / max(1, len(done))

    @property
    def best(self) -> Contender | None:
        """The one with the highest score, of equal ones the smallest; None where nothing fair can be said."""
        if self.why_no_best():
            return None
        scored = [one for one in self.contenders if one.score is not None and not one.failed]
        return max(scored, key=lambda one: (one.score, -one.parameters))

    def why_no_best(self) -> str:
        """One sentence on why none can be called the best; empty where one can."""
        there = [one for one in self.contenders if not one.failed and one.model is not None]
        if not there:
            return "Nothing was trained long enough to be compared."
        too_little, other_pixels = _NO_WINNER["image" if there[0].target == "image" else "labels"]
        if not all(one.judged_by for one in there):
            return too_little
        if len({one.judged_by for one in there}) > 1:
            return other_pixels
        if any(one.score is None for one in there):
            return "No winner: it was stopped before all of them were validated."
        return ""

    def verdict(self) -> str:
        """What came of it, in one or two sentences."""
        best = self.best
        if best is None or best.score is None:
            return self.why_no_best()
        word = "score" if best.measure == "IoU" else best.measure
        others = [one for one in self.contenders if one is not best and one.score is not None and not one.failed]
        if not others:
            return f"Only {best.name} was trained: {word} {best.score_words}."
        rest = ", ".join(f"{one.name} {one.score_words}" for one in others)
        said = f"{best.name} is best: {word} {best.score_words} on the pixels kept for validation ({rest})."
        second = max(others, key=lambda one: one.score or 0.0)
        if may_be_chance(best, second) or best.score_words == second.score_words:
            more = "look at the results" if best.target == "image" else "look at the labels, annotate more"
            said += f" But {second.name} is so near that it may be chance: {more}, or compare again with another seed."
        uneven = max(one.fraction for one in [best, *others]) - min(one.fraction for one in [best, *others]) > 0.05
        return said + (" It was stopped while some had trained longer than others." if uneven else "")

    def rows(self, file_of: Callable[[int], str] = lambda k: "") -> list[dict[str, Any]]:
        """The table: `COLUMNS` of each candidate, None where nothing is known."""
        best = self.best
        return [
            {
                "name": one.name,
                "score": None if one.score is None else round(one.score, 4),
                "measure": one.measure if one.measure == "IoU" else f"{one.measure} (dB)",
                "seconds": round(one.seconds, 2),
                "steps": one.steps,
                "parameters": one.parameters,
                "reach_px": one.reach_px,
                "memory_MB": round(one.memory_bytes / 1e6),
                "best": one is best,
                "file": file_of(k) if one.model is not None else "",
                "failed": one.failed,
            }
            for k, one in enumerate(self.contenders)
        ]


def may_be_chance(one: Contender, other: Contender) -> bool:
    """Whether two scores differ by no more than the standard error of their difference.

    By the jackknife over the validation blocks (Efron 1982), as training judges its own weights (`training.kept`). A
    class that occurs in a single block tells nothing about chance; False where the blocks are not known.
    """
    if one.tables is None or other.tables is None:
        return False
    a, b = (np.asarray(each.tables, np.float64) for each in (one, other))
    without = _psnr(a.sum(0) - a) - _psnr(b.sum(0) - b) if a.ndim == 2 else _iou_without(a, b)
    return bool(abs((one.score or 0.0) - (other.score or 0.0)) <= standard_error(without))


def _iou_without(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far two mean intersections over union differ with each block left out; (N, K, K) tables to (N,)."""
    n_classes = max(1, int((a.sum((0, -1)) > 0).sum()))
    often = (a.sum(-1) > 0).sum(0) >= 2
    found = _iou(a.sum(0) - a)[:, often].sum(-1) - _iou(b.sum(0) - b)[:, often].sum(-1)
    return np.asarray(found / n_classes)


def _iou(tables: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intersection over union of each class; (N, K, K) to (N, K)."""
    both = np.diagonal(tables, axis1=-2, axis2=-1)
    return np.asarray(both / np.maximum(tables.sum(-1) + tables.sum(-2) - both, 1))


def _psnr(tables: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB of (N, 2) squared errors and numbers of values."""
    return np.asarray(-10 * np.log10(np.maximum(tables[:, 0] / np.maximum(tables[:, 1], 1), 1e-12)))

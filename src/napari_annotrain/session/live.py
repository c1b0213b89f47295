from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from psygnal import SignalGroupDescriptor
from pydantic import BaseModel, ConfigDict

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import PRESETS, NetSpec, PredictSpec, Target, TrainSpec

Activity = Literal["idle", "training", "predicting", "comparing"]
#: What `Session.base` may be besides the name of a shipped model.
NOTHING, LAST_MODEL = "none", "last"

#: Older models are forgotten.
MOST_MODELS = 10


class Evented(BaseModel):
    """A validated model that tells when a field changes: ``model.events.<field>.connect(function)``."""

    model_config = ConfigDict(validate_assignment=True, extra="forbid", arbitrary_types_allowed=True)
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()


def score_in_words(score: float, measure: str) -> str:
    """A validation score: "score 0.81", of images "PSNR 31.2 dB"."""
    return f"score {score:.2f}" if measure == "IoU" else f"{measure} {score:.1f} dB"


@dataclass(frozen=True, eq=False)
class Trained:
    """A model and how it came about.

    Attributes
    ----------
    name
        What the panel calls it.
    model
        The `net.model.Model`.
    score
        Its best validation score, 0 to 1, of a model of images in dB; None when nothing could be validated or it was
        opened from a file.
    time
        When it was made or opened, as on the clock of the wall; None where nobody knows.
    """

    name: str
    model: Any
    score: float | None = None
    time: datetime | None = field(default_factory=datetime.now)

    @property
    def score_words(self) -> str:
        """Such as "score 0.81", or "PSNR 31.2 dB"; empty where there is none."""
        images = getattr(getattr(self.model, "card", None), "target", "") == "image"
        return "" if self.score is None else score_in_words(self.score, "PSNR" if images else "IoU")

    def in_words(self) -> str:
        """Such as "model 3 · score 0.81 · 14:05"."""
        score = self.score_words
        clock = "" if self.time is None else f"{self.time:%H:%M}"
        return " · ".join(word for word in (self.name, score, clock) if word)


class Session(Evented):
    """One viewer's work in memory; changed in the main thread only.

    Attributes
    ----------
    target, preset, base, train, predict
        Settings: what the user chose.
    net
        The network, where it is not that of the preset.
    class_names
        By predicted value: annotation value minus one.
    removed_names
        Of classes that were deleted or merged, likewise: their pixels may come back.
    class_colours
        Those the user chose, "#rrggbb", by predicted value.
    models, model
        All models so far, and the one that predicts.
    before
        The model that predicted before it.
    keep_training
        Whether training goes on until it is stopped, and learns what is painted meanwhile.
    rounds
        Of each round of training so far: pixels that were annotated since the one before, where a model had predicted,
        and how many of them it had got wrong.
    accepted_px
        Pixels of predictions that were accepted as annotation, whatever became of them.
    activity
        What is going on. A status: changing it starts and stops nothing.
    status
        One sentence: what happens, or what to do next.
    """

    #: What the session folder keeps of it; models go into files of their own.
    KEPT: ClassVar[tuple[str, ...]] = (
        "accepted_px",
        "target",
        "preset",
        "net",
        "base",
        "train",
        "predict",
        "class_names",
        "removed_names",
        "class_colours",
        "keep_training",
        "rounds",
    )

    target: Target = "classes"
    preset: str = "fast"
    net: NetSpec | None = None
    base: str = NOTHING
    train: TrainSpec = PRESETS["fast"].train
    predict: PredictSpec = PredictSpec()
    class_names: dict[int, str] = {0: "background", 1: "cell"}
    removed_names: dict[int, str] = {}
    class_colours: dict[int, str] = {}
    models: tuple[Trained, ...] = ()
    model: Trained | None = None
    before: Trained | None = None
    keep_training: bool = False
    rounds: tuple[tuple[int, int], ...] = ()
    accepted_px: int = 0
    activity: Activity = "idle"
    status: str = ""

    def keep(self, trained: Trained) -> None:
        """Add a model and make it the one that predicts."""
        self.models = (*self.models, trained)[-MOST_MODELS:]
        self.before, self.model = self.model, trained

    def go_back(self, trained: Trained) -> None:
        """Let one of the models predict; the others stay.

        Raises
        ------
        AnnotrainError
            It is not kept any more.
        """
        if not any(one is trained for one in self.models):
            raise AnnotrainError(f"{trained.name} is not kept any more: choose another model.")
        self.before, self.model = self.model, trained

    def add_round(self, n_annotated: int, n_wrong: int) -> None:
        """Note how much of what was annotated the model had got wrong, before it was trained on it."""
        self.rounds = (*self.rounds, (n_annotated, n_wrong))

    def name_classes(self, names: Mapping[int, str]) -> None:
        """Add to the names of the classes or change them."""
        self.removed_names = {value: name for value, name in self.removed_names.items() if value not in names}
        self.class_names = {**self.class_names, **names}

    def forget_class(self, value: int) -> None:
        """Take a class off the list; its name is remembered for pixels that come back."""
        names = dict(self.class_names)
        self.removed_names = {**self.removed_names, value: names.pop(value, f"class {value}")}
        self.class_names = names

    def add_class(self) -> int:
        """Add a class with a name of its own; its predicted value is returned."""
        value = max(self.class_names, default=0) + 1
        self.name_classes({value: f"class {value}"})
        return value

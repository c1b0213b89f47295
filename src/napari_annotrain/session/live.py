from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from psygnal import SignalGroupDescriptor
from pydantic import BaseModel, ConfigDict

from napari_annotrain.data.annotation import BACKGROUND
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import PRESETS, PredictSpec, Target, TrainSpec, WeightSpec

Activity = Literal["idle", "training", "predicting"]
#: What `Session.base` may be besides the name of a shipped model.
NOTHING, LAST_MODEL = "none", "last"

#: Older models are forgotten.
MOST_MODELS = 10
#: When in so many rounds less than this share was wrong, going on brings little.
ROUNDS_TO_JUDGE, LITTLE_WRONG = 3, 0.02


class Evented(BaseModel):
    """A validated model that tells when a field changes: ``model.events.<field>.connect(function)``."""

    model_config = ConfigDict(validate_assignment=True, extra="forbid", arbitrary_types_allowed=True)
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()


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
        Its best validation score, 0 to 1; None when nothing could be validated or it was opened from a file.
    time
        When it was made or opened, as on the clock of the wall; None where nobody knows.
    """

    name: str
    model: Any
    score: float | None = None
    time: datetime | None = field(default_factory=datetime.now)

    def in_words(self) -> str:
        """Such as "model 3 · score 0.81 · 14:05"."""
        score = "" if self.score is None else f"score {self.score:.2f}"
        clock = "" if self.time is None else f"{self.time:%H:%M}"
        return " · ".join(word for word in (self.name, score, clock) if word)


class Session(Evented):
    """One viewer's work in memory; changed in the main thread only.

    Attributes
    ----------
    target, preset, base, train, predict
        Settings: what the user chose.
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
    activity
        What is going on. A status: changing it starts and stops nothing.
    status
        One sentence: what happens, or what to do next.
    """

    #: What the session folder keeps of it; models go into files of their own.
    KEPT: ClassVar[tuple[str, ...]] = (
        "target",
        "preset",
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


@dataclass(frozen=True)
class Facts:
    """What is there to work with, for the sentences of the panel.

    Attributes
    ----------
    image
        Name of the chosen image; empty without one.
    annotation
        Whether an annotation layer is chosen.
    others
        Number of ticked images that have an annotation.
    painted
        Pixels by annotation value, over the images to train on; 0 left out.
    regions
        Number of complete regions.
    predicted
        Whether there is a prediction of the image.
    problem
        Why neither training nor prediction works on this computer; empty when they do.
    """

    image: str = ""
    annotation: bool = False
    others: int = 0
    painted: Mapping[int, int] | None = None
    regions: int = 0
    target: Target = "classes"
    trained: bool = False
    predicted: bool = False
    problem: str = ""


def what_next(facts: Facts) -> str:
    """One sentence about what to do next."""
    if not facts.image:
        return "Open an image first: drag a file into the window, or take one from File > Open Sample > Annotrain."
    if not facts.annotation:
        return "Press + New layer to get a layer to paint on."
    painted = {value for value, n in (facts.painted or {}).items() if n}
    if not painted and not facts.regions:
        return "Paint over a few cells, then over some background (Alt+1). What stays unpainted is not used."
    if painted <= {BACKGROUND}:
        return "Only background is painted: paint at least one cell as well."
    if BACKGROUND not in painted and not facts.regions and len(painted) < (2 if facts.target == "classes" else 1 << 31):
        return "Paint some background too (Alt+1): nothing is learnt about what you leave unpainted."
    if facts.problem:
        return facts.problem
    if not facts.trained:
        return "Ready: press Train. You can go on painting meanwhile."
    return "Correct what is wrong by painting there, then press Train again; or predict the whole stack."


def why_not_train(facts: Facts) -> str:
    """Why the Train button is grey; empty when it is not."""
    if not facts.image:
        return "There is no image to train on yet."
    if not facts.annotation and not facts.others:
        return "There is no annotation yet: press + New layer and paint."
    return facts.problem


def why_not_predict(facts: Facts) -> str:
    """Why the predict buttons are grey; empty when they are not."""
    if not facts.image:
        return "There is no image to predict yet."
    if not facts.trained:
        return "There is no model yet: train one, or choose one in the step Models."
    return facts.problem


def why_not_paint(facts: Facts) -> str:
    """Why the tools that correct the annotation are grey; empty when they are not."""
    if not facts.image:
        return "There is no image yet."
    return "" if facts.annotation else "There is no annotation yet: press + New layer."


def why_not_accept(facts: Facts) -> str:
    """Why a prediction cannot be accepted as annotation; empty when it can."""
    return why_not_paint(facts) or ("" if facts.predicted else "Nothing is predicted yet: press What I see first (W).")


def shares_of(rounds: Sequence[tuple[int, int]]) -> list[float]:
    """Of each round, the share of what was annotated that the model had got wrong, 0 to 1."""
    return [wrong / max(1, n) for n, wrong in rounds]


def when_to_stop(rounds: Sequence[tuple[int, int]]) -> str:
    """One sentence on whether going on brings much, from how much had to be corrected in the last rounds."""
    if not rounds:
        return ""
    last = rounds[-ROUNDS_TO_JUDGE:]
    share = sum(wrong for _, wrong in last) / max(1, sum(n for n, _ in last))
    when = "In the last round" if len(last) == 1 else f"In the last {len(last)} rounds"
    found = f"{when} the model was wrong on {percent(share)} of what you annotated anew"
    if len(last) < ROUNDS_TO_JUDGE:
        return f"{found}."
    return f"{found}: " + ("going on brings little." if share < LITTLE_WRONG else "it still learns from you.")


def percent(share: float) -> str:
    """Such as "14 %" or "1.2 %"."""
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def why_not_compare(facts: Facts) -> str:
    """Why it cannot be shown what has changed; empty where it can."""
    if not facts.image:
        return "There is no image yet."
    return facts.problem if facts.trained else "There is no model yet: train one, or open one."


def precision_in_words(precision: str) -> str:
    """How precisely the device computes: "half precision (bfloat16)"; of another word the word itself."""
    bits = {"float32": "full", "bfloat16": "half", "float16": "half"}.get(precision)
    return f"{bits} precision ({precision})" if bits else precision


def why_not_weigh(facts: Facts) -> str:
    """Why the button for border weights is grey; empty when it is not."""
    if not facts.image:
        return "There is no image yet."
    return "" if facts.annotation else "There is no annotation yet: press + New layer and paint."


def what_of_weights(target: Target, spec: WeightSpec, annotated: bool, n_cells: int, highest: float) -> str:
    """Say what border weights were found in the planes that are shown, or why there are none.

    Parameters
    ----------
    annotated
        Whether anything is painted there.
    n_cells
        How many cells, or separate pieces of paint.
    highest
        The largest weight.
    """
    if not annotated:
        return "Nothing is painted here: paint two neighbouring cells and the background between them."
    if highest > 0:
        return (
            f"The brightest gaps count about {1 + highest:.2g} times as much as other pixels. Cells may merge where a "
            "gap stays dark: paint background there, or raise the border weight or width."
        )
    if n_cells < 2:
        return "There is no gap between cells here: paint two neighbours and the background between them."
    if spec.border == 0:
        return "The border weight w0 is 0, so that no gap counts more than the rest: raise it in More settings."
    if target == "classes":
        return (
            "No gap counts more here: strokes are known to lie in two cells only where all around the gap is painted "
            "too. Draw a complete region, or choose to paint cells."
        )
    return (
        "No gap counts more here: paint background between cells that are near each other, or raise the border width."
    )

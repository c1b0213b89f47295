"""The sentences of the panel: what to do next, and why something cannot be done now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from napari_annotrain.data.annotation import BACKGROUND
from napari_annotrain.specs import Target, WeightSpec

#: When in so many rounds less than this share was wrong, going on brings little.
ROUNDS_TO_JUDGE, LITTLE_WRONG = 3, 0.02
#: How sentences name buttons, and the steps these are in.
BUTTONS = {"+ new layer": "Annotate", "press train": "Train", "what i see": "Predict", "press measure": "Measure"}


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
    planes
        How many planes the image has.
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
    planes: int = 1
    problem: str = ""


def what_next(facts: Facts) -> str:
    """One sentence about what to do next."""
    if not facts.image:
        return "Open an image first: drag a file into the window, or take one from File > Open Sample > Annotrain."
    if facts.target == "image":
        return _what_next_of_images(facts)
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
    if not facts.predicted:
        return "Press What I see (W) to have the model's labels of this image; then correct what is wrong."
    return f"Correct what is wrong by painting there, then press Train again{or_all(facts.planes)}."


def or_all(planes: int) -> str:
    """What else can be done once an image is predicted and has so many planes; empty for a single one."""
    return "; or predict the whole stack" if planes > 1 else ""


def with_place(sentence: str, steps: Collection[str]) -> str:
    """Add where a button is that a sentence names, for a window that shows only some steps, given by their titles."""
    said = sentence.lower()
    elsewhere = any(words in said and step not in steps for words, step in BUTTONS.items())
    return f"{sentence} That button is not here: press All steps." if elsewhere else sentence


def _what_next_of_images(facts: Facts) -> str:
    if not facts.annotation:
        return NO_TARGET
    if facts.problem:
        return facts.problem
    whole = "stack" if facts.planes > 1 else "image"
    return f"Predict the whole {whole}, or train again." if facts.trained else "Ready: press Train."


NOTHING_PAINTED = "That is for painted classes and cells: this model learns an image."
#: How a model of images can be given something to learn.
NO_TARGET = "Choose the target image, of the same size, or learn from noisy images alone (noise2void)."


def why_not_train(facts: Facts) -> str:
    """Why the Train button is grey; empty when it is not."""
    if not facts.image:
        return "There is no image to train on yet."
    if facts.target == "image" and not facts.annotation:
        return NO_TARGET
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
    if facts.target == "image":
        return NOTHING_PAINTED
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


def why_not_labels(facts: Facts) -> str:
    """Why what is done with classes and cells only cannot be done; empty where it can."""
    return NOTHING_PAINTED if facts.target == "image" else ""


def why_not_doubt(target: str) -> str:
    """Why a model with this target cannot be asked where it is in doubt; empty where it can."""
    return "This model makes images, and is in no doubt about classes: choose another one." if target == "image" else ""


def why_not_weigh(facts: Facts) -> str:
    """Why the button for border weights is grey; empty when it is not."""
    if not facts.image:
        return "There is no image yet."
    if facts.target == "image":
        return NOTHING_PAINTED
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

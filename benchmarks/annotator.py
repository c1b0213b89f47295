"""Labels against effort: a simulated annotator paints where the prediction errs most, and retrains.

    python benchmarks/annotator.py [--sets bbbc039 t98g-phase] [--rounds 10] [--seconds 10]

Nothing is painted at first. In every round two cells are painted whole, with a ring of background: those of one
training image whose overlap with the prediction is lowest, or, where the largest fault is an invented object, some
background over it. Then the model is trained on for some seconds from where it was, and the forest is fitted anew to
the same paint. Both are scored on all `test` images: AP50, objects below 15 px ignored.
"""

import argparse
from dataclasses import dataclass, field

import numpy as np
from few_shot import MIN_SIZE, PAINTED_ON, _grey, read
from kept import Kept
from report import REPOSITORY, table, write_part
from scipy import ndimage as ndi
from simulate import forest

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import BACKGROUND, AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done
from napari_annotrain.metrics import count_cells, pool
from napari_annotrain.net.model import Model
from napari_annotrain.objects.instances import label_cells
from napari_annotrain.specs import PRESETS

RING, CELLS_A_ROUND = 6, 2


@dataclass
class Annotator:
    """Someone who sees the truth and paints what the prediction lacks."""

    truth: np.ndarray
    paint: np.ndarray = field(init=False)
    n_cells: int = 0

    def __post_init__(self) -> None:
        self.paint = np.zeros(self.truth.shape, np.uint16)

    def correct(self, predicted: np.ndarray) -> None:
        """Paint the worst cells, and background over the largest invented object."""
        for cell in self._worst(predicted)[:CELLS_A_ROUND]:
            own = self.truth == cell
            ring = ndi.binary_dilation(own, iterations=RING) & (self.truth == 0)
            self.paint[ring] = BACKGROUND
            self.n_cells += 1
            self.paint[own] = BACKGROUND + self.n_cells
        sizes = np.bincount(predicted.ravel())
        sizes[np.unique(predicted[self.truth > 0])] = 0
        if len(sizes) > 1 and sizes[1:].any():
            self.paint[(predicted == sizes[1:].argmax() + 1) & (self.truth == 0)] = BACKGROUND

    def _worst(self, predicted: np.ndarray) -> list[int]:
        """Cells not painted yet, that with the lowest overlap first; of equal ones the largest."""
        areas, others = np.bincount(self.truth.ravel()), np.bincount(predicted.ravel())
        both = np.zeros((len(areas), len(others)))
        np.add.at(both, (self.truth.ravel(), predicted.ravel()), 1)
        overlap = (both / (areas[:, None] + others - both).clip(1))[:, 1:].max(1, initial=0)
        known = np.unique(self.truth[self.paint > BACKGROUND])
        left = [c for c in np.flatnonzero(areas) if c > 0 and c not in known and areas[c] >= MIN_SIZE]
        return sorted(left, key=lambda c: (round(overlap[c], 2), -areas[c]))


def train(image: AnnotatedImage, last: Model | None, seconds: float) -> Model:
    spec = PRESETS["fast"].train.model_copy(update={"seconds": seconds})
    events = api.iter_training([image], target="cells", base=last, spec=spec)
    return [event.result for event in events if isinstance(event, Done)][-1]


def measure(name: str, with_forest: bool, rounds: int, seconds: float) -> list[tuple[int, float, float]]:
    """(cells painted, seconds of training, AP50) after every round."""
    pairs, tests = read(name, "train"), read(name, "test")
    image, truth = pairs[PAINTED_ON[name] % len(pairs)]
    annotator, last, found = Annotator(truth), None, []
    predicted = np.zeros(truth.shape, np.int32)
    for done in range(1, rounds + 1):
        annotator.correct(predicted)
        if with_forest:
            fitted = forest(_grey(image), np.minimum(annotator.paint, 2))

            def predict(other: np.ndarray, fitted: object = fitted) -> np.ndarray:
                return label_cells(fitted(_grey(other)) == 2)
        else:
            last = train(AnnotatedImage(Stack.of(image, "YX"), Stack.of(annotator.paint, "YX")), last, seconds)

            def predict(other: np.ndarray, model: Model = last) -> np.ndarray:
                return at.predict(model, other)

        predicted = predict(image)
        scores = pool([count_cells(predict(i), t, MIN_SIZE) for i, t in tests]).scores()
        found.append((annotator.n_cells, done * seconds, round(scores["ap50"], 4)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["bbbc039", "t98g-phase"])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    kept, rows = Kept("annotator"), []
    api.warm_up()
    curves = {}
    for name in given.sets:
        for who, with_forest in (("ours", False), ("forest", True)):
            curves[name, who] = kept.row(
                f"{name} {who}", lambda n=name, f=with_forest: measure(n, f, given.rounds, given.seconds)
            )
        both = zip(curves[name, "ours"], curves[name, "forest"], strict=True)
        rows += [
            (name, cells, f"{s:.0f} s", ours, trees_cells, trees) for (cells, s, ours), (trees_cells, _, trees) in both
        ]
    draw(curves)
    head = ("set", "cells painted", "trained for", "ours, AP50", "cells painted for the forest", "forest, AP50")
    write_part("annotator", f"{kept.measured()}\n\n{table(head, rows)}", REPOSITORY / "docs" / "quality.md")


def draw(curves: dict[tuple[str, str], list[tuple[int, float, float]]]) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len({name for name, _ in curves}), figsize=(9, 3.4), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], dict.fromkeys(name for name, _ in curves), strict=True):
        for who, style in (("ours", "o-"), ("forest", "s--")):
            axis.plot([c for c, *_ in curves[name, who]], [a for *_, a in curves[name, who]], style, label=who)
        axis.set(title=name, xlabel="cells painted", ylim=(0, 1))
        cells, seconds, _ = curves[name, "ours"][-1]
        a_cell = seconds / max(1, cells)
        trained = axis.secondary_xaxis("top", functions=(lambda c, s=a_cell: c * s, lambda t, s=a_cell: t / s))
        trained.set_xlabel("seconds of training (ours)")
    axes[0][0].set_ylabel("AP50 on the test images")
    axes[0][0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(REPOSITORY / "docs" / "images" / "annotator.svg")


if __name__ == "__main__":
    main()

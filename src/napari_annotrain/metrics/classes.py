from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_annotrain.metrics.arithmetic import Scores, add_tuples, ratio
from napari_annotrain.metrics.overlaps import count_overlaps, totals


@dataclass(frozen=True)
class ClassCounts:
    """Pixels of each class, on which `iou` and `dice` rest.

    Attributes
    ----------
    pixels
        (in both, in the prediction, in the truth), in pixels, by class value; 0 is the background.
    """

    pixels: Mapping[int, tuple[int, ...]]

    def __add__(self, other: "ClassCounts") -> "ClassCounts":
        """Pool two sets of images."""
        nothing = (0, 0, 0)
        return ClassCounts(
            {
                value: add_tuples(self.pixels.get(value, nothing), other.pixels.get(value, nothing))
                for value in sorted({*self.pixels, *other.pixels})
            }
        )

    def scores(self) -> Scores:
        """``{"iou": {class: value}, "dice": {class: value}}``, 0 to 1; None for a class absent from both sides.

        IoU = both / (prediction + truth - both), Dice = 2 both / (prediction + truth).
        """
        counts = sorted(self.pixels.items())
        return {
            "iou": {str(value): ratio(both, found + true - both) for value, (both, found, true) in counts},
            "dice": {str(value): ratio(2 * both, found + true) for value, (both, found, true) in counts},
        }


def count_classes(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> ClassCounts:
    """Count the pixels of each class, for `ClassCounts.scores`.

    Parameters
    ----------
    prediction, truth
        Class values of any one shape, 0 the background.

    Raises
    ------
    AnnotrainError
        The shapes differ, or values are fractions or negative.
    """
    found, true, n, found_values, true_values = count_overlaps(prediction, truth)
    values = np.union1d(np.append(found_values, 0), true_values).astype(int)
    found, true = np.searchsorted(values, found_values)[found], np.searchsorted(values, true_values)[true]
    same = found == true
    columns = [totals(ids, sizes, len(values)) for ids, sizes in ((found[same], n[same]), (found, n), (true, n))]
    return ClassCounts({int(v): (int(b), int(f), int(t)) for v, b, f, t in zip(values, *columns, strict=True)})


def score_classes(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> Scores:
    """Score one image class by class: `count_classes`, then `ClassCounts.scores`."""
    return count_classes(prediction, truth).scores()

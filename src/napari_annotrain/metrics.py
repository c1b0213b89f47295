"""How far a prediction and a truth agree, class by class or cell by cell.

Everything is counted first and divided last. Counts add, so one image, the mean over images and the pooled score
over all of them come from the same lines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from functools import reduce
from operator import add
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_annotrain.errors import AnnotrainError

#: A score is a number, a table of scores, or None where it is undefined.
Scores = dict[str, Any]
Ints = npt.NDArray[np.int64]
#: Thresholds of the intersection over union, in twentieths: 0.50, 0.55, ... 0.95. Twentieths compare exactly.
TWENTIETHS = range(10, 20)


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
                value: _add_tuples(self.pixels.get(value, nothing), other.pixels.get(value, nothing))
                for value in sorted({*self.pixels, *other.pixels})
            }
        )

    def scores(self) -> Scores:
        """``{"iou": {class: value}, "dice": {class: value}}``, 0 to 1; None for a class absent from both sides.

        IoU = both / (prediction + truth - both), Dice = 2 both / (prediction + truth).
        """
        counts = sorted(self.pixels.items())
        return {
            "iou": {str(value): _ratio(both, found + true - both) for value, (both, found, true) in counts},
            "dice": {str(value): _ratio(2 * both, found + true) for value, (both, found, true) in counts},
        }


@dataclass(frozen=True)
class CellCounts:
    """Matched objects and pixel pairs, on which the scores of cells rest.

    Attributes
    ----------
    matched
        True positives at each threshold of the intersection over union (IoU), 0.50, 0.55, ... 0.95.
    n_predicted, n_true
        Objects on each side.
    iou_sum
        Sum of the IoU over the pairs matched at 0.50.
    seg_sum
        Sum over truth objects of the Jaccard index with the predicted object that covers more than half of it.
    pairs_both, pairs_predicted, pairs_true
        Twice the number of pixel pairs that lie in one object of both sides, of the prediction, of the truth.
    pixels
        Pixels of truth objects.
    split_bits, merge_bits
        Conditional entropies in bits, times `pixels`: of the prediction given the truth, and the other way.
    """

    matched: tuple[int, ...] = field(default=(0,) * len(TWENTIETHS))
    n_predicted: int = 0
    n_true: int = 0
    iou_sum: float = 0.0
    seg_sum: float = 0.0
    pairs_both: int = 0
    pairs_predicted: int = 0
    pairs_true: int = 0
    pixels: int = 0
    split_bits: float = 0.0
    merge_bits: float = 0.0

    def __add__(self, other: "CellCounts") -> "CellCounts":
        """Pool two sets of images, as if they lay side by side and shared no object, background included."""
        matched = _add_tuples(self.matched, other.matched)
        return CellCounts(matched, *_add_tuples(astuple(self)[1:], astuple(other)[1:]))

    def scores(self) -> Scores:
        """All scores of cells; None where a score is undefined.

        With TP, FP, FN the matched, the surplus predicted and the missed truth objects:

        - ``ap`` = TP / (TP + FP + FN) at each threshold, ``ap50`` and ``map`` the first and their mean (Caicedo et
          al. 2019, Nature Methods 16:1247), ``f1_50`` = 2 TP / (2 TP + FP + FN), ``pq_50`` = sum of the matched IoU
          / (TP + FP/2 + FN/2) (Kirillov et al. 2019, CVPR, equation 1): 0 to 1, and 1 where neither side has an
          object;
        - ``seg``, mean Jaccard index over the truth objects (Maška et al. 2014, Bioinformatics 30:1609, section
          "Accuracy"): 0 to 1;
        - ``rand_error``, the adapted Rand error, 0 (best) to 1 (Arganda-Carreras et al. 2015, Frontiers in
          Neuroanatomy 9:142), and ``vi_split``, ``vi_merge``, the two halves of the variation of information in
          bits, 0 is best (Meilă 2007, Journal of Multivariate Analysis 98:873). They see truth objects only and
          are undefined without any.
        """
        either = self.n_predicted + self.n_true
        ap = [tp / (either - tp) if either else 1.0 for tp in self.matched]
        agreement = _ratio(2 * self.pairs_both, self.pairs_predicted + self.pairs_true)
        return {
            "ap": {f"{k / 20:.2f}": value for k, value in zip(TWENTIETHS, ap, strict=True)},
            "ap50": ap[0],
            "map": sum(ap) / len(ap),
            "f1_50": _ratio(2 * self.matched[0], either, empty=1.0),
            "pq_50": _ratio(2 * self.iou_sum, either, empty=1.0),
            "seg": _ratio(self.seg_sum, self.n_true),
            "rand_error": None if agreement is None else 1.0 - agreement,
            "vi_split": _ratio(self.split_bits, self.pixels),
            "vi_merge": _ratio(self.merge_bits, self.pixels),
        }


Counts = TypeVar("Counts", ClassCounts, CellCounts)


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
    found, true, n, found_values, true_values = _contingency(prediction, truth)
    values = np.union1d(np.append(found_values, 0), true_values).astype(int)
    found, true = np.searchsorted(values, found_values)[found], np.searchsorted(values, true_values)[true]
    same = found == true
    columns = [_totals(ids, sizes, len(values)) for ids, sizes in ((found[same], n[same]), (found, n), (true, n))]
    return ClassCounts({int(v): (int(b), int(f), int(t)) for v, b, f, t in zip(values, *columns, strict=True)})


def count_cells(prediction: npt.ArrayLike, truth: npt.ArrayLike, min_size: int = 0) -> CellCounts:
    """Match objects and count pixel pairs, for `CellCounts.scores`.

    An object is all pixels of one value above 0, wherever they lie, in two or in three dimensions.

    Parameters
    ----------
    prediction, truth
        Object ids of any one shape, 0 the background.
    min_size
        Objects of fewer pixels become background, on both sides.

    Raises
    ------
    AnnotrainError
        The shapes differ, or values are fractions or negative.
    """
    found, true, n, found_values, true_values = _contingency(prediction, truth)
    found = _without_small(found, n, found_values, min_size)
    true = _without_small(true, n, true_values, min_size)
    found, true, n = _merge(found, true, n)
    found_size, true_size = _totals(found, n), _totals(true, n)
    objects = (found > 0) & (true > 0)
    sizes = n[objects], found_size[found[objects]], true_size[true[objects]]
    matched, iou_sum = _match(found[objects], true[objects], *sizes)
    return CellCounts(
        matched=matched,
        n_predicted=int(np.count_nonzero(found_size[1:])),
        n_true=int(np.count_nonzero(true_size[1:])),
        iou_sum=iou_sum,
        seg_sum=_seg_sum(*sizes),
        **_pairs(found[true > 0], true[true > 0], n[true > 0]),
    )


def score_classes(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> Scores:
    """Score one image class by class: `count_classes`, then `ClassCounts.scores`."""
    return count_classes(prediction, truth).scores()


def score_cells(prediction: npt.ArrayLike, truth: npt.ArrayLike, min_size: int = 0) -> Scores:
    """Score one image cell by cell: `count_cells`, then `CellCounts.scores`."""
    return count_cells(prediction, truth, min_size).scores()


def pool(counts: Iterable[Counts]) -> Counts:
    """Sum the counts of at least one image; Rand and VI as if the images lay side by side (see `CellCounts`)."""
    return reduce(add, counts)


def summarise(images: Mapping[str, Counts]) -> dict[str, Scores]:
    """Score several images: ``{"images": {name: scores}, "mean": scores, "pooled": scores}``.

    The mean leaves out images whose score is undefined. Every image names every class that occurs in any of them.

    Raises
    ------
    AnnotrainError
        There is no image.
    """
    if not images:
        raise AnnotrainError("There is nothing to evaluate: give at least one prediction with its truth.")
    pooled = pool(images.values())
    if isinstance(pooled, ClassCounts):
        absent = ClassCounts(dict.fromkeys(pooled.pixels, (0, 0, 0)))
        each = {name: (counts + absent).scores() for name, counts in images.items()}
    else:
        each = {name: counts.scores() for name, counts in images.items()}
    return {"images": each, "mean": _mean(list(each.values())), "pooled": pooled.scores()}


def _contingency(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Ints, Ints, Ints, Any, Any]:
    """Pixels in common of each predicted and each true value: ids from 0, ids from 0, pixels, values, values."""
    found, true = np.asarray(prediction), np.asarray(truth)
    if found.shape != true.shape:
        raise AnnotrainError(
            f"The prediction is {_words(found)} but the truth is {_words(true)}: compare images of the same shape."
        )
    for name, array in (("prediction", found), ("truth", true)):
        _check_labels(name, array)
    found, true = found.ravel(), true.ravel()
    # labels come in long runs of equal values: counting runs is many times faster than counting pixels
    edges = np.flatnonzero((found[1:] != found[:-1]) | (true[1:] != true[:-1])) + 1
    starts = np.concatenate([np.zeros(min(1, found.size), np.int64), edges])
    lengths = np.diff(np.append(starts, found.size))
    found_values, found_ids = np.unique(found[starts], return_inverse=True)
    true_values, true_ids = np.unique(true[starts], return_inverse=True)
    return *_merge(found_ids, true_ids, lengths), found_values, true_values


def _check_labels(name: str, array: npt.NDArray[Any]) -> None:
    whole = array.dtype.kind in "bui" or (array.dtype.kind == "f" and np.array_equal(array, np.round(array)))
    if not whole:
        raise AnnotrainError(f"The {name} holds fractions: give a label image of whole numbers.")
    if array.size and array.min() < 0:
        raise AnnotrainError(f"The {name} holds negative values: give a label image with 0 for background.")


def _merge(found: Ints, true: Ints, n: Ints) -> tuple[Ints, Ints, Ints]:
    """Sum the entries of equal (found, true)."""
    width = int(true.max(initial=0)) + 1
    keys, which = np.unique(found.astype(np.int64) * width + true, return_inverse=True)
    return keys // width, keys % width, _totals(which, n, len(keys))


def _totals(ids: Ints, n: Ints, length: int = 0) -> Ints:
    """Sum `n` over equal ids; float64 holds every whole number up to 2**53 exactly."""
    return np.bincount(ids, weights=n, minlength=length).astype(np.int64)


def _without_small(ids: Ints, n: Ints, values: npt.NDArray[Any], min_size: int) -> Ints:
    """Ids in which 0 is background and too small objects; others stay distinct, above 0."""
    kept = (_totals(ids, n, len(values)) >= min_size) & (values > 0)
    new_ids = np.where(kept, np.arange(1, len(values) + 1), 0)
    return np.asarray(new_ids[ids], np.int64)


def _match(found: Ints, true: Ints, both: Ints, found_size: Ints, true_size: Ints) -> tuple[tuple[int, ...], float]:
    """Largest one-to-one matching at each threshold, and the sum of the IoU of the one at 0.50.

    Above one half a pair excludes every other: both > either / 2 >= size / 2 on each side. At exactly one half,
    two pairs can share an object only when they are its two halves. The pairs are thus stars, a forest, and the
    largest matching takes one pair of each tree: trees = objects - pairs.
    """
    either = found_size + true_size - both
    matched = [int(np.count_nonzero(20 * both >= k * either)) for k in TWENTIETHS]
    good = 2 * both >= either
    matched[0] = len(np.unique(found[good])) + len(np.unique(true[good])) - matched[0]
    shared = int(np.count_nonzero(good)) - matched[0]
    return tuple(matched), float(np.sum(both[good] / either[good])) - 0.5 * shared


def _seg_sum(both: Ints, found_size: Ints, true_size: Ints) -> float:
    covering = 2 * both > true_size
    return float(np.sum((both / (found_size + true_size - both))[covering]))


def _pairs(found: Ints, true: Ints, n: Ints) -> dict[str, Any]:
    """Pixel pairs and entropies inside the truth objects; what is not predicted there counts as one segment."""
    found_size, true_size = _totals(found, n), _totals(true, n)
    pixels = int(n.sum())

    def pairs(sizes: Ints) -> int:
        return int(sizes @ sizes) - pixels

    return {
        "pairs_both": pairs(n),
        "pairs_predicted": pairs(found_size),
        "pairs_true": pairs(true_size),
        "pixels": pixels,
        "split_bits": float(n @ np.log2(true_size[true] / n)),
        "merge_bits": float(n @ np.log2(found_size[found] / n)),
    }


def _ratio(part: float, whole: float, empty: float | None = None) -> float | None:
    return float(part) / whole if whole else empty


def _add_tuples(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(a + b for a, b in zip(left, right, strict=True))


def _mean(tables: list[Scores]) -> Scores:
    """Mean of nested scores of one form, None left out; None where all are."""
    mean: Scores = {}
    for key, first in tables[0].items():
        column = [table[key] for table in tables]
        known = [value for value in column if value is not None]
        mean[key] = _mean(column) if isinstance(first, dict) else _ratio(sum(known), len(known))
    return mean


def _words(array: npt.NDArray[Any]) -> str:
    return " x ".join(str(n) for n in array.shape)

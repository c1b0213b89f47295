from dataclasses import astuple, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.metrics.arithmetic import Scores, add_tuples, ratio
from napari_annotrain.metrics.overlaps import Ints, count_overlaps, merge, totals

#: Thresholds of the intersection over union, in twentieths: 0.50, 0.55, ... 0.95. Twentieths compare exactly.
TWENTIETHS = range(10, 20)


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
        matched = add_tuples(self.matched, other.matched)
        return CellCounts(matched, *add_tuples(astuple(self)[1:], astuple(other)[1:]))

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
        agreement = ratio(2 * self.pairs_both, self.pairs_predicted + self.pairs_true)
        return {
            "ap": {f"{k / 20:.2f}": value for k, value in zip(TWENTIETHS, ap, strict=True)},
            "ap50": ap[0],
            "map": sum(ap) / len(ap),
            "f1_50": ratio(2 * self.matched[0], either, empty=1.0),
            "pq_50": ratio(2 * self.iou_sum, either, empty=1.0),
            "seg": ratio(self.seg_sum, self.n_true),
            "rand_error": None if agreement is None else 1.0 - agreement,
            "vi_split": ratio(self.split_bits, self.pixels),
            "vi_merge": ratio(self.merge_bits, self.pixels),
        }


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
    found, true, n, found_values, true_values = count_overlaps(prediction, truth)
    found = _without_small(found, n, found_values, min_size)
    true = _without_small(true, n, true_values, min_size)
    found, true, n = merge(found, true, n)
    found_size, true_size = totals(found, n), totals(true, n)
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


def score_cells(prediction: npt.ArrayLike, truth: npt.ArrayLike, min_size: int = 0) -> Scores:
    """Score one image cell by cell: `count_cells`, then `CellCounts.scores`."""
    return count_cells(prediction, truth, min_size).scores()


def _without_small(ids: Ints, n: Ints, values: npt.NDArray[Any], min_size: int) -> Ints:
    """Ids in which 0 is background and too small objects; others stay distinct, above 0."""
    kept = (totals(ids, n, len(values)) >= min_size) & (values > 0)
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
    found_size, true_size = totals(found, n), totals(true, n)
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

"""How many pixels each predicted and each true value have in common; all scores rest on it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.errors import AnnotrainError

Ints = npt.NDArray[np.int64]


def count_overlaps(prediction: npt.ArrayLike, truth: npt.ArrayLike) -> tuple[Ints, Ints, Ints, Any, Any]:
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
    return *merge(found_ids, true_ids, lengths), found_values, true_values


def merge(found: Ints, true: Ints, n: Ints) -> tuple[Ints, Ints, Ints]:
    """Sum the entries of equal (found, true)."""
    width = int(true.max(initial=0)) + 1
    keys, which = np.unique(found.astype(np.int64) * width + true, return_inverse=True)
    return keys // width, keys % width, totals(which, n, len(keys))


def totals(ids: Ints, n: Ints, length: int = 0) -> Ints:
    """Sum `n` over equal ids; float64 holds every whole number up to 2**53 exactly."""
    return np.bincount(ids, weights=n, minlength=length).astype(np.int64)


def _check_labels(name: str, array: npt.NDArray[Any]) -> None:
    whole = array.dtype.kind in "bui" or (array.dtype.kind == "f" and np.array_equal(array, np.round(array)))
    if not whole:
        raise AnnotrainError(f"The {name} holds fractions: give a label image of whole numbers.")
    if array.size and array.min() < 0:
        raise AnnotrainError(f"The {name} holds negative values: give a label image with 0 for background.")


def _words(array: npt.NDArray[Any]) -> str:
    return " x ".join(str(n) for n in array.shape)

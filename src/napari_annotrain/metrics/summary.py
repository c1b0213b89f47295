from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add
from typing import TypeVar

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.metrics.arithmetic import Scores, ratio
from napari_annotrain.metrics.cells import CellCounts
from napari_annotrain.metrics.classes import ClassCounts
from napari_annotrain.metrics.images import ImageCounts

Counts = TypeVar("Counts", ClassCounts, CellCounts, ImageCounts)


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


def _mean(tables: list[Scores]) -> Scores:
    """Mean of nested scores of one form, None left out; None where all are."""
    mean: Scores = {}
    for key, first in tables[0].items():
        column = [table[key] for table in tables]
        known = [value for value in column if value is not None]
        mean[key] = _mean(column) if isinstance(first, dict) else ratio(sum(known), len(known))
    return mean

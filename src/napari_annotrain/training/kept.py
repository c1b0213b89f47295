"""Which of the weights that validation has scored are kept."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_annotrain.training.state import Weights
from napari_annotrain.training.validate import class_iou, mean_iou


@dataclass(frozen=True, eq=False)
class Kept:
    """The weights to give to the user: the latest, unless validation shows that they are worse than earlier ones.

    On few held-out blocks the score jumps by chance, and the highest one marks luck rather than the best network. So
    the latest weights are kept unless they score lower than the highest score by more than the standard error of that
    difference (the one-standard-error rule of Breiman et al. 1984, Classification and Regression Trees, section 3.4.3;
    the error by the jackknife over the blocks, Efron 1982).

    Attributes
    ----------
    weights, score
        What is kept, and its mean intersection over union; None and -1 before the first validation.
    highest
        (N, K, K) confusion table of every block at the highest score so far; None before, and in states that older
        versions wrote: then any lower score counts as worse.
    """

    weights: Weights | None = None
    score: float = -1.0
    highest: torch.Tensor | None = None

    def after(self, tables: torch.Tensor, weights: Callable[[], Weights]) -> tuple["Kept", bool]:
        """What is kept after a validation with this (N, K, K) confusion, and whether it is the weights just scored."""
        score = mean_iou(tables.sum(0)).item()
        if self.highest is None:
            new, higher = score >= self.score, True
        elif not _same_pixels(self.highest, tables):  # the annotation has changed: nothing can be compared
            new = higher = True
        else:
            fall = mean_iou(self.highest.sum(0)).item() - score
            new, higher = fall <= _standard_error(self.highest, tables), fall <= 0
        highest = tables if higher else self.highest
        return (Kept(weights(), score, highest) if new else Kept(self.weights, self.score, highest)), new


def _same_pixels(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a.sum(-1), b.sum(-1))


def _standard_error(a: torch.Tensor, b: torch.Tensor) -> float:
    """Standard error of the difference of two mean scores over the same blocks, each block left out once.

    A class that occurs in a single block tells nothing about chance and adds no error.
    """
    n, often = len(a), (a.sum(-1) > 0).sum(0) >= 2
    without = class_iou(a.sum(0) - a) - class_iou(b.sum(0) - b)
    mean = without[:, often].sum(-1) / max(1, int((a.sum((0, -1)) > 0).sum()))
    return ((n - 1) / n * (mean - mean.mean()).square().sum()).sqrt().item()

"""Which of the weights that validation has scored are kept."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_annotrain.training.paired_score import psnr
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
        What is kept, and its score (`total_score`); None and -1 before the first validation.
    highest
        (N, K, K) confusion table, or (N, 2) squared error and number of values, of every block at the highest score so
        far; None before, and in states that older versions wrote: then any lower score counts as worse.
    """

    weights: Weights | None = None
    score: float = -1.0
    highest: torch.Tensor | None = None

    def after(self, tables: torch.Tensor, weights: Callable[[], Weights]) -> tuple["Kept", bool]:
        """What is kept after a validation with these tables, and whether it is the weights just scored."""
        score = total_score(tables)
        if self.highest is None:
            new, higher = self.weights is None or score >= self.score, True
        elif not _same_pixels(self.highest, tables):  # the annotation has changed: nothing can be compared
            new = higher = True
        else:
            fall = total_score(self.highest) - score
            new, higher = fall <= _standard_error(self.highest, tables), fall <= 0
        highest = tables if higher else self.highest
        return (Kept(weights(), score, highest) if new else Kept(self.weights, self.score, highest)), new


def total_score(tables: torch.Tensor) -> float:
    """Mean intersection over union of (N, K, K) confusion tables, or PSNR in dB of (N, 2) errors, over all blocks."""
    return (mean_iou if tables.ndim == 3 else psnr)(tables.sum(0)).item()


def _same_pixels(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.ndim == 2:
        return a.shape == b.shape and torch.equal(a[:, 1], b[:, 1])
    return a.shape == b.shape and torch.equal(a.sum(-1), b.sum(-1))


def _standard_error(a: torch.Tensor, b: torch.Tensor) -> float:
    """Standard error of the difference of two mean scores over the same blocks, each block left out once.

    A class that occurs in a single block tells nothing about chance and adds no error.
    """
    n = len(a)
    if a.ndim == 2:
        mean = psnr(a.sum(0) - a) - psnr(b.sum(0) - b)
        return ((n - 1) / n * (mean - mean.mean()).square().sum()).sqrt().item()
    often = (a.sum(-1) > 0).sum(0) >= 2
    without = class_iou(a.sum(0) - a) - class_iou(b.sum(0) - b)
    mean = without[:, often].sum(-1) / max(1, int((a.sum((0, -1)) > 0).sum()))
    return ((n - 1) / n * (mean - mean.mean()).square().sum()).sqrt().item()

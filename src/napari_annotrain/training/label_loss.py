"""Losses for labels: every term sees annotated pixels only, and a batch in parts gives the same gradient."""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from napari_annotrain.specs import LossSpec
from napari_annotrain.training.loss import weighted_cross_entropy

#: 1 - p of a pixel is not taken for smaller, where its power would have no derivative.
LEAST_DOUBT = 1e-12


def label_loss(scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, spec: LossSpec) -> torch.Tensor:
    """The weighted sum of terms that a spec asks for.

    Each term is a mean: of pixels with their weights (cross-entropy, focal), or of patches with the summed weight of
    their annotated pixels (Dice, Tversky, each a ratio within one patch). Parts of a batch, each times its share of
    the summed weight, therefore add up to the loss of the batch.

    Parameters
    ----------
    scores
        (B, K, Y, X) unnormalised.
    target
        (B, Y, X) int64 class index; negative where not annotated.
    weight
        (B, Y, X) float32; 0 where not annotated.
    """
    terms: list[torch.Tensor] = []
    if spec.cross_entropy:
        terms.append(spec.cross_entropy * weighted_cross_entropy(scores, target, weight))
    if spec.focal:
        terms.append(spec.focal * focal(scores, target, weight, spec.gamma))
    if spec.dice:
        terms.append(spec.dice * soft_dice(scores, target, weight))
    if spec.tversky:
        terms.append(spec.tversky * tversky(scores, target, weight, spec.alpha, spec.beta))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def focal(scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, gamma: float) -> torch.Tensor:
    """Cross-entropy times (1 - p)^gamma, p that of the right class (Lin et al. 2017, equation 4); see `label_loss`.

    The balancing factor of equation 5 is the weight of the pixel, which holds the balance of the classes.
    """
    entropy = cross_entropy(scores.float(), target.clamp(min=0), reduction="none")
    doubt = -torch.expm1(-entropy)
    weight = torch.where(target >= 0, weight, 0)
    loss = doubt.clamp(min=LEAST_DOUBT) ** gamma * entropy
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)


def soft_dice(scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """1 - 2 sum(p g) / (sum(p^2) + sum(g^2)) of every class (Milletari et al. 2016, section 3); see `label_loss`.

    The sums run over the annotated pixels of a patch, each counted once, as the ratio balances the classes itself.
    """

    def overlap(right: torch.Tensor, p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return 2 * right / ((p * p).sum((2, 3)) + g.sum((2, 3))).clamp(min=1e-6)

    return _mean_of_patches(scores, target, weight, overlap)


def tversky(
    scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, alpha: float, beta: float
) -> torch.Tensor:
    """1 - TP / (TP + alpha FP + beta FN) of every class (Salehi et al. 2017, equation 1); see `label_loss`.

    Counts are sums of probabilities over the annotated pixels of a patch; 1/2 and 1/2 give Dice without squares.
    """

    def overlap(right: torch.Tensor, p: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        wrong, missed = p.sum((2, 3)) - right, g.sum((2, 3)) - right
        return right / (right + alpha * wrong + beta * missed).clamp(min=1e-6)

    return _mean_of_patches(scores, target, weight, overlap)


_Overlap = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def _mean_of_patches(
    scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, overlap: _Overlap
) -> torch.Tensor:
    """Mean of 1 - overlap over the classes that occur among the annotated pixels of a patch, and over the patches.

    A class that does not occur has overlap 0 whatever is predicted, and would only add a constant; what is wrongly
    given to it is missed by another class.
    """
    known = target >= 0
    truth = torch.zeros_like(scores, dtype=torch.float32)
    truth.scatter_(1, target.clamp(min=0)[:, None], 1.0)
    truth = truth * known[:, None]  # (B, K, Y, X)
    p = scores.float().softmax(1) * known[:, None]
    occurs = truth.amax((2, 3))  # (B, K)
    lost = 1 - overlap((p * truth).sum((2, 3)), p, truth)
    of_patch = (lost * occurs).sum(1) / occurs.sum(1).clamp(min=1)
    amount = torch.where(known, weight, 0).sum((1, 2))
    return (of_patch * amount).sum() / amount.sum().clamp(min=1e-6)

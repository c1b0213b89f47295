import torch
from torch.nn.functional import cross_entropy, smooth_l1_loss

#: Errors of a distance below this count squared.
SMOOTH = 0.1


def weighted_cross_entropy(scores: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Pixel-wise softmax and weighted cross-entropy (equation 1 of Ronneberger et al. 2015) over annotated pixels.

    The loss is masked, not the scores, and divided by the summed weight, so that its size does not hang on how much
    is annotated.

    Parameters
    ----------
    scores
        (B, K, Y, X) unnormalised.
    target
        (B, Y, X) int64 class index; negative where not annotated.
    weight
        (B, Y, X) float32; 0 where not annotated.
    """
    loss = cross_entropy(scores.float(), target.clamp(min=0), reduction="none")
    weight = torch.where(target >= 0, weight, 0)
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)


def weighted_smooth_l1(scores: torch.Tensor, distance: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Smooth L1 loss of distance maps over annotated pixels, as Scherr et al. 2020 train them.

    Parameters
    ----------
    scores, distance
        (B, Y, X), the second 0 to 1.
    weight
        (B, Y, X) float32; 0 where not annotated.
    """
    loss = smooth_l1_loss(scores.float(), distance, reduction="none", beta=SMOOTH)
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)

"""How far an image made by a network is from the one it should be."""

from dataclasses import dataclass

import torch
from torch.nn.functional import conv2d

from napari_annotrain.specs import ImageSpec

#: Side and sigma of the window of SSIM, in px, and its constants for a range of 1 (Wang et al. 2004, section III C).
WINDOW, SIGMA, C1, C2 = 11, 1.5, 0.01**2, 0.03**2


@dataclass(frozen=True)
class ImageLoss:
    """Weighted sum of squared error, absolute error and 1 - SSIM over the pixels that are known.

    Attributes
    ----------
    spec
        The shares.
    """

    spec: ImageSpec

    def __call__(self, made: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """The loss of a batch.

        Parameters
        ----------
        made
            (B, K, Y, X), any precision.
        maps
            (B, 2 + K or 2 + 2 K, Y, X) float32: see `finish`.
        """
        weight = maps[:, 1:2]
        made, target = finish(made, maps)
        total = weight.sum().clamp(min=1e-6) * target.shape[1]
        error, loss = made - target, made.new_zeros(())
        if self.spec.mse:
            loss = loss + self.spec.mse * (error.square() * weight).sum() / total
        if self.spec.mae:
            loss = loss + self.spec.mae * (error.abs() * weight).sum() / total
        if self.spec.ssim:
            loss = loss + self.spec.ssim * (1 - mean_ssim(made, target, weight))
        return loss


def finish(made: torch.Tensor, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The image that a network makes, and the one it should be: both (B, K, Y, X) float32.

    Parameters
    ----------
    made
        (B, K, Y, X) what comes out of the network.
    maps
        Known, weight (0 where it is not), target, and where the network makes a residual the image to add it to.
    """
    n = made.shape[1]
    target, image = maps[:, 2 : 2 + n], maps[:, 2 + n :]
    return (made.float() + image if image.shape[1] else made.float()), target


def mean_ssim(a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean structural similarity (Wang et al. 2004, equation 13) of the windows in which everything is known.

    1, which costs nothing, where there is no such window.

    Parameters
    ----------
    a, b
        (B, K, Y, X), in units of the intensity range.
    weight
        (B, 1, Y, X); 0 where not known.
    """
    if min(a.shape[-2:]) < WINDOW:
        return 1 + 0 * a.sum()  # which has a gradient: none
    n = a.shape[1]
    at = torch.arange(WINDOW, dtype=torch.float32, device=a.device) - WINDOW // 2
    line = torch.exp(-(at**2) / (2 * SIGMA**2))
    line = (line / line.sum()).view(1, 1, -1)

    def blur(x: torch.Tensor) -> torch.Tensor:
        rows, columns = line.expand(n, 1, -1)[..., None], line.expand(n, 1, -1)[:, :, None]
        return conv2d(conv2d(x, rows, groups=n), columns, groups=n)

    with torch.autocast(a.device.type, enabled=False):  # differences of squares need all digits
        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
        both = blur(a * b) - mean_a * mean_b
        ssim = (2 * mean_a * mean_b + C1) * (2 * both + C2)
        ssim = ssim / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))
        whole = torch.ones(1, 1, WINDOW, WINDOW, device=a.device)
        known = conv2d((weight > 0).float(), whole) > WINDOW**2 - 0.5
    known = known.expand_as(ssim)
    return ssim[known].mean() if known.any() else 1 + 0 * a.sum()

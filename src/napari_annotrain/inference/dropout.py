"""Networks drawn by dropout at prediction (Gal and Ghahramani 2016), the same ones in every tile."""

import torch
from torch import nn

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Model
from napari_annotrain.net.unet import UNet

#: Below it lie the random numbers of `_draw`.
RANGE = 1 << 24
#: What SELU tends to far below zero; alpha dropout puts it where it drops (Klambauer et al. 2017).
_FAR_BELOW = -1.7580993408473766


class PlacedDropout(nn.Module):
    """Dropout that hangs on the place in the image: what is drawn for a pixel is the same in every tile it lies in.

    Parameters
    ----------
    drop
        Probability that a feature is dropped.
    width, grid
        Feature maps of the top level, and pixels of the image for one of the bottom: at which level a map lies is
        read from how many of them there are.
    alpha
        Whether it is alpha dropout.
    """

    def __init__(self, drop: float, width: int, grid: int, alpha: bool) -> None:
        super().__init__()
        self._drop, self._width, self._grid, self._alpha = drop, width, grid, alpha
        self.sample, self.origin = 0, (0, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(1, C, Y, X) with some features dropped."""
        level = (x.shape[1] // self._width).bit_length() - 1
        step = self._grid >> level  # of this level, for one of the grid
        y, x_first = (start // self._grid * step for start in self.origin)
        drop = self._drop
        kept = _draw(x, y, x_first, 2 * self.sample + (step == 1)) >= drop * RANGE
        if not self._alpha:
            return x * kept / (1 - drop)
        scale: float = ((1 - drop) * (1 + drop * _FAR_BELOW**2)) ** -0.5
        return (torch.where(kept, x, _FAR_BELOW) - drop * _FAR_BELOW) * scale


def with_dropout(model: Model, device: torch.device, grid: int) -> tuple[UNet, list[PlacedDropout]]:
    """The network of a model whose dropout goes on at prediction, and its dropout layers.

    Raises
    ------
    AnnotrainError
        It has no dropout.
    """
    network, placed = model.network(device), []
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout | nn.AlphaDropout) and child.p > 0:
                alpha = isinstance(child, nn.AlphaDropout)
                placed.append(PlacedDropout(child.p, network.spec.width, grid, alpha))
                setattr(parent, name, placed[-1])
    if not placed:
        raise AnnotrainError(
            "This model has no dropout: take the uncertainty from turned views (augmentation), or train a network with "
            "dropout."
        )
    return network, placed


def _draw(like: torch.Tensor, y: int, x: int, seed: int) -> torch.Tensor:
    """(C, Y, X) numbers from 0 to `RANGE` that hang on the seed, the map and the place alone."""
    c, rows, columns = (torch.arange(n, device=like.device) for n in like.shape[-3:])
    mixed = _mix((rows + y)[:, None] * 0x10001 + (columns + x)[None] + _mix_number(seed))
    return _mix(mixed[None] + c[:, None, None] * 0x9E3779B1) & (RANGE - 1)


def _mix(h: torch.Tensor) -> torch.Tensor:
    """Stir 32 bits (a finaliser of Wang's kind), in whole numbers that never grow beyond 63."""
    h = h & 0xFFFFFFFF
    h = ((h ^ (h >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x6C62272D) & 0xFFFFFFFF
    return h ^ (h >> 16)


def _mix_number(seed: int) -> int:
    return int(_mix(torch.tensor(seed * 0x9E3779B1)).item())

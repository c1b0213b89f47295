"""Halving feature maps."""

import torch
from torch import nn

from napari_annotrain.net.blocks import make_activation
from napari_annotrain.specs import NetSpec


class Halved(nn.Module):
    """Feature maps at half the size: the largest or the mean of 2 x 2 pixels, or a learnt mean of them.

    The last is a convolution of 2 x 2 with stride 2, as large as the pooling it replaces (Springenberg et al. 2014).
    """

    def __init__(self, spec: NetSpec, width: int) -> None:
        super().__init__()
        self.how, self.remembers = spec.down, spec.up == "unpool"
        if spec.down == "strided":
            self.learnt = nn.Sequential(nn.Conv2d(width, width, 2, stride=2), make_activation(spec))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(B, C, Y, X) to (B, C, Y / 2, X / 2), and for unpooling which of the four pixels was the largest.

        That is uint8 of the same shape: 0 1 in the upper row, 2 3 in the lower one; of equal ones the first.
        """
        if self.how == "strided":
            return self.learnt(x), None
        if self.how == "average":
            return nn.functional.avg_pool2d(x, 2), None
        if not self.remembers:
            return nn.functional.max_pool2d(x, 2), None
        halved, index = nn.functional.max_pool2d(x, 2, return_indices=True)  # counted row by row through the plane
        width = x.shape[-1]
        return halved, (index // width % 2 * 2 + index % width % 2).to(torch.uint8)

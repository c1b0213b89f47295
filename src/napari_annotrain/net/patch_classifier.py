"""What the U-Net came from: a network that classifies one pixel from the patch around it."""

import torch
from torch import nn

#: Side of the convolutions, as in most layers of Ciresan et al. 2012; even, so that patches have a middle pixel.
KERNEL = 4
#: Side of the feature maps that the dense layers read.
LAST = 2


class PatchClassifier(nn.Module):
    """Scores of the pixel in the middle of a patch (Ciresan et al. 2012): a small network of their kind.

    Convolutions and 2 x 2 max pooling in turn, and two dense layers, written as convolutions. Three levels read
    patches of 37 px: 37 -> 34 -> 17 -> 14 -> 7 -> 4 -> 2 -> 1.

    Parameters
    ----------
    channels
        Of the images.
    outputs
        Scores, one a class.
    width
        Feature maps of each convolution; the dense layer has twice as many.
    levels
        Convolutions, each with a pooling after it.
    """

    def __init__(self, channels: int = 1, outputs: int = 2, width: int = 16, levels: int = 3) -> None:
        super().__init__()
        inputs = [channels, *[width] * (levels - 1)]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, width, KERNEL) for i in inputs)
        self.dense = nn.Conv2d(width, 2 * width, LAST)
        self.head = nn.Conv2d(2 * width, outputs, 1)

    @property
    def patch_px(self) -> int:
        """Side of the patches."""
        side = LAST
        for _ in self.convolutions:
            side = 2 * side + KERNEL - 1
        return side

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """(N, C, P, P) patches of `patch_px` to (N, K) scores."""
        x = patches
        for convolution in self.convolutions:
            x = nn.functional.max_pool2d(convolution(x).relu(), 2)
        return self.head(self.dense(x).relu()).flatten(1)  # type: ignore[no-any-return]

    def slide(self, image: torch.Tensor, batch: int = 256) -> torch.Tensor:
        """Scores of every pixel of an image, each from a patch of its own: what was done before 2014.

        Parameters
        ----------
        image
            (C, Y, X), sides larger than half a patch; mirrored beyond its edges.
        batch
            Patches at a time.

        Returns
        -------
        (K, Y, X) scores.
        """
        side = self.patch_px
        windows = self._mirrored(image).unfold(1, side, 1).unfold(2, side, 1)  # (C, Y, X, P, P), nothing is copied
        rows = []
        for row in windows.unbind(1):
            parts = [self(part.transpose(0, 1)) for part in row.split(batch, dim=1)]  # type: ignore[no-untyped-call]
            rows.append(torch.cat(parts))
        return torch.stack(rows).permute(2, 0, 1)

    def everywhere(self, image: torch.Tensor) -> torch.Tensor:
        """The same scores from one pass over the whole image, which computes nothing twice.

        Pooling moves on by one pixel instead of two, so that the patches of all pixels are in it, and what comes
        after it reads every second pixel: each pooling doubles the dilation of all that follows (Giusti et al. 2013).

        Parameters
        ----------
        image
            (C, Y, X), sides larger than half a patch; mirrored beyond its edges.

        Returns
        -------
        (K, Y, X) scores.
        """
        x, apart = self._mirrored(image)[None], 1
        for convolution in self.convolutions:
            x = _apart(convolution, x, apart).relu()
            x = nn.functional.max_pool2d(x, 2, stride=1, dilation=apart)
            apart *= 2
        x = _apart(self.dense, x, apart).relu()
        return self.head(x)[0]  # type: ignore[no-any-return]

    def _mirrored(self, image: torch.Tensor) -> torch.Tensor:
        return nn.functional.pad(image[None], [self.patch_px // 2] * 4, mode="reflect")[0]


def _apart(convolution: nn.Module, x: torch.Tensor, apart: int) -> torch.Tensor:
    """A convolution that reads pixels so far apart."""
    assert isinstance(convolution, nn.Conv2d)
    return nn.functional.conv2d(x, convolution.weight, convolution.bias, dilation=apart)

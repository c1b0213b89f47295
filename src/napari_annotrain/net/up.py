"""Enlarging feature maps to twice the size, onto fewer of them."""

import torch
from torch import nn

from napari_annotrain.specs import NetSpec


def make_up(spec: NetSpec, inputs: int, outputs: int) -> nn.Module:
    """Called with feature maps (B, inputs, Y, X) and what `down.Halved` remembers, gives (B, outputs, 2 Y, 2 X)."""
    match spec.up:
        case "transposed":
            return Transposed(inputs, outputs, 2, stride=2)
        case "transposed3":
            return Transposed(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        case "unpool":
            return Unpooled(inputs, outputs)
        case "nearest3":
            return Repeated(inputs, outputs)
    return Interpolated(inputs, outputs, spec.up.removesuffix("1"))


class Transposed(nn.ConvTranspose2d):
    """Transposed convolution with stride 2: of 2 x 2 no two inputs meet in one output, of 3 x 3 neighbours overlap."""

    def forward(self, x: torch.Tensor, largest: torch.Tensor | None = None) -> torch.Tensor:  # type: ignore[override]
        """Enlarge; see `make_up`."""
        return upsample(x, self) if self.kernel_size == (2, 2) else super().forward(x)


class Interpolated(nn.Module):
    """A 1 x 1 convolution, and then pixels repeated or interpolated.

    The other way round gives the same from four times as many pixels: the weights of an interpolation add up to 1.
    """

    def __init__(self, inputs: int, outputs: int, how: str) -> None:
        super().__init__()
        self.how = how
        self.mixed = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: torch.Tensor, largest: torch.Tensor | None = None) -> torch.Tensor:
        """Enlarge; see `make_up`. Beyond an edge, what lies on it is read."""
        aligned = None if self.how == "nearest" else False
        return nn.functional.interpolate(self.mixed(x), scale_factor=2.0, mode=self.how, align_corners=aligned)


class Repeated(nn.Module):
    """Pixels repeated, and then a 3 x 3 convolution: no checkerboard (Odena et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mixed = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor, largest: torch.Tensor | None = None) -> torch.Tensor:
        """Enlarge; see `make_up`."""
        return self.mixed(nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))  # type: ignore[no-any-return]


class Unpooled(nn.Module):
    """A 1 x 1 convolution, and then each pixel goes to where the largest of four came from, beside zeros (Noh 2015)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mixed = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
        """Enlarge; see `make_up`."""
        x = self.mixed(x)
        rows = [torch.stack([x * (largest == 2 * dy + dx) for dx in (0, 1)], dim=-1).flatten(-2) for dy in (0, 1)]
        return torch.stack(rows, dim=-2).flatten(-3, -2)


def upsample(x: torch.Tensor, up: nn.ConvTranspose2d) -> torch.Tensor:
    """Transposed convolution of 2 x 2 with stride 2, as a product of matrices where gradients are wanted on a CPU.

    No two inputs meet in one output, so both are the same; the gradients of the product take half the time.
    """
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return nn.ConvTranspose2d.forward(up, x)
    (batch, inputs, height, width), outputs = x.shape, up.out_channels
    assert up.bias is not None
    kernels = up.weight.permute(0, 2, 3, 1).reshape(inputs, 4 * outputs)  # ordered (dy, dx, output)
    y = torch.addmm(up.bias.repeat(4), x.permute(0, 2, 3, 1).reshape(-1, inputs), kernels)
    y = y.view(batch, height, width, 2, 2, outputs).transpose(2, 3)
    return y.reshape(batch, 2 * height, 2 * width, outputs).permute(0, 3, 1, 2)  # in channels_last, as it came

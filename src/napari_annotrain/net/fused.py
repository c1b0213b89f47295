import copy
import functools
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_annotrain.net.maps import crop_like, trim
from napari_annotrain.net.unet import UNet
from napari_annotrain.tiles.geometry import margins_needed

#: Feature maps that a convolution adds up at once. Of more, oneDNN rounds sums of bfloat16 on the way, where that is
#: hangs on the size of the image (seen with 1,024 and AVX512-BF16 without AMX), and tiles would differ from the whole.
MOST_AT_ONCE = 512


class FusedUNet(nn.Module):
    """A trained `UNet` rewritten for prediction: the same scores up to rounding, with less memory traffic.

    Batch normalisation is folded into the convolution before it, ReLU is computed within the convolution, and the
    first convolution after a skip connection adds its two halves up instead of reading a concatenation, so that
    the concatenated maps are never made. Where oneDNN lacks the fused convolutions, plain ones do the same.

    Parameters
    ----------
    network
        In evaluation mode; left as it is.
    precision
        Of weights and feature maps. Scores come back in it.
    """

    def __init__(self, network: UNet, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.spec = network.spec
        self._precision = precision
        self._padding = [1, 1] if network.spec.padding == "same" else [0, 0]
        self.down: Any = nn.ModuleList(_folded(block, precision) for block in network.down)
        self.merge: Any = nn.ModuleList(_folded(block, precision) for block in network.merge)
        self.bottom = _folded(network.bottom, precision)
        self.up, self.head = (_copied(m, precision) for m in (network.up, network.head))
        self._fuses = _fused_convolutions_work(precision, network.head.weight.device.type)

    def forward(self, x: torch.Tensor, margin: int = 0) -> torch.Tensor:
        """As `UNet.forward`: (B, C, Y, X) to (B, K, Y', X'), with a margin only the core inside it."""
        depth = self.spec.levels
        x = x.to(self._precision).contiguous(memory_format=torch.channels_last)
        skips = []
        for convolutions in self.down:
            skips.append(self._block(x, convolutions))
            x = _pool(skips[-1])
        x = self._block(x, self.bottom)
        kept = margin // 2**depth
        needed = margins_needed(self.spec) if margin else [0] * depth
        for level, up, merge in zip(reversed(range(depth)), self.up, self.merge, strict=True):
            skip = skips.pop()
            if margin:  # cut before it is enlarged: all that is needed is even
                x, skip = trim(x, kept - needed[level] // 2), trim(skip, margin // 2**level - needed[level])
                kept = needed[level]
            x = up(x)
            x = self._convolve([crop_like(skip, x), x], merge[0])
            del skip
            x = self._block(x, merge[1:])
        return trim(self.head(x), kept)

    def _block(self, x: torch.Tensor, convolutions: Any) -> torch.Tensor:
        for c in convolutions:
            x = self._convolve([x], c)
        return x

    def _convolve(self, maps: list[torch.Tensor], c: nn.Conv2d) -> torch.Tensor:
        """ReLU of the convolution of several groups of feature maps, without concatenating them."""
        if not self._fuses:
            return c(maps[0] if len(maps) == 1 else torch.cat(maps, dim=1)).relu_()  # type: ignore[no-any-return]
        parts = [part for group in maps for part in group.split(MOST_AT_ONCE, dim=1)]  # type: ignore[no-untyped-call]
        weights = c.weight.split([part.shape[1] for part in parts], dim=1)  # type: ignore[no-untyped-call]
        last = len(parts) - 1
        total = _pointwise(parts[0], weights[0], c.bias, self._padding, "none" if last else "relu")
        for i in range(1, len(parts)):
            total = _add_pointwise_(total, parts[i], weights[i], self._padding, "relu" if i == last else None)
        return total


def _pool(x: torch.Tensor) -> torch.Tensor:
    """Maximum of every 2 x 2 pixels; on a CPU without the indices that max_pool2d finds too, in a fifth of its time."""
    if x.device.type != "cpu":
        return functional.max_pool2d(x, 2)
    upper, lower = x[..., 0::2, :], x[..., 1::2, :]
    return torch.maximum(
        torch.maximum(upper[..., 0::2], upper[..., 1::2]), torch.maximum(lower[..., 0::2], lower[..., 1::2])
    )


def _pointwise(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: list[int], then: str
) -> torch.Tensor:
    ones = [1, 1]
    return torch.ops.mkldnn._convolution_pointwise(x, weight, bias, padding, ones, ones, 1, then, [], "")  # type: ignore[no-any-return]


def _add_pointwise_(
    total: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, padding: list[int], then: str | None = "relu"
) -> torch.Tensor:
    """Total + convolution of x, and then ReLU, written over `total`."""
    ones, no_bias = [1, 1], None
    add = torch.ops.mkldnn._convolution_pointwise_.binary
    return add(total, x, weight, no_bias, padding, ones, ones, 1, "add", 1.0, then, [], "")  # type: ignore[no-any-return]


def _folded(block: Any, precision: torch.dtype) -> Any:
    """The convolutions of a block, each with the batch normalisation that follows it."""
    convolutions: list[nn.Conv2d] = []
    for module in block:
        if isinstance(module, nn.Conv2d):
            convolutions.append(module)
        elif isinstance(module, nn.BatchNorm2d):
            convolutions[-1] = fuse_conv_bn_eval(convolutions[-1], module)
    return _copied(nn.ModuleList(convolutions), precision)


def _copied(module: nn.Module, precision: torch.dtype) -> Any:
    return copy.deepcopy(module).to(dtype=precision, memory_format=torch.channels_last)  # type: ignore[call-overload]


@functools.cache
def _fused_convolutions_work(precision: torch.dtype, device: str) -> bool:
    """Try oneDNN's fused convolutions, which are not public in torch, against plain ones on a few pixels."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x, weight = torch.arange(50.0).view(1, 2, 5, 5).sin(), torch.arange(36.0).view(2, 2, 3, 3).cos()
    bias = torch.tensor([0.5, -0.5])
    expected = [functional.conv2d(x, weight, bias, padding=n).relu() for n in (0, 1)]
    bias = bias.to(precision)
    x, weight = x.to(precision).contiguous(memory_format=torch.channels_last), weight.to(precision)
    try:
        found = [_pointwise(x, weight, bias, [n, n], "relu") for n in (0, 1)]
        for n in (0, 1):
            half = _pointwise(x[:, :1], weight[:, :1], bias, [n, n], "none")
            found.append(_add_pointwise_(half, x[:, 1:], weight[:, 1:], [n, n]))
    except (AttributeError, RuntimeError):  # another version of torch
        return False
    if any(a.shape != b.shape for a, b in zip(found, 2 * expected, strict=True)):
        return False
    error = max((a.float() - b).abs().max().item() for a, b in zip(found, 2 * expected, strict=True))
    return error < (1e-5 if precision == torch.float32 else 0.1)

from collections.abc import Iterator

import torch
from torch import nn

from napari_annotrain.specs import NetSpec
from napari_annotrain.tiles.geometry import margins_needed


class UNet(nn.Module):
    """U-Net (Ronneberger, Fischer, Brox 2015, figure 1), built from a spec.

    A contracting path of `depth` levels (two 3 x 3 convolutions, ReLU, 2 x 2 max pooling, twice the feature maps),
    an expanding path (2 x 2 transposed convolution, concatenation with the cropped feature maps of the same level,
    two 3 x 3 convolutions), and a 1 x 1 convolution to the score maps.

    Input (B, C, Y, X) with sides that `tiles.geometry` allows; output (B, K, Y', X'), unnormalised scores.
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        widths = [spec.width * 2**level for level in range(spec.depth + 1)]
        inputs = [spec.channels, *widths[:-1]]
        self.down = nn.ModuleList(_convolutions(spec, i, o) for i, o in zip(inputs[:-1], widths[:-1], strict=True))
        self.bottom = _convolutions(spec, inputs[-1], widths[-1])
        self.dropout = nn.Dropout(spec.dropout)
        pairs = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(deep, skip, 2, stride=2) for deep, skip in pairs)
        self.merge = nn.ModuleList(_convolutions(spec, 2 * skip, skip) for _, skip in pairs)
        self.head = nn.Conv2d(spec.width, spec.outputs, 1)
        self.apply(_initialise)

    def forward(self, x: torch.Tensor, margin: int = 0) -> torch.Tensor:
        """Scores of every class, (B, K, Y', X'), for images (B, C, Y, X).

        With a margin (padded networks; a multiple of the grid, at least the reach) only the core inside it comes
        back. The contracting path sees all of it, but each level of the expanding path is cut to what the core
        needs (`tiles.geometry.margins_needed`), so that its expensive upper levels do not pay for the deep ones.
        """
        skips = []
        for level, convolutions in enumerate(self.down):
            x = convolutions(x)
            # dropout at the end of the contracting path, section 3.1: before its last two levels
            skips.append(self.dropout(x) if level == self.spec.depth - 1 else x)
            x = nn.functional.max_pool2d(skips[-1], 2)
        x = self.dropout(self.bottom(x))
        kept = margin // 2**self.spec.depth
        needed = margins_needed(self.spec) if margin else [0] * len(skips)
        for level, up, merge in zip(reversed(range(len(skips))), self.up, self.merge, strict=True):
            x, skip = upsample(x, up), skips.pop()  # type: ignore[arg-type]
            if margin:
                x, skip = trim(x, 2 * kept - needed[level]), trim(skip, margin // 2**level - needed[level])
                kept = needed[level]
            x = merge(torch.cat([crop_like(skip, x), x], dim=1))
        return self.head(trim(x, kept))  # type: ignore[no-any-return]


def _convolutions(spec: NetSpec, inputs: int, outputs: int) -> nn.Sequential:
    def layers() -> Iterator[nn.Module]:
        padding = 1 if spec.padding == "same" else 0
        for i in range(spec.convolutions):
            yield nn.Conv2d(outputs if i else inputs, outputs, 3, padding=padding, bias=spec.normalisation == "none")
            if spec.normalisation == "batch":
                yield nn.BatchNorm2d(outputs)
            yield nn.ReLU(inplace=True)

    return nn.Sequential(*layers())


def _initialise(module: nn.Module) -> None:
    """Gaussian of standard deviation sqrt(2 / N), N the incoming nodes of one neuron (section 3)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def upsample(x: torch.Tensor, up: nn.ConvTranspose2d) -> torch.Tensor:
    """Transposed convolution of 2 x 2 with stride 2, as a product of matrices where gradients are wanted on a CPU.

    No two inputs meet in one output, so both are the same; the gradients of the product take half the time.
    """
    if x.device.type != "cpu" or not torch.is_grad_enabled():
        return up(x)  # type: ignore[no-any-return]
    (batch, inputs, height, width), outputs = x.shape, up.out_channels
    assert up.bias is not None
    kernels = up.weight.permute(0, 2, 3, 1).reshape(inputs, 4 * outputs)  # ordered (dy, dx, output)
    y = torch.addmm(up.bias.repeat(4), x.permute(0, 2, 3, 1).reshape(-1, inputs), kernels)
    y = y.view(batch, height, width, 2, 2, outputs).transpose(2, 3)
    return y.reshape(batch, 2 * height, 2 * width, outputs).permute(0, 3, 1, 2)  # in channels_last, as it came


def crop_like(skip: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Cut the middle out of a map of the contracting path; border pixels were lost in the convolutions below it."""
    y, x = ((a - b) // 2 for a, b in zip(skip.shape[-2:], like.shape[-2:], strict=True))
    return skip[..., y : y + like.shape[-2], x : x + like.shape[-1]]


def trim(x: torch.Tensor, pixels: int) -> torch.Tensor:
    """Cut so many pixels off every side."""
    return x[..., pixels : x.shape[-2] - pixels, pixels : x.shape[-1] - pixels] if pixels else x

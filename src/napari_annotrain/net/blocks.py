"""The convolutions of one level: one after the other, around a sum, or each reading all before it."""

from collections.abc import Iterator

import torch
from torch import nn

from napari_annotrain.net.maps import crop_like
from napari_annotrain.specs import NetSpec

#: Slope of the leaky ReLU below 0.
LEAK = 0.01


def make_block(spec: NetSpec, inputs: int, outputs: int) -> nn.Module:
    """Convolutions of a level, from so many feature maps to so many."""
    match spec.block:
        case "residual":
            return Residual(spec, inputs, outputs)
        case "dense":
            return Dense(spec, inputs, outputs)
    return plain(spec, inputs, outputs)


def plain(spec: NetSpec, inputs: int, outputs: int) -> nn.Sequential:
    """3 x 3 convolutions one after the other, each with its activation (Ronneberger et al. 2015)."""
    layers: list[nn.Module] = []
    for i in range(spec.convolutions):
        layers += _convolution(spec, outputs if i else inputs, outputs)
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """What goes in is added to what comes out of the convolutions, before the last activation (He et al. 2015).

    A 1 x 1 convolution brings it to the same number of feature maps.
    """

    def __init__(self, spec: NetSpec, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = plain(spec, inputs, outputs)[:-1]
        self.shortcut = nn.Identity() if inputs == outputs else nn.Sequential(*_layers(spec, inputs, outputs, 1))
        self.activation = make_activation(spec)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, Y, X) to (B, outputs, Y', X')."""
        y = self.body(x)
        return self.activation(y + self.shortcut(crop_like(x, y)))  # type: ignore[no-any-return]


class Dense(nn.Module):
    """Each convolution reads what went in and all that those before it made (Huang et al. 2017).

    Together they make as many feature maps as come out; a 1 x 1 convolution brings all of them down to these.
    """

    def __init__(self, spec: NetSpec, inputs: int, outputs: int) -> None:
        super().__init__()
        growth = -(-outputs // spec.convolutions)
        self.steps = nn.ModuleList(
            nn.Sequential(*_convolution(spec, inputs + i * growth, growth)) for i in range(spec.convolutions)
        )
        last = inputs + spec.convolutions * growth
        self.transition = nn.Sequential(*_layers(spec, last, outputs, 1), make_activation(spec))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, Y, X) to (B, outputs, Y', X')."""
        for step in self.steps:
            y = step(x)
            x = torch.cat([crop_like(x, y), y], dim=1)
        return self.transition(x)  # type: ignore[no-any-return]


def make_activation(spec: NetSpec) -> nn.Module:
    """What follows every convolution."""
    match spec.activation:
        case "leaky":
            return nn.LeakyReLU(LEAK, inplace=True)
        case "selu":
            return nn.SELU(inplace=True)
    return nn.ReLU(inplace=True)


def make_dropout(spec: NetSpec) -> nn.Module:
    """Dropout; after SELU the one that keeps mean and spread (Klambauer et al. 2017, alpha dropout)."""
    return nn.AlphaDropout(spec.dropout) if spec.activation == "selu" else nn.Dropout(spec.dropout)


def initialise(network: nn.Module, spec: NetSpec) -> None:
    """Draw the weights from a Gaussian that keeps the spread of feature maps from layer to layer.

    Of standard deviation sqrt(2 / N) for ReLU, N the incoming nodes of one neuron (Ronneberger et al. 2015, section
    3); sqrt(1 / N) for SELU (LeCun 1998), as Klambauer et al. 2017 want it.
    """
    kind = {"relu": "relu", "leaky": "leaky_relu", "selu": "linear"}[spec.activation]
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, a=LEAK, nonlinearity=kind)  # type: ignore[arg-type]
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _convolution(spec: NetSpec, inputs: int, outputs: int) -> Iterator[nn.Module]:
    yield from _layers(spec, inputs, outputs, 3)
    yield make_activation(spec)


def _layers(spec: NetSpec, inputs: int, outputs: int, side: int) -> Iterator[nn.Module]:
    padding = side // 2 if spec.padding == "same" else 0
    yield nn.Conv2d(inputs, outputs, side, padding=padding, bias=spec.normalisation == "none")
    if spec.normalisation == "batch":
        yield nn.BatchNorm2d(outputs)

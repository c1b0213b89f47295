"""A trained network, made ready for prediction."""

import torch
from torch import nn

from napari_annotrain.net.device import autocast
from napari_annotrain.net.fused import MOST_AT_ONCE, FusedUNet
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec


def make_ready(network: UNet, precision: torch.dtype) -> nn.Module:
    """The fastest way to compute a network's scores in a precision: rewritten where that is known how, else as it is.

    Parameters
    ----------
    network
        In evaluation mode; left as it is.

    Returns
    -------
    Called with images (B, C, Y, X) and a margin, as `UNet.forward`; scores in the precision.
    """
    return FusedUNet(network, precision) if can_rewrite(network.spec) else PlainUNet(network, precision)


def can_rewrite(spec: NetSpec) -> bool:
    """Whether `FusedUNet` knows all parts of a network."""
    if (spec.block, spec.activation) != ("plain", "relu"):
        return False
    return spec.depth == 0 or (spec.down, spec.up, spec.skips) == ("max", "transposed", "concatenate")


class PlainUNet(nn.Module):
    """A network as it was trained, in a precision, under the interface of `FusedUNet`."""

    def __init__(self, network: UNet, precision: torch.dtype) -> None:
        super().__init__()
        self.spec, self._network, self._given = network.spec, network, precision
        device = network.head.weight.device
        # see MOST_AT_ONCE: tiles would differ from the whole
        most = max(m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
        self._precision = torch.float32 if device.type == "cpu" and most > MOST_AT_ONCE else precision

    def forward(self, x: torch.Tensor, margin: int = 0) -> torch.Tensor:
        """As `UNet.forward`: (B, C, Y, X) to (B, K, Y', X'), with a margin only the core inside it."""
        with autocast(x.device, self._precision):
            scores = self._network(x.contiguous(memory_format=torch.channels_last), margin)
        return scores.to(self._given)  # type: ignore[no-any-return]

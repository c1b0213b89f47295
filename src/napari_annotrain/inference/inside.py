from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference.rescale import rescale
from napari_annotrain.inference.segment import check_channels
from napari_annotrain.net.device import choose_device
from napari_annotrain.net.model import Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PredictSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.tiles.grid import Box, cut, read_mirrored


@dataclass(frozen=True)
class FeatureMaps:
    """What one level of a network makes of a part of an image.

    Attributes
    ----------
    level
        Such as "down 1", "bottom", "up 1": from the image to the result.
    maps
        (N, Y, X) float32, after the last activation of the level.
    pixel
        How many pixels of the image, along Y and X, one of a map is wide.
    origin
        (Y, X) of the middle of the first pixel of the maps, in pixels of the image.
    """

    level: str
    maps: npt.NDArray[np.float32]
    pixel: float
    origin: tuple[float, float]

    def most_varied_first(self) -> npt.NDArray[np.intp]:
        """Numbers of the maps, that with the largest variance first."""
        return np.argsort(-self.maps.reshape(len(self.maps), -1).var(1), kind="stable")


def find_feature_maps(
    model: Model, stack: Stack, normalisation: Normalisation, spec: PredictSpec, t: int, z: int, box: Box
) -> list[FeatureMaps]:
    """Let a network look at a part of a plane, and keep what every level of it makes of that.

    Parameters
    ----------
    stack
        As many channels as the model.
    normalisation
        Of the whole image.
    box
        (Y, X) slices inside the image. It is seen in one piece, with all around it that the network can see.

    Returns
    -------
    One of each level of the contracting path, of the bottom, and of each level of the expanding path, in this order;
    cut to what lies inside the box.
    """
    check_channels(model, stack)
    scaled = rescale(model.card, stack, spec, box)
    longest = max(s.stop - s.start for s in scaled.seen) + geometry(model.card.net).grid
    (tile,) = cut(scaled.seen, longest, geometry(model.card.net))

    def read(part: Box) -> npt.NDArray[Any]:
        return scaled.stack.read(t, (slice(z, z + 1), *part))[:, 0]

    device = choose_device(spec.device)
    values = normalisation.apply(read_mirrored(read, scaled.stack.shape[-2:], tile.read))
    network = model.network(device)
    seen = _watched(network, torch.from_numpy(values)[None].to(device))
    start, size = [s.start for s in tile.read], values.shape[-2:]
    found = []
    for (level, step), maps in zip(_levels(network), seen, strict=True):
        # what valid convolutions have cropped is missing on both sides alike
        first = [a + (n - step * m) / 2 for a, n, m in zip(start, size, maps.shape[-2:], strict=True)]
        inside = tuple(
            slice(max(0, round((s.start - f) / step)), max(1, round((s.stop - f) / step)))
            for s, f in zip(tile.write, first, strict=True)
        )
        corner = [f + step * (s.start + 0.5) for f, s in zip(first, inside, strict=True)]
        y, x = (c / scaled.scale - 0.5 for c in corner)
        found.append(FeatureMaps(level, maps[:, *inside].copy(), step / scaled.scale, (y, x)))
    return found


def first_filters(model: Model) -> npt.NDArray[np.float32]:
    """Filters of the first convolution, folded with the normalisation that follows it.

    Returns
    -------
    (N, C, 3, 3): one filter for each feature map, and of it a part for each channel of the image.
    """
    network = model.network(torch.device("cpu"))
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    first, then = layers[0], layers[1]
    assert isinstance(first, nn.Conv2d)
    if isinstance(then, nn.BatchNorm2d) and then.num_features == first.out_channels:
        first = fuse_conv_bn_eval(first, then)
    return first.weight.detach().numpy().astype(np.float32)


def _levels(network: UNet) -> list[tuple[str, int]]:
    """Names of the levels, and how many pixels of the image one of theirs is wide."""
    n = len(network.down)
    down = [(f"down {i + 1}", 2**i) for i in range(n)]
    up = [(f"up {i + 1}", 2**i) for i in reversed(range(n))]
    return [*down, ("bottom", 2**n), *up]


def _watched(network: UNet, image: torch.Tensor) -> list[npt.NDArray[np.float32]]:
    """What comes out of every level."""
    seen: list[npt.NDArray[np.float32]] = []

    def keep(module: nn.Module, given: Any, maps: torch.Tensor) -> None:
        seen.append(maps[0].float().cpu().numpy())

    watched: list[Callable[[], None]] = []
    for level in (*network.down, network.bottom, *network.merge):
        watched.append(level.register_forward_hook(keep).remove)
    try:
        with torch.inference_mode():
            network(image)
    finally:
        for remove in watched:
            remove()
    return seen

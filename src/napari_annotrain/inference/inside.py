import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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

#: Width of the networks whose maps take the memory that is reckoned with; of wider ones less is looked at.
USUAL_WIDTH = 16


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """What one level of a network makes of a part of an image.

    Attributes
    ----------
    level
        Such as "down 1", "bottom", "up 1": from the image to the result.
    maps
        (N, Y, X) float32, as the level hands them on: after its last activation, or its sums of score maps.
    pixel
        How many pixels of the image, along Y and X, one of a map is wide.
    origin
        (Y, X) of the middle of the first pixel of the maps, in pixels of the image.
    """

    level: str
    maps: npt.NDArray[np.float32]
    pixel: float
    origin: tuple[float, float]

    @cached_property
    def most_varied_first(self) -> npt.NDArray[np.intp]:
        """Numbers of the maps, that with the largest variance first."""
        return np.argsort(-self.maps.reshape(len(self.maps), -1).var(1), kind="stable")


def fit_box(model: Model, stack: Stack, spec: PredictSpec, box: Box, longest: int) -> Box:
    """The middle of a box of which a network of width 16 sees at most so many pixels a side; a wider one less."""
    wider = max(1.0, model.card.net.width / USUAL_WIDTH)
    most = int(longest / wider**0.5 / max(1.0, rescale(model.card, stack, spec, box).scale))
    y, x = (slice(start := s.start + max(0, (s.stop - s.start - most) // 2), min(s.stop, start + most)) for s in box)
    return y, x


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
    found: dict[str, FeatureMaps] = {}

    def keep(level: str, step: int, maps: torch.Tensor) -> None:
        sizes = list(zip(values.shape[-2:], maps.shape[-2:], strict=True))
        # what valid convolutions have cropped is missing on both sides alike
        first = [s.start + (n - step * m) / 2 for s, (n, m) in zip(tile.read, sizes, strict=True)]
        inside = []
        for write, f, (_, m) in zip(tile.write, first, sizes, strict=True):
            start = min(max(0, math.floor((write.start - f) / step)), m - 1)
            inside.append(slice(start, max(start + 1, min(m, math.ceil((write.stop - f) / step)))))
        y, x = ((f + step * (s.start + 0.5)) / scaled.scale - 0.5 for f, s in zip(first, inside, strict=True))
        kept = maps[0][:, inside[0], inside[1]].float().cpu().numpy().copy()
        found[level] = FeatureMaps(level, kept, step / scaled.scale, (y, x))

    _watch(model.network(device), torch.from_numpy(values)[None].to(device), keep)
    return list(found.values())


def first_filters(model: Model) -> npt.NDArray[np.float32]:
    """Filters of the first convolution, folded with the normalisation that follows it.

    Returns
    -------
    (N, C, 3, 3): the filters, and of each a part for each channel of the image.
    """
    network = model.network(torch.device("cpu"))
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    first, then = layers[0], layers[1]
    assert isinstance(first, nn.Conv2d)
    if isinstance(then, nn.BatchNorm2d) and then.num_features == first.out_channels:
        first = fuse_conv_bn_eval(first, then)
    return first.weight.detach().numpy().astype(np.float32)


def _watch(network: UNet, image: torch.Tensor, keep: Callable[[str, int, torch.Tensor], None]) -> None:
    """Have what every level hands on kept: its name, how many pixels one of its is wide, and its maps."""
    n, hooks = len(network.down), []

    def kept_of(level: str, step: int, module: nn.Module, comes_out: bool) -> None:
        """What comes out of a module, or else what goes into it."""
        if comes_out:
            hooks.append(module.register_forward_hook(lambda _, given, maps: keep(level, step, maps)))
        else:
            hooks.append(module.register_forward_pre_hook(lambda _, given: keep(level, step, given[0])))

    for i, down in enumerate(network.down):
        kept_of(f"down {i + 1}", 2**i, down, True)
    kept_of("bottom", 2**n, network.bottom, True)
    for i, following in enumerate(network.up[1:]):  # what joined the skip goes into the next one
        kept_of(f"up {n - i}", 2 ** (n - 1 - i), following, False)
    summed = network.spec.skips == "scores"  # then the scores of the uppermost level are the result
    if n:
        kept_of("up 1", 1, network if summed else network.head, summed)
    try:
        with torch.inference_mode():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()

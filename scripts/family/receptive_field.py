"""What a pixel of the result sees: the gradient of the middle pixel's scores with respect to the image.

    python scripts/family/receptive_field.py [--seeds 8]

Freshly drawn networks of every preset, narrow, so that it takes seconds; the frame is the reach that `tiles.geometry`
computes from the spec, beyond which the gradient must be exactly 0. Luo et al. 2016 call the bright part the effective
receptive field.
"""

import argparse

import numpy as np
import torch
from figure import bare, pyplot, save

from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS, NetSpec
from napari_annotrain.tiles.geometry import geometry, output_size

WIDTH = 4


def gradient(net: NetSpec, size: int, seed: int) -> np.ndarray:
    """(Y, X) size of the gradient of the middle pixel."""
    torch.manual_seed(seed)
    network = UNet(net).eval()
    image = torch.rand(1, net.channels, size, size, requires_grad=True)
    scores = network(image)
    middle = scores.shape[-1] // 2
    scores[..., middle, middle].sum().backward()
    return image.grad.abs().sum((0, 1)).numpy()


def input_size(net: NetSpec, least: int) -> int:
    """The smallest input from `least` on that the network can take."""
    return next(size for size in range(least, least + 64) if output_size(net, size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=8)
    given = parser.parse_args()
    plt = pyplot()
    names = [name for name in PRESETS if name != "standard"]  # as `fast`, but wider
    figure, axes = plt.subplots(1, len(names), figsize=(1.7 * len(names), 2.1))
    for name, ax in zip(names, axes, strict=True):
        net = PRESETS[name].net.model_copy(update={"width": WIDTH})
        reach = geometry(net).reach
        size = input_size(net, 2 * reach + 33)
        seen = np.mean([gradient(net, size, seed) for seed in range(given.seeds)], axis=0)
        middle = np.array(size // 2)
        rows = np.flatnonzero(seen.any(1))
        measured = max(middle - rows[0], rows[-1] - middle)
        assert measured <= reach + 2**net.levels, (name, measured, reach)
        shown = np.log10(np.maximum(seen / seen.max(), 1e-6))
        view = slice(max(0, middle - 112), middle + 112)
        ax.imshow(shown[view, view], cmap="magma", vmin=-6, vmax=0)
        at = min(middle, 112)
        box = plt.Rectangle((at - reach, at - reach), 2 * reach, 2 * reach, fill=False, color="w", lw=0.8, ls="--")
        ax.add_patch(box)
        half = np.sort(seen.ravel())[::-1].cumsum()
        n_px = int(np.searchsorted(half, 0.5 * half[-1]))
        bare(ax, f"{name}\nreach {reach} px, half of it\nfrom {n_px**0.5:.0f} x {n_px**0.5:.0f} px")
    save(figure, "receptive_field")


if __name__ == "__main__":
    main()

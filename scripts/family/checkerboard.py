"""Checkerboards that ways of enlarging leave behind (Odena et al. 2016), in networks that have learnt nothing yet.

    python scripts/family/checkerboard.py [--seeds 10]

The image is one smooth hill, so that whatever changes from pixel to pixel in the scores is the network's own. The
figure beside each picture is the share of the scores' variance that has a period of two pixels: what is left of a
score when the mean of its neighbours above, below, left and right is taken away.
"""

import argparse

import numpy as np
import torch
from figure import bare, pyplot, save
from scipy import ndimage as ndi

from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec

WAYS = ("transposed", "transposed3", "unpool", "nearest1", "nearest3", "bilinear", "bicubic")
SIDE = 128
CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4


def scores(up: str, seed: int) -> np.ndarray:
    """(Y, X) of the first score map, of a network without skips."""
    torch.manual_seed(seed)
    network = UNet(NetSpec(width=8, depth=3, up=up, skips="none", normalisation="none")).eval()
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    hill = torch.from_numpy(np.exp(-2 * (y**2 + x**2))).float()
    with torch.no_grad():
        return network(hill[None, None])[0, 0].numpy()


def roughness(found: np.ndarray) -> float:
    """Share of the variance that alternates from pixel to pixel."""
    inside = found[16:-16, 16:-16]
    left = inside - ndi.convolve(inside, CROSS, mode="mirror")
    return float(left.var() / (4 * inside.var()))  # a perfect checkerboard has 4 times its variance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    plt = pyplot()
    figure, axes = plt.subplots(1, len(WAYS), figsize=(1.5 * len(WAYS), 2))
    for up, ax in zip(WAYS, axes, strict=True):
        all_found = [scores(up, seed) for seed in range(given.seeds)]
        shares = [roughness(found) for found in all_found]
        middle = slice(SIDE // 2 - 24, SIDE // 2 + 24)
        ax.imshow(all_found[0][middle, middle], cmap="gray")
        bare(ax, f"{up}\n{100 * np.mean(shares):.2f} ± {100 * np.std(shares):.2f} %")
    save(figure, "checkerboard")


if __name__ == "__main__":
    main()

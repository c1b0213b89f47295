"""How much every level learns from one step: the size of the gradients with and without skip connections.

    python scripts/family/gradients.py [--seeds 5]

Freshly drawn networks, no normalisation, one image of made cells; of each level of the contracting path the root mean
square of the gradient of the loss, over that of the weights. Lines: median over the seeds; bands: all of them.
"""

import argparse

import numpy as np
import torch
from figure import pyplot, save
from torch.nn.functional import cross_entropy

from napari_annotrain.data.synthetic import cells
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec

KINDS = {
    "skips: concatenate": {"skips": "concatenate"},
    "skips: add": {"skips": "add"},
    "skips: none": {"skips": "none"},
    "skips: none, residual blocks": {"skips": "none", "block": "residual"},
}
SIDE = 128


def sizes(net: NetSpec, seed: int) -> list[float]:
    """Of each level on the way down and the bottom."""
    torch.manual_seed(seed)
    network = UNet(net).train()
    image, truth = cells((SIDE, SIDE), n_cells=9, seed=seed)
    normal = torch.from_numpy(((image - image.mean()) / image.std()).astype(np.float32))[None, None]
    cross_entropy(network(normal), torch.from_numpy((truth > 0).astype(np.int64))[None]).backward()

    def size(tensors: list[torch.Tensor]) -> float:
        return float(torch.cat([t.flatten() for t in tensors]).pow(2).mean().sqrt())

    found = []
    for level in (*network.down, network.bottom):
        kernels = [p for p in level.parameters() if p.ndim == 4]
        found.append(size([k.grad for k in kernels]) / size([k.detach() for k in kernels]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    plt = pyplot()
    figure, ax = plt.subplots(figsize=(5, 2.4))
    for name, choices in KINDS.items():
        net = NetSpec(width=8, normalisation="none").choose(choices)
        of_seeds = np.array([sizes(net, seed) for seed in range(given.seeds)])
        levels = range(of_seeds.shape[1])
        (line,) = ax.plot(levels, np.median(of_seeds, 0), "o-", ms=3, label=name)
        ax.fill_between(levels, of_seeds.min(0), of_seeds.max(0), color=line.get_color(), alpha=0.15, lw=0)
    ax.set_yscale("log")
    ax.set(xlabel="level (0: full resolution)", ylabel="gradient / weight", xticks=range(5))
    ax.legend(frameon=False, fontsize=7)
    save(figure, "gradients")


if __name__ == "__main__":
    main()

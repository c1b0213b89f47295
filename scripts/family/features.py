"""What the base model looks for: the filters of its first convolution, and the feature maps of every level.

    python scripts/family/features.py

On made cells. Filters are folded with the normalisation that follows them; of each level the eight maps with the most
variance are shown, each from its smallest value (black) to its largest (white).
"""

import numpy as np
import torch
from figure import bare, pyplot, save
from torch.nn.utils.fusion import fuse_conv_bn_eval

import napari_annotrain as at
from napari_annotrain.data.synthetic import cells

SIDE, SHOWN = 128, 8


def main() -> None:
    plt = pyplot()
    image, _ = cells((SIDE, SIDE), n_cells=9, seed=5)
    low, high = np.percentile(image, (1, 99.8))
    normal = torch.from_numpy(((image - low) / (high - low)).astype(np.float32))[None, None]
    network = at.load_model("cells-2d").network(torch.device("cpu"))
    seen: list[np.ndarray] = []
    levels = [*network.down, network.bottom]
    for level in levels:
        level.register_forward_hook(lambda module, given, maps: seen.append(maps[0].detach().numpy()))
    with torch.no_grad():
        network(normal)
    figure, axes = plt.subplots(1 + len(levels), SHOWN + 1, figsize=(SHOWN + 1, 1 + len(levels)))
    first = fuse_conv_bn_eval(network.down[0][0], network.down[0][1]).weight.detach()[:, 0].numpy()
    order = np.argsort(-seen[0].var((1, 2)))[:SHOWN]
    largest = np.abs(first).max()
    bare(axes[0, 0], "image")
    axes[0, 0].imshow(normal[0, 0], cmap="gray")
    for ax, k in zip(axes[0, 1:], order, strict=True):
        ax.imshow(first[k], cmap="RdBu_r", vmin=-largest, vmax=largest)
        bare(ax, "")
    for row, maps in zip(axes[1:], seen, strict=True):
        row[0].text(0.5, 0.5, f"1/{SIDE // maps.shape[-1]}\n{len(maps)} maps", ha="center", va="center")
        row[0].axis("off")
        for ax, k in zip(row[1:], np.argsort(-maps.var((1, 2)))[:SHOWN], strict=True):
            ax.imshow(maps[k], cmap="gray")
            bare(ax, "")
    axes[0, 1].set_title("3 x 3 filters of the first convolution (blue: less than nothing)", loc="left")
    save(figure, "features")


if __name__ == "__main__":
    main()

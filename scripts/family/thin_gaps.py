"""What skip connections are for: gaps between touching cells, which are thinner than the deep levels can see.

    python scripts/family/thin_gaps.py [--steps 200] [--seeds 3]

Networks learn made cells whose outlines count as background, from nothing, the same patches; then other made cells are
predicted. Beside each picture: the share of outline pixels that were found, and how much of what was found is one.
"""

import argparse

import numpy as np
from figure import bare, pyplot, save
from skimage.segmentation import find_boundaries

import napari_annotrain as at
from napari_annotrain.data.synthetic import cells

KINDS = ("concatenate", "add", "multiply", "none")
SIDE, N_CELLS = 256, 40


def picture(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image, what is inside of its cells, and the outlines that lie between two of them."""
    image, truth = cells((SIDE, SIDE), n_cells=N_CELLS, seed=seed)
    outline = find_boundaries(truth, mode="inner")
    others = np.where(truth == 0, truth.max() + 1, truth)
    near = [np.roll(others, (dy, dx), (0, 1)) for dy in (-2, 0, 2) for dx in (-2, 0, 2)]
    touching = outline & np.any([(n != truth) & (n <= truth.max()) for n in near], axis=0)
    return image, (truth > 0) & ~outline, touching


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    plt = pyplot()
    shown, inside, gaps = picture(1000)
    view = slice(SIDE // 2 - 64, SIDE // 2 + 64)
    figure, axes = plt.subplots(1, 2 + len(KINDS), figsize=(1.6 * (2 + len(KINDS)), 2.1))
    axes[0].imshow(shown[view, view], cmap="gray")
    bare(axes[0], "image")
    axes[1].imshow(inside[view, view], cmap="gray")
    bare(axes[1], "truth")
    for kind, ax in zip(KINDS, axes[2:], strict=True):
        found, first = [], None
        for seed in range(given.seeds):
            image, truth, _ = picture(seed)
            how = {"dense": True, "steps": given.steps, "seed": seed, "net": {"width": 8, "skips": kind}}
            model = at.train(image, truth.astype(np.uint8), **how)
            predicted = np.asarray(at.predict(model, shown)) == 1
            missed = gaps & predicted
            union = (predicted | inside).sum()
            found.append((1 - missed.sum() / gaps.sum(), (predicted & inside).sum() / union))
            first = predicted if first is None else first
        (gap, iou), (gap_spread, _) = np.mean(found, 0), np.ptp(found, 0)
        ax.imshow(first[view, view], cmap="gray")
        bare(ax, f"{kind}\ngaps {100 * gap:.0f} % (spread {100 * gap_spread:.0f})\nIoU {iou:.2f}")
    save(figure, "thin_gaps")


if __name__ == "__main__":
    main()

"""What a score looks like: the base model's cells on one test image of each set, without the image.

    python benchmarks/pictures.py [--model cells-2d]

Green: a cell that overlaps a true one by at least half of the two together; orange: one that does not; grey outline:
a true cell that was missed. The image of each set is the one whose score is the median. Writes docs/images/quality.png.
"""

import argparse

import numpy as np
from few_shot import MIN_SIZE, SETS, read
from report import REPOSITORY
from skimage.segmentation import find_boundaries

import napari_annotrain as at
from napari_annotrain.metrics import count_cells
from napari_annotrain.net.model import Model

SIDE = 256
FOUND, WRONG, MISSED = (0.30, 0.65, 0.40), (0.93, 0.55, 0.15), (0.55, 0.55, 0.55)


def median_image(model: Model, name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """(found, truth, AP50) of the image of a set whose score is the median."""
    scored = []
    for image, truth in read(name, "test"):
        found = np.asarray(at.predict(model, image))
        scored.append((count_cells(found, truth, MIN_SIZE).scores()["ap50"], found, truth))
    scored.sort(key=lambda one: one[0])
    score, found, truth = scored[len(scored) // 2]
    return found, truth, score


def draw_labels(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """An RGB picture, white where nothing is."""
    areas, others = np.bincount(found.ravel()), np.bincount(truth.ravel())
    both = np.zeros((len(areas), len(others)))
    np.add.at(both, (found.ravel(), truth.ravel()), 1)
    overlap = both / (areas[:, None] + others - both).clip(1)
    good = overlap[:, 1:].max(1, initial=0) >= 0.5
    met = overlap[1:].max(0, initial=0) >= 0.5
    picture = np.ones((*found.shape, 3))
    picture[found > 0] = np.where(good[found][..., None], FOUND, WRONG)[found > 0]
    picture[(found > 0) & find_boundaries(found, mode="inner")] *= 0.6
    picture[find_boundaries(truth, mode="inner") & ~met[truth] & (truth > 0)] = MISSED
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cells-2d")
    given = parser.parse_args()
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    model = at.load_model(given.model)
    figure, axes = pyplot.subplots(1, len(SETS), figsize=(9, 3.4))
    for axis, name in zip(axes, SETS, strict=True):
        found, truth, score = median_image(model, name)
        axis.imshow(draw_labels(found, truth)[:SIDE, :SIDE], interpolation="nearest")
        axis.set(title=f"{name}, AP50 {score:.2f}", xticks=[], yticks=[])
    figure.tight_layout()
    figure.savefig(REPOSITORY / "docs" / "images" / "quality.png", dpi=100)


if __name__ == "__main__":
    main()

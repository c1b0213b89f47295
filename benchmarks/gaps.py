"""What skip connections are for, on real nuclei: the thin gaps between touching ones (BBBC039).

    python benchmarks/gaps.py [--steps 200] [--seeds 3] [--images 10]

From nothing, `fast` at width 8, on training images whose nuclei lose their outline to the background, as in figure 3
of Ronneberger et al. 2015; scored on all test images: the share of outline pixels between two nuclei that are not taken
for a nucleus, and the intersection over union of what is inside. Steps, not seconds, so that all see the same patches.
Rows are kept: goes on where it stopped.
"""

import argparse

import numpy as np
from few_shot import Pair, read
from kept import Kept
from report import REPOSITORY, table, write_part
from skimage.segmentation import find_boundaries

import napari_annotrain as at

SKIPS = ("concatenate", "add", "multiply", "none")


def inside_and_gaps(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is inside of the nuclei, and the outlines that have another nucleus within two pixels."""
    outline = find_boundaries(truth, mode="inner")
    others = np.pad(truth, 2)
    near = [others[y : y + truth.shape[0], x : x + truth.shape[1]] for y in (0, 2, 4) for x in (0, 2, 4)]
    gaps = outline & np.any([(one != truth) & (one > 0) for one in near], axis=0)
    return (truth > 0) & ~outline, gaps


def score(skips: str, images: list[Pair], steps: int, seed: int) -> list[float]:
    """Share of the gaps that are found, and intersection over union of the inside."""
    targets = [inside_and_gaps(truth)[0].astype(np.uint8) for _, truth in images]
    how = {"dense": True, "steps": steps, "seed": seed, "net": {"width": 8, "skips": skips}}
    model = at.train([image for image, _ in images], targets, **how)
    found = n_gaps = both = either = 0
    for image, truth in read("bbbc039", "test"):
        predicted = np.asarray(at.predict(model, image)) == 1
        inside, gaps = inside_and_gaps(truth)
        found, n_gaps = found + (gaps & ~predicted).sum(), n_gaps + gaps.sum()
        both, either = both + (predicted & inside).sum(), either + (predicted | inside).sum()
    return [round(float(found / n_gaps), 4), round(float(both / either), 4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=10)
    given = parser.parse_args()
    kept, images, rows = Kept("gaps"), read("bbbc039", "train")[: given.images], []
    for skips in SKIPS:
        found = [
            kept.row(
                f"{skips}, {given.images} images, {given.steps} steps, seed {seed}",
                lambda k=skips, s=seed: score(k, images, given.steps, s),
            )
            for seed in range(given.seeds)
        ]
        rows.append((skips, *(f"{np.mean(v):.3f} ({min(v):.3f} to {max(v):.3f})" for v in zip(*found, strict=True))))
    about = f"{given.images} training images, {given.steps} steps, {given.seeds} seeds: mean (smallest to largest)."
    head = ("skips", "share of gaps found", "intersection over union of the inside")
    write_part("gaps", f"{kept.measured()}\n\n{about}\n\n{table(head, rows)}", REPOSITORY / "docs" / "family.md")


if __name__ == "__main__":
    main()

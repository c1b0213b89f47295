"""What skip connections and elastic deformation are worth with very few images: membranes of ISBI-2012.

    python benchmarks/family.py [--steps 400] [--slices 1 3 10] [--seeds 3]

From nothing, `fast`, on 1, 3 and 10 training slices, drawn anew for every seed; scored on the test slices: Dice of
the membrane at probability 0.5, and the adapted Rand error of the interior at the threshold of 0.1 ... 0.9 that is best
for all slices together. Steps, not seconds, so that all see the same patches. Rows are kept: goes on where it stopped.
"""

import argparse
from pathlib import Path

import numpy as np
import tifffile
from kept import Kept
from report import REPOSITORY, data_folder, table, write_part
from scipy import ndimage as ndi
from skimage.metrics import adapted_rand_error

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS, AugmentSpec

MEMBRANE = 2
THRESHOLDS = np.arange(1, 10) / 10
#: Name, choices of the network, deformation.
VARIANTS = (
    ("skips and elastic deformation", {}, True),
    ("no skips", {"skips": "none"}, True),
    ("no elastic deformation", {}, False),
)


def files(subset: str) -> list[Path]:
    return sorted((data_folder() / "isbi2012" / subset / "images").glob("*.tif"))


def train(choices: dict[str, str], elastic: bool, n_slices: int, steps: int, seed: int) -> Model:
    chosen = np.random.default_rng(seed).permutation(len(files("train")))[:n_slices]
    images = [
        AnnotatedImage(
            Stack.of(tifffile.imread(path), "YX", name=path.stem),
            Stack.of(tifffile.imread(path.parent.parent / "labels" / path.name), "YX"),
        )
        for path in (files("train")[k] for k in sorted(chosen))
    ]
    augment = AugmentSpec() if elastic else AugmentSpec(elastic_px=0.0)
    limits = {"seconds": None, "steps": steps, "seed": seed, "augment": augment}
    spec = PRESETS["fast"].train.model_copy(update=limits)
    events = api.iter_training(images, preset="fast", spec=spec, net=choices)
    return [event.result for event in events if isinstance(event, Done)][-1]


def score(model: Model) -> list[float]:
    """Dice of the membrane, and the adapted Rand error at the best threshold."""
    both = sizes = 0
    rand = []
    for path in files("test"):
        membrane = at.predict(model, path, output="probabilities")[model.card.classes.index(MEMBRANE - 1)]
        folder = path.parent.parent
        truth = tifffile.imread(folder / "labels" / path.name) == MEMBRANE
        both, sizes = both + 2 * (truth & (membrane >= 0.5)).sum(), sizes + truth.sum() + (membrane >= 0.5).sum()
        cells = tifffile.imread(folder / "instances" / path.name)
        rand.append([float(adapted_rand_error(cells, ndi.label(membrane < t)[0])[0]) for t in THRESHOLDS])
    return [round(float(both / sizes), 4), round(float(np.mean(rand, axis=0).min()), 4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    kept = Kept("family")
    rows = []
    for name, choices, elastic in VARIANTS:
        for n in given.slices:
            found = [
                kept.row(
                    f"{name}, {n} slices, {given.steps} steps, seed {seed}",
                    lambda c=choices, e=elastic, n=n, s=seed: score(train(c, e, n, given.steps, s)),
                )
                for seed in range(given.seeds)
            ]
            cells = (f"{np.mean(v):.3f} ({np.min(v):.3f} to {np.max(v):.3f})" for v in zip(*found, strict=True))
            rows.append((name, n, *cells))
    about = f"{kept.measured()}\n\n`fast`, {given.steps} steps, {given.seeds} seeds: mean (smallest to largest)."
    head = ("network", "training slices", "Dice of the membrane", "adapted Rand error")
    write_part("few-slices", f"{about}\n\n{table(head, rows)}", REPOSITORY / "docs" / "family.md")


if __name__ == "__main__":
    main()

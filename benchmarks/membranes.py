"""Membranes of neurons (ISBI-2012) learnt from all training slices: are the cells between them whole?

    python benchmarks/membranes.py [--seconds 3600] [--preset fast] [--balance 0] [--views "flips and turns"]

Adapted Rand error and variation of information of the interior (membrane probability below t, connected through edges)
against the true cells, at the t of 0.1 ... 0.9 that is best for all slices together; pixel error at 0.5. Balanced
classes (--balance 0.5, as in the program) make membranes thicker than they are drawn, unbalanced ones (0) do not.
"""

import argparse

import numpy as np
import tifffile
from kept import Kept
from report import REPOSITORY, data_folder, table, write_part
from scipy import ndimage as ndi
from skimage.metrics import adapted_rand_error, variation_of_information

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS, WeightSpec

MEMBRANE = 2
THRESHOLDS = np.arange(1, 10) / 10


def train(preset: str, seconds: float, balance: float) -> Model:
    folder = data_folder() / "isbi2012" / "train"
    images = [
        AnnotatedImage(
            Stack.of(tifffile.imread(path), "YX", name=path.stem),
            Stack.of(tifffile.imread(folder / "labels" / path.name), "YX"),
        )
        for path in sorted((folder / "images").glob("*.tif"))
    ]
    limits = {"seconds": seconds, "averaging": 0.999, "weights": WeightSpec(balance=balance)}
    spec = PRESETS[preset].train.model_copy(update=limits)
    events = api.iter_training(images, preset=preset, spec=spec)
    return [event.result for event in events if isinstance(event, Done)][-1]


def score(model: Model, views: str) -> dict[str, list[list[float]]]:
    """Of every test slice: errors at every threshold, and the pixel error."""
    folder = data_folder() / "isbi2012" / "test"
    rand, split_merge, pixels = [], [], []
    for path in sorted((folder / "images").glob("*.tif")):
        membrane = at.predict(model, path, output="probabilities", augment=views)[
            model.card.classes.index(MEMBRANE - 1)
        ]
        cells = tifffile.imread(folder / "instances" / path.name)
        parts = [ndi.label(membrane < t)[0] for t in THRESHOLDS]
        rand.append([float(adapted_rand_error(cells, labels)[0]) for labels in parts])
        split_merge.append([float(sum(variation_of_information(cells, labels, ignore_labels=[0]))) for labels in parts])
        truth = tifffile.imread(folder / "labels" / path.name) == MEMBRANE
        pixels.append([float(((membrane >= 0.5) != truth).mean())])
    return {"rand": rand, "variation": split_merge, "pixel": pixels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--balance", type=float, default=0.5)
    parser.add_argument("--views", default="none")
    given = parser.parse_args()
    kept = Kept("membranes")
    api.warm_up()
    how = f"{given.preset} {given.seconds:.0f} s, balance {given.balance:g}, views {given.views}"
    found = kept.row(how, lambda: score(train(given.preset, given.seconds, given.balance), given.views))
    rand = np.array(found["rand"])
    best = int(rand.mean(0).argmin())
    rows = [
        (name, f"{np.mean(values):.4f}", f"{np.min(values):.4f} to {np.max(values):.4f}")
        for name, values in (
            (f"adapted Rand error, t = {THRESHOLDS[best]:.1f}", rand[:, best]),
            (f"variation of information, t = {THRESHOLDS[best]:.1f}", np.array(found["variation"])[:, best]),
            ("pixel error, t = 0.5", np.array(found["pixel"])[:, 0]),
        )
    ]
    words = (
        f"{kept.measured(how)}\n\n20 training slices, `{given.preset}`, {given.seconds:.0f} s, balance "
        f"{given.balance:g}, views: {given.views}; {len(rand)} test slices."
    )
    text = f"{words}\n\n{table(('score', 'mean', 'over the slices'), rows)}"
    write_part("membranes", text, REPOSITORY / "docs" / "quality.md")


if __name__ == "__main__":
    main()

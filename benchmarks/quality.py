"""How good are the cells? The shipped base weights on images that they were not trained on.

    python benchmarks/quality.py [--model cells-2d]

Every image of the `test` folders, as it is: nothing is annotated, nothing is trained. Objects below 15 px are ignored.
"""

import argparse
from pathlib import Path

import numpy as np
import tifffile
from report import REPOSITORY, data_folder, machine, table, write_part

import napari_annotrain as at
from napari_annotrain.metrics import CellCounts, count_cells, pool
from napari_annotrain.net.model import Model

MIN_SIZE = 15
#: Folder, part of it, and which names belong to that part.
PARTS = (
    ("dsb2018", "cells of culture", lambda name: not name.startswith("fluomisc")),
    ("dsb2018", "`fluomisc`: whole embryos, tissue", lambda name: name.startswith("fluomisc")),
    ("dsb2018", "all", lambda name: True),
    ("bbbc039", "all", lambda name: True),
    ("t98g-phase", "all", lambda name: True),
)


def count(model: Model, folder: Path) -> dict[str, CellCounts]:
    """Predict a folder of images, and count what was found of every one."""
    found = {}
    for path in sorted((folder / "images").glob("*.tif")):
        labels = at.predict(model, path)
        found[path.stem] = count_cells(labels, tifffile.imread(folder / "labels" / path.name), MIN_SIZE)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cells-2d")
    given = parser.parse_args()
    model = at.load_model(given.model)
    counts = {name: count(model, data_folder() / name / "test") for name in dict.fromkeys(name for name, *_ in PARTS)}
    rows = []
    for name, part, belongs in PARTS:
        some = [c for stem, c in counts[name].items() if belongs(stem)]
        pooled = pool(some).scores()
        mean = np.mean([c.scores()["ap50"] for c in some])
        rows.append(
            (name, part, len(some), *(f"{v:.3f}" for v in (pooled["ap50"], pooled["map"], pooled["seg"], mean)))
        )
    head = ("set", "part", "test images", "AP50, pooled", "mean AP, pooled", "SEG", "mean over images of AP50")
    write_part("zero-shot", f"{machine()}\n\n{table(head, rows)}", REPOSITORY / "docs" / "quality.md")


if __name__ == "__main__":
    main()

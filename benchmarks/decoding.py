"""Telling cells apart: how long it takes beside scikit-image's watershed call alone.

.venv/bin/python benchmarks/decoding.py [--repeats 15]
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from unittest.mock import patch

import numpy as np
from report import machine, table, write_part
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_annotrain.data.synthetic import cells
from napari_annotrain.data.weights import cell_distances, cell_targets
from napari_annotrain.metrics import score_cells
from napari_annotrain.objects import basins
from napari_annotrain.objects.instances import label_cells

SHAPE, N_CELLS, DIAMETER_PX = (1024, 1024), 1000, 26
#: How uncertain the network is meant to be: standard deviation and grain (px) of what is added to its maps.
NOISE, GRAIN_PX = 0.06, 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    given = parser.parse_args()
    truth = cells(SHAPE, N_CELLS, seed=0, diameter_px=DIAMETER_PX)[1].astype(np.int32)
    inside, distance = predicted(truth)
    heights, seeds, mask = landscape(inside, distance)
    runs: dict[str, Callable[[], np.ndarray]] = {
        "scikit-image's `watershed` alone": lambda: watershed(-heights, seeds, mask=mask),
        "`label_cells` of probability and distance": lambda: label_cells(inside, distance),
        "the same, the cells' diameter known": lambda: label_cells(inside, distance, cell_diameter_px=DIAMETER_PX),
        "`label_cells` of a mask": lambda: label_cells(truth > 0),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(given.repeats + 2):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if i >= 2:
                times[name].append(time.perf_counter() - began)
    alone = np.array(next(iter(times.values())))
    rows = [(name, f"{1000 * median(taken):.0f} ms", f"{median(taken / alone):.2f}") for name, taken in times.items()]
    found = label_cells(inside, distance)
    words = (
        f"{SHAPE[0]} x {SHAPE[1]} px, {len(np.unique(truth)) - 1:,} cells on {mask.mean():.0%} of the plane, "
        f"{len(np.unique(ndi.label(truth)[0])) - 1:,} pieces where they touch; {seeds.max():,} summits, "
        f"{found.max():,} cells found, AP50 {score_cells(found, truth)['ap50']:.3f}; medians of {given.repeats}."
    )
    head = ("what", "time", "times the watershed alone")
    write_part("decoding", f"{machine()}\n{words}\n\n{table(head, rows)}")


def predicted(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a network might make of these cells: its targets, blurred, with some noise; probability and distance."""
    rng = np.random.default_rng(0)
    target = cell_targets(truth + 1)
    maps = []
    for true in ((target == 1).astype(np.float32), cell_distances(truth + 1, target)):
        noise = ndi.gaussian_filter(rng.normal(size=truth.shape), GRAIN_PX)
        maps.append(np.clip(ndi.gaussian_filter(true, 1) + NOISE / noise.std() * noise, 0, 1).astype(np.float32))
    return maps[0], maps[1]


def landscape(inside: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights, summits and mask as `label_cells` has them when it comes to its watershed."""
    with patch.object(basins, "_climb", wraps=basins._climb) as climb:
        label_cells(inside, distance)
    heights, _, seeds, mask = climb.call_args.args
    return heights, seeds, mask


if __name__ == "__main__":
    main()

"""Planes too large to be looked at as a whole: cells told apart in windows against the whole plane at once.

    python benchmarks/joining.py [--memory 2GB 512MB] [--repeats 3]

Fields of T98G (long cells) and slices of an ovule (cells fill everything), mirrored until they fill the plane, and
10,000 made cells. Of the first the network's own scores, of the others the targets of training, blurred, with some
noise. What windows add (holes, components, margins, joins) is their time less that of the whole plane, and its share
that of a prediction: network and windows.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import tifffile
from decoding import predicted
from report import data_folder, machine, table, write_part
from skimage.measure import label as components

import napari_annotrain as at
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.synthetic import cells
from napari_annotrain.inference.tile_size import WINDOW, choose_window
from napari_annotrain.metrics import count_cells
from napari_annotrain.net.model import Model
from napari_annotrain.objects.instances import cells_of
from napari_annotrain.objects.plane import label_plane
from napari_annotrain.objects.rules import CellRules
from napari_annotrain.specs import PredictSpec, parse_memory
from napari_annotrain.store.models import load_model

SIDE, BLOBS_SIDE, N_BLOBS, TISSUE_SIDE = 4096, 3328, 10_000, 3072
#: Diameter of typical cells; of the long ones it is not known, as with the base model.
MADE_PX, TISSUE_PX = 26.0, 22.0


def mirrored(field: np.ndarray, side: int) -> np.ndarray:
    """A plane that goes on as its own mirror image, seamlessly."""
    return np.pad(field, [(0, max(0, side - n)) for n in field.shape], "symmetric")[:side, :side]


def long_cells(model: Model) -> np.ndarray:
    files = sorted((data_folder() / "t98g-phase" / "test" / "images").glob("*.tif"))
    image = mirrored(tifffile.imread(files[0]), SIDE)
    return np.asarray(at.predict(model, Stack.of(image, "YX"), output="probabilities"), np.float16)


def tissue() -> np.ndarray:
    (path,) = (data_folder() / "ovule3d-membrane" / "train" / "labels").glob("*.tif")
    field = mirrored(tifffile.imread(path)[16].astype(np.int32), TISSUE_SIDE)
    return np.stack(predicted(components(field, connectivity=1))).astype(np.float16)


def blobs() -> np.ndarray:
    _, truth = cells((BLOBS_SIDE, BLOBS_SIDE), N_BLOBS, seed=0, diameter_px=int(MADE_PX))
    return np.stack(predicted(truth.astype(np.int32))).astype(np.float16)


def seconds(runs: list[Callable[[], object]], rounds: int) -> list[float]:
    """The shortest time of each of several things that are done in turn: what else the machine does lengthens it."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, mine in zip(runs, taken, strict=True):
            began = time.perf_counter()
            run()
            mine.append(time.perf_counter() - began)
    return [min(mine) for mine in taken]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", nargs="+", default=["2GB", "512MB"])
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    model = load_model("cells-2d")
    rows = []
    for name, make, diameter in (
        ("T98G, long cells", lambda: long_cells(model), None),
        ("ovule, cells fill everything", tissue, TISSUE_PX),
        (f"{N_BLOBS:,} made cells", blobs, MADE_PX),
    ):
        maps = make()
        rules = CellRules(None, diameter, threshold=0.6)
        whole = cells_of(*maps, rules=rules)
        image = np.zeros(whole.shape, np.uint8) + np.arange(whole.shape[1], dtype=np.uint8)
        sizes = [int(choose_window(PredictSpec(memory=parse_memory(memory))) * WINDOW) for memory in given.memory]
        results = [np.zeros_like(whole) for _ in sizes]

        def network(i: np.ndarray = image) -> None:
            at.predict(model, Stack.of(i, "YX"), output="probabilities")

        def at_once(m: np.ndarray = maps, r: CellRules = rules) -> None:
            cells_of(*m, rules=r)

        def windows(found: np.ndarray, most_px: int, m: np.ndarray = maps, r: CellRules = rules) -> None:
            found[:] = 0
            label_plane(lambda box: m[:, *box], found, r, most_px)

        in_windows = [partial(windows, found, most_px) for found, most_px in zip(results, sizes, strict=True)]
        net, plain, *taken = seconds([network, at_once, *in_windows], given.rounds)
        for memory, most_px, found, mine in zip(given.memory, sizes, results, taken, strict=True):
            rows.append(
                (
                    f"{name}, {whole.shape[0]:,} px",
                    f"{memory}: {most_px / 1e6:.1f} Mpx",
                    f"{whole.max():,} / {found.max():,}",
                    alike(found, whole),
                    f"{net:.1f} s, {plain:.1f} s, {mine:.1f} s",
                    f"{(mine - plain) / (net + mine):.1%}",
                )
            )
    head = ("scores", "windows", "cells, whole / windows", "result", "network, whole, windows", "what windows add")
    write_part("joining", f"{machine()} The shortest of {given.rounds} rounds.\n\n{table(head, rows)}")


def alike(found: np.ndarray, whole: np.ndarray) -> str:
    """Identical up to the ids, or how nearly."""
    if np.array_equal(found > 0, whole > 0):
        pairs = np.unique(np.stack([found[found > 0], whole[whole > 0]]), axis=1)
        if pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1])):
            return "identical"
    scores = count_cells(found, whole, 0).scores()
    return f"AP50 {scores['ap50']:.4f}, AP90 {scores['ap']['0.90']:.4f}"


if __name__ == "__main__":
    main()

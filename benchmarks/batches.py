"""How large should training patches be, and how many a step? The same seconds with each, on real images.

    python benchmarks/batches.py [--seconds 20] [--seeds 3]

Trained on `train` images only and scored on other `train` images: strokes on one ISBI-2012 slice (F1 of the membrane
on four others), all cells of one BBBC039 field (AP50 on three others). The presets' sizes were chosen by it. The first
seed is timed; the others take as many steps.
"""

import argparse

import numpy as np
import tifffile
from report import data_folder, machine, table, write_part
from simulate import scribbles

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Step
from napari_annotrain.metrics import count_cells, pool
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS

SIZES = ((64, 32), (96, 14), (128, 4), (128, 8), (128, 16), (192, 4), (256, 2))
MEMBRANE = 2
MIN_SIZE = 15


def read(name: str, numbers: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    place = data_folder() / name / "train"
    files = sorted((place / "images").glob("*.tif"))
    return [(tifffile.imread(files[i]), tifffile.imread(place / "labels" / files[i].name)) for i in numbers]


def fit(
    image: AnnotatedImage, target: str, size: tuple[int, int], limit: dict[str, float], seed: int
) -> tuple[Model, int]:
    spec, step = PRESETS["fast"].train.model_copy(update={"patch": size[0], "batch": size[1], "seed": seed, **limit}), 0
    for event in api.iter_training([image], target=target, spec=spec):
        if isinstance(event, Step):
            step = event.step
        if isinstance(event, Done):
            return event.result, step
    raise AssertionError("training ended without a model")


def membranes(size: tuple[int, int], limit: dict[str, float], seed: int) -> tuple[float, int]:
    (image, truth), *others = read("isbi2012", (0, 5, 9, 13, 17))
    annotated = AnnotatedImage(Stack.of(image), Stack.of(scribbles(truth, seed=seed)))
    model, steps = fit(annotated, "classes", size, limit, seed)
    found = np.stack([at.predict(model, i) + 1 for i, _ in others]) == MEMBRANE
    right = np.stack([t for _, t in others]) == MEMBRANE
    return float(2 * (found & right).sum() / (found.sum() + right.sum())), steps


def nuclei(size: tuple[int, int], limit: dict[str, float], seed: int) -> tuple[float, int]:
    (image, truth), *others = read("bbbc039", (3, 8, 12, 17))
    annotated = AnnotatedImage(Stack.of(image), Stack.of(truth), dense=True)
    model, steps = fit(annotated, "cells", size, limit, seed)
    return pool([count_cells(at.predict(model, i), t, MIN_SIZE) for i, t in others]).scores()["ap50"], steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    api.warm_up()
    rows = []
    for size in SIZES:
        row = [f"{size[0]} px, {size[1]}"]
        for measure in (membranes, nuclei):
            first, steps = measure(size, {"seconds": given.seconds}, 0)
            scores = [first, *(measure(size, {"steps": steps}, seed)[0] for seed in range(1, given.seeds))]
            row += [f"{np.mean(scores):.3f} (± {np.std(scores, ddof=1):.3f})", f"{steps}"]
        print(*row, sep=" | ", flush=True)
        rows.append(tuple(row))
    head = ("patch, batch", "membrane F1", "steps", "nuclei AP50", "steps")
    words = f"`fast`, {given.seconds:.0f} s from nothing each, {given.seeds} seeds."
    write_part("batches", f"{machine()} {words}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

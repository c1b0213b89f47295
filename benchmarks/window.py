"""The whole loop on real images in a real napari window: paint, press Train, see labels, predict the whole image.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/window.py [--seconds 20] [--shots FOLDER]

The strokes are those of `simulate.py`; the buttons are pressed as a person presses them.
"""

import argparse
from pathlib import Path

import numpy as np
import tifffile
from napari_window import Window, wait
from report import data_folder, machine, table, write_part
from simulate import few_cells, scribbles

from napari_annotrain import api
from napari_annotrain.specs import TrainSpec

SETS = (
    # folder, target, subset and image to paint on, what is painted
    ("isbi2012", "classes", "train", "30 strokes"),
    ("bbbc039", "cells", "train", "10 whole cells and a ring of background"),
    ("dsb2018", "cells", "train", "10 whole cells and a ring of background"),
)


def measure(folder: Path, target: str, subset: str, seconds: float, shots: Path | None) -> tuple[object, ...]:
    path = next(iter(sorted((folder / subset / "images").glob("*.tif"))))
    image, truth = tifffile.imread(path), tifffile.imread(folder / subset / "labels" / path.name)
    window = Window(image, path.stem)
    window.choose("target_combo", target)
    window.controller.train.set_base("none")  # the base weights have seen images of these folders
    painted = scribbles(truth) if target == "classes" else few_cells(truth)
    window.annotate(painted)
    window.controller.train.set_spec(TrainSpec(seconds=seconds))
    window.press("train_button")
    first = wait(lambda: window.prediction() is not None and bool(window.prediction().any()), 60 + 2 * seconds)
    window.press("predict_stack_button")
    window.wait_until_idle(300)
    result, said = window.prediction(), window.says()
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
        window.viewer.screenshot(str(shots / f"{folder.name}.png"), canvas_only=False, flash=False)
    window.viewer.close()
    unknown = painted == 0
    if target == "classes":
        scores = api.evaluate(np.where(unknown, result + 1, 0), np.where(unknown, truth, 0), kind="classes")["pooled"]
        words = f"Dice of the membrane, where nothing was painted: {scores['dice']['2']:.3f}"
    else:
        words = f"AP50 {api.evaluate(result, truth, min_size=15)['pooled']['ap50']:.3f}"
    return (f"{folder.name} {path.stem}", f"{(painted > 0).mean():.1%}", f"{first:.1f} s", words, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--shots", type=Path)
    given = parser.parse_args()
    data = data_folder()
    rows = [measure(data / name, target, subset, given.seconds, given.shots) for name, target, subset, _ in SETS]
    head = ("image", "painted", "Train pressed to first labels", "scores", "what the panel says at the end")
    write_part("window", f"{machine()} {given.seconds:.0f} s of training.\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

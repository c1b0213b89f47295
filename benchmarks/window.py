"""The whole loop on real images in a real napari window: paint, press Train, see labels, predict the whole image.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/window.py [--seconds 20] [--shots FOLDER]

The strokes are those of `simulate.py`; the buttons are pressed as a person presses them.
"""

import argparse
import time
from pathlib import Path

import napari
import numpy as np
import tifffile
from qtpy.QtWidgets import QAbstractButton, QApplication, QComboBox, QLabel
from report import data_folder, machine, table, write_part
from simulate import few_cells, scribbles

from napari_annotrain import api
from napari_annotrain._napari.controller import controller_of
from napari_annotrain.specs import TrainSpec

SETS = (
    # folder, target, subset and image to paint on, what is painted
    ("isbi2012", "classes", "train", "30 strokes"),
    ("bbbc039", "cells", "train", "10 whole cells and a ring of background"),
    ("dsb2018", "cells", "train", "10 whole cells and a ring of background"),
)


def wait(until, seconds: float) -> float:
    """Run the window until something is true; how long that took."""
    began = time.perf_counter()
    while not until():
        QApplication.processEvents()
        if time.perf_counter() - began > seconds:
            raise SystemExit("The window did not get there in time.")
        time.sleep(0.005)
    return time.perf_counter() - began


class Window:
    """napari with the panel, used through the names of its parts."""

    def __init__(self, image: np.ndarray, name: str) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1400, 900)
        self.image = self.viewer.add_image(image, name=name)
        self.dock, self.panel = self.viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
        QApplication.processEvents()

    def part(self, kind: type, name: str):
        return self.panel.findChild(kind, name)

    def press(self, name: str) -> None:
        wait(self.part(QAbstractButton, name).isEnabled, 60)
        self.part(QAbstractButton, name).click()

    def choose(self, name: str, text: str) -> None:
        combo = self.part(QComboBox, name)
        combo.setCurrentIndex(next(i for i in range(combo.count()) if text in combo.itemText(i)))

    def says(self) -> str:
        return self.part(QLabel, "status_label").text()

    def prediction(self) -> np.ndarray | None:
        name = f"{self.image.name} prediction"
        return np.asarray(self.viewer.layers[name].data) if name in self.viewer.layers else None


def measure(folder: Path, target: str, subset: str, seconds: float, shots: Path | None) -> tuple[object, ...]:
    path = next(iter(sorted((folder / subset / "images").glob("*.tif"))))
    image, truth = tifffile.imread(path), tifffile.imread(folder / subset / "labels" / path.name)
    window = Window(image, path.stem)
    window.choose("target_combo", target)
    window.press("new_annotation_button")
    layer = window.viewer.layers[f"{path.stem} annotation"]
    painted = scribbles(truth) if target == "classes" else few_cells(truth)
    layer.data[...] = painted
    layer.refresh()
    train = controller_of(window.viewer).train
    train.set_spec(TrainSpec(seconds=seconds))
    window.press("train_button")
    first = wait(lambda: window.prediction() is not None and bool(window.prediction().any()), 60 + 2 * seconds)
    wait(window.part(QAbstractButton, "predict_stack_button").isEnabled, 60)
    window.press("predict_stack_button")
    wait(lambda: window.part(QAbstractButton, "train_button").isEnabled(), 300)
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

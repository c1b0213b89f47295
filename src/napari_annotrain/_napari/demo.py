"""The main job on sample cells, in a real napari window, by the panel's own buttons.

Run as ``python -m napari_annotrain._napari.demo OUT [--headless]``; `annotrain demo` does so, on a virtual screen if
need be.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from napari_annotrain._napari.controller import controller_of
from napari_annotrain._qt.job import sentence
from napari_annotrain.data.synthetic import cells
from napari_annotrain.errors import AnnotrainError

#: Seeds of the sample that File > Open Sample shows, and of cells that are never trained on.
SAMPLE, NEW = 0, 1
#: Longest wait for a run to end, beyond the training time, in seconds.
PATIENCE = 180.0
SECONDS_BETWEEN_LINES = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 when it reached its end, 1 with a sentence when it did not."""
    parser = argparse.ArgumentParser(description="Annotate, train and predict sample cells in napari.")
    parser.add_argument("out", type=Path, help="folder for screenshot, labels, model and scores")
    parser.add_argument("--headless", action="store_true", help="quit at the end instead of leaving the window open")
    parser.add_argument("--seconds", type=float, default=90.0, help="training time")
    options = parser.parse_args(arguments)
    if options.headless:
        # nobody's settings and window places are read or changed
        own = Path(tempfile.mkdtemp())
        os.environ.setdefault("NAPARI_CONFIG", str(own / "settings.yaml"))
        os.environ.setdefault("ANNOTRAIN_SETTINGS", str(own))
    import napari

    viewer = None
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        viewer = napari.Viewer(title="napari: annotrain demo")
        demo = Demo(viewer)
        demo.run(options.seconds)
        demo.save(options.out)
    except Exception as error:
        print(f"The demo failed: {sentence(error)}", file=sys.stderr)
        if viewer is not None:
            viewer.close()
        return 1
    if options.headless:
        viewer.close()
        return 0
    sys.excepthook = sys.__excepthook__
    print("The window is yours: correct what is wrong by painting, press Train again; close it to end.", flush=True)
    napari.run()
    return 0


class Demo:
    """Someone in front of the window, who opens, clicks, waits and looks."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._problems: list[BaseException] = []
        # without this an exception in a slot would end the whole process
        sys.excepthook = lambda kind, error, trace: self._problems.append(error)
        self._closed = False
        viewer.window.resize(1500, 950)

    def run(self, seconds: float) -> None:
        """Open sample and panel, train for so many seconds, predict the sample and an image never trained on."""
        print("Opening sample cells with a few strokes of annotation.", flush=True)
        (self.image, _) = self._viewer.open_sample("napari-annotrain", "cells_2d")
        _, self.panel = self._viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
        self.panel.left.connect(self._leave)
        self.panel.destroyed.connect(self._leave)
        self.controller = controller_of(self._viewer)
        self.controller.train.set_spec(self.controller.session.train.model_copy(update={"seconds": seconds}))
        self._look(1.0)
        print(f"Pressing Train: {seconds:g} seconds on what is painted.", flush=True)
        self._click("train_button", lambda: str(self._find("run_label").text()), seconds + PATIENCE)
        self._show_new_cells()
        self._find("output_combo").choose("cells")
        for name in ("new cells", self.image.name):
            print(f"Pressing Whole stack: {name}.", flush=True)
            self._find("image_combo").setCurrentText(name)
            self._click("predict_stack_button", lambda: str(self._find("progress_bar").text()), PATIENCE)
        self._look(1.0)
        print(self._find("status_label").text(), flush=True)

    def save(self, out: Path) -> None:
        """Leave screenshot.png, labels.tif (of the new cells), model.safetensors and scores.json in a folder."""
        from napari_annotrain import evaluate, save_model
        from napari_annotrain.data.writing import write_array

        self._viewer.screenshot(out / "screenshot.png", canvas_only=False, flash=False)
        labels = {name: self._viewer.layers[f"{name} prediction"].data for name in (self.image.name, "new cells")}
        pixel_um = dict(zip("YX", map(float, self.image.scale), strict=True))
        write_array(out / "labels.tif", labels["new cells"], "YX", pixel_um)
        trained = self.controller.session.model
        assert trained is not None  # else Whole stack could not have been pressed
        save_model(trained.model, out / "model.safetensors")
        truths = {self.image.name: cells(seed=SAMPLE)[1], "new cells": cells(seed=NEW)[1]}
        scores = {name: evaluate(labels[name], truth, kind="cells")["mean"] for name, truth in truths.items()}
        (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
        for name, score in scores.items():
            print(f"{name}: {score['ap50']:.2f} average precision at an overlap of 0.5 (1 is perfect).")
        print(f"Screenshot, labels, model and scores are in {out}.", flush=True)

    def _show_new_cells(self) -> None:
        """Put cells that are never trained on beside the sample."""
        image, _ = cells(seed=NEW)
        width_um = image.shape[1] * self.image.scale[1]
        where = {"scale": self.image.scale, "units": self.image.units, "axis_labels": self.image.axis_labels}
        limits = self.image.contrast_limits
        self._viewer.add_image(image, name="new cells", translate=(0, 1.04 * width_um), contrast_limits=limits, **where)
        self._viewer.reset_view()

    def _find(self, name: str) -> Any:
        found = self.panel.findChild(QWidget, name)
        if found is None:
            raise AnnotrainError(f"The panel has no {name}.")
        return found

    def _click(self, name: str, progress: Callable[[], str], seconds: float) -> None:
        """Press a button and wait until it can be pressed again, printing how far it is."""
        button: QAbstractButton = self._find(name)
        if not button.isEnabled():
            raise AnnotrainError(f"{button.text()} cannot be pressed: {button.toolTip()}")
        button.click()
        end, line = time.monotonic() + seconds, time.monotonic() + SECONDS_BETWEEN_LINES
        while not button.isEnabled():
            self._look(0.05)
            if time.monotonic() > end:
                raise AnnotrainError(f"{button.text()} has not come to an end.")
            if time.monotonic() > line:
                line += SECONDS_BETWEEN_LINES
                print(f"  {progress()}", flush=True)
        status = self._find("status_label")
        if status.property("problem"):
            raise AnnotrainError(status.text())

    def _look(self, seconds: float) -> None:
        """Let the window live for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.01)
        if self._problems:
            raise AnnotrainError(f"{type(self._problems[0]).__name__}: {self._problems[0]}")
        if self._closed:
            raise AnnotrainError("The panel was closed before the end.")

    def _leave(self, *_: object) -> None:
        self._closed = True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

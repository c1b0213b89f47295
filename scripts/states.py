"""Every state of the window that is worth a picture: how a new window gets there, and what is to be seen."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from desk import WHERE, Desk
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_annotrain.data.places import refusing
from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cells
from napari_annotrain.session.folder import SessionFolder

STATES: dict[str, "State"] = {}


class State(NamedTuple):
    """What the page says of a picture, how a window gets there, and how large a pixel is."""

    title: str
    words: str
    reach: Callable[[], Desk]
    scale: float = 1


def state(name: str, title: str, words: str, scale: float = 1) -> Callable[[Callable[[], Desk]], Callable[[], Desk]]:
    """Make the function that follows the way to a state."""

    def add(reach: Callable[[], Desk]) -> Callable[[], Desk]:
        STATES[name] = State(title, words, reach, scale)
        return reach

    return add


@state("no-image", "No image", "The status line says what to do first.")
def no_image() -> Desk:
    return Desk()


@state("no-annotation", "An image, no annotation", "*+ New layer* is the next thing to press.")
def no_annotation() -> Desk:
    desk = Desk()
    desk.image()
    return desk


@state("one-class", "Only cells are painted", "What is missing is said: some background.")
def one_class() -> Desk:
    desk = no_annotation()
    desk.press("new_annotation_button")
    for y, x in ((350, 468), (198, 128), (437, 219)):
        desk.paint(2, [(y, x - 6), (y, x + 6)])
    return desk


@state("ready", "Ready to train", "Cells and background are painted: *Train* can be pressed.")
def ready() -> Desk:
    desk = Desk()
    desk.sample()
    return desk


@state("keys", "The keys", "*Keys* at the foot of the panel; the window stays open while you work.")
def keys() -> Desk:
    desk = ready()
    desk.press("keys_button")
    left = desk.viewer.window._qt_window.frameGeometry().topLeft()
    desk.panel.keys_window.move(left.x() + 285, left.y() + 60)
    desk.pause(0.4)
    return desk


def well_annotated() -> Desk:
    """So many strokes that some are kept for validation."""
    desk = ready()
    _, truth = cells()
    layer = desk.controller.annotation
    for seed in range(1, 6):
        more = strokes(truth, seed=seed)
        at = np.nonzero((more > 0) & (layer.data == 0))
        for value in (1, 2):
            layer.data_setitem(tuple(a[more[at] == value] for a in at), value)
    desk.pause()
    return desk


@state("training-begins", "Training, the first seconds", "You can go on painting.")
def training_begins() -> Desk:
    desk = ready()
    desk.train_for(None)
    desk.wait(lambda: "steps" in desk.find("run_label").text())
    return desk


@state("training-goes-on", "Training, later", "The curve falls; the labels of what is in view get better.")
def training_goes_on() -> Desk:
    desk = well_annotated()
    desk.train_for(None)
    desk.wait(lambda: "score" in desk.panel.folds["Train"].summary() and "cells prediction" in desk.viewer.layers)
    desk.open_steps("Annotate", "Train")
    return desk


@state("stopped", "Stopped by hand", "The best model so far is kept.")
def stopped() -> Desk:
    desk = training_goes_on()
    desk.press("stop_button")
    desk.idle()
    return desk


@state("finished", "Finished", "The model predicts what is in view.")
def finished() -> Desk:
    desk = well_annotated()
    desk.train_for(60)
    desk.idle()
    desk.open_steps("Annotate", "Train")
    return desk


@state("failed", "An image that cannot be used", "One sentence says why, and what to do.")
def failed() -> Desk:
    desk = Desk()
    desk.array(np.full((256, 256), np.nan, np.float32), "broken camera", contrast_limits=(0, 1))
    desk.press("new_annotation_button")
    desk.paint(2, [(100, 100), (100, 150)])
    desk.paint(1, [(200, 100), (200, 150)])
    desk.press("train_button")
    desk.idle()
    return desk


@state("predicting-view", "Predicting what is in view", "Tile by tile; *Cancel* keeps what is done.")
def predicting_view() -> Desk:
    desk = Desk()
    made, _ = cells(seed=3)
    desk.array(np.tile(made, (6, 6)), "slide", **WHERE)
    desk.have_model("classes")
    desk.open_steps("Image", "Annotate", "Predict")
    desk.press("predict_view_button")
    desk.wait(lambda: desk.find("progress_bar").value() > 0.2 * desk.find("progress_bar").maximum())
    return desk


@state(
    "half-a-stack",
    "Predicting a stack",
    "Plane by plane; a veil lies where nothing is predicted yet.",
)
def half_a_stack() -> Desk:
    desk = Desk()
    made = np.stack([np.tile(cells(seed=seed)[0], (3, 3)) for seed in range(6)])
    desk.array(made, "stack", scale=(2, 0.65, 0.65), units=("um",) * 3, axis_labels=("z", "y", "x"))
    desk.viewer.dims.set_current_step(0, 3)
    desk.have_model("classes")
    desk.open_steps("Image", "Annotate", "Predict")
    desk.press("predict_stack_button")
    desk.wait(lambda: desk.find("progress_bar").value() > 0.1 * desk.find("progress_bar").maximum())
    return desk


@state("cancelled", "Cancelled", "What is done stays; *Whole stack* goes on from there.")
def cancelled() -> Desk:
    desk = half_a_stack()
    desk.press("cancel_button")
    desk.idle()
    return desk


def cells_wanted() -> Desk:
    """An image whose single cells are annotated, and predicted."""
    desk = no_annotation()
    desk.panel.annotate.target_combo.choose("cells")
    desk.press("new_annotation_button")
    desk.have_predicted("cells")
    return desk


@state("accepted", "Prediction accepted", "The prediction is annotation now, to be corrected.")
def accepted() -> Desk:
    desk = cells_wanted()
    desk.press("accept_view_button")
    desk.wait(lambda: " 0 px" not in desk.panel.folds["Annotate"].summary())
    return desk


@state("correcting", "Correcting cells", "A line drawn across a cell splits it.")
def correcting() -> Desk:
    desk = accepted()
    desk.open_steps("Image", "Annotate")
    desk.press("split_cell_button")
    desk.viewer.scene.camera.zoom *= 3
    desk.pause()
    layer = desk.controller.annotation
    values, amounts = np.unique(layer.data[180:330, 180:330], return_counts=True)
    largest = max((n, int(v)) for v, n in zip(values, amounts, strict=True) if v > 1)[1]
    y, x = (float(a.mean()) for a in np.nonzero(layer.data == largest))
    desk.drag(layer, (y - 24, x - 12), (y + 24, x + 12), release=False)
    return desk


@state("where-next", "Where next?", "The place that the model is most in doubt about.")
def where_next() -> Desk:
    desk = Desk()
    desk.sample("cells_stack")
    desk.have_predicted("classes")
    desk.press("where_next_button")
    desk.idle()
    return desk


@state("suspects", "Suspect labels", "Strokes that the model disagrees with: a click goes there.")
def suspects() -> Desk:
    desk = ready()
    desk.have_predicted("classes")
    _, truth = cells()
    for label in (11, 23, 37):
        y, x = (float(a.mean()) for a in np.nonzero(truth == label))
        desk.paint(1, [(y - 3, x - 3), (y + 3, x + 3)])
    desk.open_steps("Image", "Annotate", "Predict")
    desk.press("suspects_button")
    desk.idle()
    desk.controller.suspects.go(0)
    desk.pause()
    return desk


@state("what-changed", "What changed", "Green is new in the labels of this model, red is gone.")
def what_changed() -> Desk:
    desk = ready()
    desk.have_model("classes")
    desk.train_for(15)
    desk.idle()
    desk.have_predicted("classes", "slice")
    desk.press("what_changed_button")
    desk.idle()
    desk.viewer.layers["cells prediction"].visible = False
    desk.open_steps("Models")
    return desk


@state("augmentation", "How images are deformed", "What training makes of the annotation.")
def augmentation() -> Desk:
    desk = ready()
    desk.open_steps("Train")
    desk.press("more_train_button")
    desk.press("augmentation_preview_button")
    desk.wait(lambda: not desk.controller.augment.busy and desk.controller.augment.window.grid.n_pictures > 0)
    left = desk.viewer.window._qt_window.frameGeometry().topLeft()
    desk.controller.augment.window.move(left.x() + 322, left.y() + 110)
    desk.pause(0.4)
    return desk


@state("border-weights", "Border weights", "The brighter a gap, the more it counts in training.")
def border_weights() -> Desk:
    desk = accepted()
    desk.open_steps("Train")
    desk.press("more_train_button")
    desk.press("border_weights_button")
    desk.wait(lambda: any("weights" in layer.name for layer in desk.viewer.layers))
    desk.pause(0.5)
    return desk


@state("probabilities", "Probabilities", "How sure the model is, as a layer.")
def sureness() -> Desk:
    desk = no_annotation()
    desk.have_predicted("probabilities", "slice")
    return desk


@state("measured", "Measured", "Table, layer and plot mark the same cell.")
def measured() -> Desk:
    desk = no_annotation()
    desk.have_predicted("cells")
    desk.open_steps("Measure")
    desk.press("measure_button")
    desk.wait(lambda: desk.panel.measure.table.isVisible())
    desk.pause(0.5)
    table = desk.panel.measure.table
    place = table.visualRect(table.model().index(4, 0)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    desk.pause()
    return desk


def left_behind(*, model: bool) -> str:
    """The folder of sessions of somebody who has painted, and closed the window."""
    sessions = tempfile.mkdtemp()
    before = Desk(sessions=sessions)
    before.sample()
    before.paint(2, [(250, 240), (262, 262)])
    if model:
        before.have_model()
    before.close()
    return sessions


@state("earlier-work", "Earlier work", "A new window offers to go on where the last one ended.")
def earlier_work() -> Desk:
    return Desk(sessions=left_behind(model=True))


@state("full-disk", "A full disk", "It is said once; what is done is kept, and written when there is room again.")
def full_disk() -> Desk:
    desk = ready()
    write = SessionFolder.write

    def refuse(folder: SessionFolder, batch: Any) -> None:
        with refusing(folder.path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    SessionFolder.write = refuse  # type: ignore[method-assign]
    try:
        desk.paint(2, [(250, 240), (262, 262)])
        desk.wait(lambda: "written when that works" in desk.find("status_label").text())
    finally:
        SessionFolder.write = write  # type: ignore[method-assign]
    return desk


@state("session-in-use", "A session that is open elsewhere", "One session, one window: which one is said.")
def session_in_use() -> Desk:
    sessions = left_behind(model=False)
    (path,) = Path(sessions).iterdir()
    held = SessionFolder.open(path)  # what another napari does
    desk = Desk(sessions=sessions)
    desk.controller.guarded(desk.controller.keeping.open)(path)
    desk.pause()
    held.close()
    return desk


@state("large", "An image larger than memory", "Only what is in view is read and predicted.")
def large() -> Desk:
    desk = Desk()
    made, _ = cells(seed=4)
    plane = da.tile(da.from_array(made, chunks=made.shape), (8, 8))
    stack = da.stack([plane] * 40)
    where = {"scale": (2, 0.65, 0.65), "units": ("um",) * 3, "axis_labels": ("z", "y", "x")}
    desk.array(stack, "large stack", contrast_limits=(float(made.min()), float(made.max())), **where)
    desk.viewer.dims.set_current_step(0, 20)
    desk.viewer.scene.camera.zoom *= 6
    desk.have_model("cells")
    desk.press("predict_view_button")
    desk.idle()
    return desk


@state("several", "Several images", "The ticked ones are trained on together.")
def several() -> Desk:
    desk = ready()
    first = desk.controller.image
    width_um = first.data.shape[1] * first.scale[1]
    for k, name in enumerate(("treated", "washed out"), 1):
        layer = desk.image(seed=k, name=name, translate=(0, 1.04 * k * width_um))
        desk.find("image_combo").choose(layer)
        desk.press("new_annotation_button")
        desk.paint(2, [(250, 240), (262, 262)])
        desk.paint(1, [(60, 20), (60, 90)])
    return desk


@state("in-3d", "In 3-D", "The cells of a stack.")
def in_3d() -> Desk:
    desk = Desk()
    desk.sample("cells_stack")
    desk.have_predicted("classes")
    desk.viewer.dims.ndisplay = 3
    desk.viewer.layers["cell stack annotation"].visible = False
    desk.viewer.scene.camera.angles = (10, -30, 60)
    desk.viewer.fit_to_view()
    desk.pause(0.5)
    return desk


@state("single-steps", "A step in a dock of its own", "It is a tab beside the panel and shares its session.")
def single_steps() -> Desk:
    desk = ready()
    window = desk.viewer.window
    window.add_plugin_dock_widget("napari-annotrain", "Train")
    desk.pause(0.5)
    return desk


@state("light", "Light theme", "The panel follows napari's theme.")
def light() -> Desk:
    desk = finished()
    desk.viewer.theme = "light"
    desk.pause(0.5)
    return desk


@state("narrow", "320 px wide", "Nothing is cut off.")
def narrow() -> Desk:
    desk = Desk(width=320)
    desk.sample()
    desk.panel.setFixedWidth(320)
    desk.have_predicted("cells")
    return desk


@state("twice-as-large", "At 200 %", "On a screen with small pixels.", scale=2)
def twice_as_large() -> Desk:
    desk = Desk((900, 600), 340)
    desk.sample()
    return desk

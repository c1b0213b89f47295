"""How long after someone has panned to a new place its labels are on the screen, with *Live* on.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/live.py

A pan is several movements of the camera; the time runs from the last of them until the frame is on the screen that
shows the prediction of all that is seen. What is predicted and what is not is told by a value that no prediction gives,
which the prediction layer is filled with at the beginning.
"""

import itertools
import time

import numpy as np
from napari_window import Window, pause, wait
from qtpy.QtWidgets import QCheckBox
from report import machine, table, write_part

from napari_annotrain import api
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cells
from napari_annotrain.session import Trained

SIDE, VIEW = 2560, 512
#: Places a side that do not touch each other; of them all in some planes, and of four of them other planes are shown.
GRID = (VIEW / 2, 940.0, 1620.0, SIDE - VIEW / 2)
PLANES_NEW, PLANE_ASIDE, PLANES_STEPPED = (0, 1), 2, (3, 4, 5, 6, 7)
#: A pan is so many movements, so many s apart; then the hand rests for so long.
MOVES, APART, REST = 6, 0.03, 0.4
#: What the prediction layer is filled with: neither a class nor, by far, the number of a cell.
UNKNOWN = {"classes": 250, "cells": 1 << 30}
Place = tuple[float, float]


class Lab:
    """The window with one model, and the pans."""

    def __init__(self, image: np.ndarray, model, output: str) -> None:
        n_planes = 1 + max(PLANES_STEPPED)
        self.window = Window(np.tile(image, (n_planes, SIDE // len(image), SIDE // len(image))), "cells")
        wait(lambda: self.window.controller.loading.done, 120)
        self.output, self.viewer = output, self.window.viewer
        self.window.controller.models.use(Trained("a model", model))
        self.window.choose("output_combo", output)
        self._see_a_square()
        self.show(0, (SIDE / 2, SIDE / 2))
        self.window.press("predict_view_button")
        self.window.wait_until_idle(120)
        (self.layer,) = (la for la in self.viewer.layers if la.name == "cells prediction")
        self.layer.data[...] = UNKNOWN[output]
        self.layer.refresh()
        self.layer.events.set_data.connect(self._refreshed)
        canvas = self.viewer.window._qt_viewer.canvas.native
        canvas.frameSwapped.connect(self._swapped)
        self._ready, self._drawn = False, 0.0
        self.window.part(QCheckBox, "live_check").setChecked(True)
        self.window.wait_until_idle(120)
        pause(REST)

    def _see_a_square(self) -> None:
        qt = self.viewer.window._qt_window
        for _ in range(3):
            height, width = self.viewer.canvas.viewbox_size(self.viewer.layers)
            qt.resize(qt.width() + int(height) - int(width), qt.height())
            pause(0.3)
        self.viewer.scene.camera.zoom = height / VIEW

    def show(self, plane: int, place: Place) -> None:
        self.viewer.dims.set_current_step(0, plane)
        self.viewer.scene.camera.center = (0, *place)

    def go(self, plane: int, place: Place) -> None:
        """Be somewhere, however long that takes."""
        self.time(lambda: self.show(plane, place))

    def pans(self, plane: int, places: list[Place]) -> list[float]:
        """Pan from place to place; for each the time until it is seen predicted, in ms."""
        self.go(plane, places[0])
        return [self.pan(plane, before, after) for before, after in itertools.pairwise(places)]

    def pan(self, plane: int, before: Place, after: Place) -> float:
        way = np.linspace(before, after, MOVES + 1)[1:]
        for place in way[:-1]:
            self.show(plane, tuple(place))
            pause(APART)
        return self.time(lambda: self.show(plane, tuple(way[-1])))

    def steps(self, place: Place) -> list[float]:
        """Show other planes of a place; for each the time until it is seen predicted, in ms."""
        self.go(PLANES_STEPPED[0], place)
        return [self.time(lambda z=plane: self.show(z, place)) for plane in PLANES_STEPPED[1:]]

    def time(self, move) -> float:
        self._ready, self._drawn = False, 0.0
        began = time.perf_counter()
        move()
        self._refreshed()  # it may be there already
        wait(lambda: self._drawn > 0, 60)
        self.window.wait_until_idle(60)
        pause(REST)
        return 1000 * (self._drawn - began)

    def _refreshed(self, event=None) -> None:
        region = region_of(self.viewer, self.window.image, "ZYX")
        assert region is not None
        self._ready = not (self.layer.data[region[1:]] == UNKNOWN[self.output]).any()

    def _swapped(self) -> None:
        if self._ready and not self._drawn:
            self._drawn = time.perf_counter()


def measure(name: str, image: np.ndarray, model, output: str) -> list[tuple[object, ...]]:
    lab = Lab(image, model, output)
    apart = list(itertools.product(GRID, GRID))
    aside = [[(y, x) for x in np.arange(GRID[0], GRID[-1] + 1, VIEW / 2)] for y in GRID[::2]]
    times = {
        "a new place": [ms for plane in PLANES_NEW for ms in lab.pans(plane, apart)],
        "half a view aside": [ms for row in aside for ms in lab.pans(PLANE_ASIDE, row)],
        "another plane": [ms for place in apart[::2] for ms in lab.steps(place)],
        "a place seen before": [ms for plane in PLANES_NEW for ms in lab.pans(plane, apart[::-1])],
    }
    lab.viewer.close()
    return [
        (name, what, len(ms), *(f"{v:.0f}" for v in np.percentile(ms, (50, 90, 100)))) for what, ms in times.items()
    ]


def main() -> None:
    image, truth = cells((512, 512), n_cells=90, seed=0)
    quick = api.train(image, strokes(truth), target="classes", steps=100)
    rows = [
        *measure("`cells-2d`, cells", image, api.load_model("cells-2d"), "cells"),
        *measure("`fast`, classes", image, quick, "classes"),
    ]
    head = ("model", "shown", "times", "median, ms", "90 %, ms", "most, ms")
    about = (
        f"{SIDE} x {SIDE} px, of which about {VIEW} x {VIEW} are seen; {MOVES} movements, {1000 * APART:.0f} ms apart."
    )
    write_part("live", f"{machine()} {about}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

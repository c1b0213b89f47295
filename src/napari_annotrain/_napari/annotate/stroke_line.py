from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from napari.layers import Shapes

from napari_annotrain._napari.annotate.plane_edit import PlaneOf
from napari_annotrain._napari.roster import Roster

COLOUR = "#fff04a"


class StrokeLine:
    """A line that is seen while it is drawn over a plane, and goes afterwards."""

    def __init__(self, roster: Roster, plane: PlaneOf, start: tuple[float, float]) -> None:
        self._roster, self._plane = roster, plane
        layer = plane.layer
        place = {
            n: getattr(layer, n) for n in ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
        }
        self._layer = Shapes(
            [self._points([start, start])],
            shape_type="path",
            name="cut",
            edge_color=COLOUR,
            face_color="transparent",
            edge_width=max(1.0, 2.0 / max(roster.viewer.scene.camera.zoom * float(np.min(np.abs(layer.scale))), 1e-9)),
            metadata={"annotrain": "cut"},
            **place,
        )
        roster.insert(len(roster.viewer.layers), self._layer)

    def draw(self, path: Sequence[tuple[float, float]]) -> None:
        """Show the line as far as it is drawn, (y, x) in px."""
        self._layer.data = [self._points(path)]

    def close(self) -> None:
        """Take it away."""
        listed = self._roster.viewer.layers
        if self._layer in listed:
            selected, active = set(listed.selection), listed.selection.active
            listed.remove(self._layer)
            listed.selection = selected - {self._layer}
            listed.selection.active = active

    def _points(self, path: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
        return np.array([self._plane.point(y, x) for y, x in path], float)

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QTimer

from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.viewer.layers import label_axes, placement

COLOUR = "#fff04a"
#: It goes after so long by itself.
MOMENT_MS = 4000
#: Thickness of the outline on the screen, in px.
THICK_PX = 2.5


class PlaceMark:
    """An outline around a place that was gone to; it goes with the next press of the mouse, or after a moment."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._layer: Shapes | None = None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.close)

    def show(self, image: Any, axes: str, centre: Sequence[float | None], size_px: tuple[float, float]) -> None:
        """Draw it.

        Parameters
        ----------
        image, axes
            Layer of an image that belongs to it, and the axes of its array.
        centre
            Along each axis of the layer, in px, as for `going.go_to`.
        size_px
            Height and width.
        """
        self.close()
        viewer = self._roster.viewer
        at = {axis: place for axis, place in zip(axes, centre, strict=False) if place is not None}
        own = label_axes(image, axes)
        half = {"Y": size_px[0] / 2, "X": size_px[1] / 2}
        corners = [
            [at.get(axis, 0) + half.get(axis, 0.0) * {"Y": down, "X": right}.get(axis, 0) for axis in own]
            for down, right in ((-1, -1), (-1, 1), (1, 1), (1, -1))
        ]
        place = placement(image, axes)
        px = float(np.min(np.abs(np.asarray(place["scale"])[[own.index("Y"), own.index("X")]])))
        self._layer = Shapes(
            [np.array(corners, float)],
            shape_type="polygon",
            name="here",
            edge_color=COLOUR,
            face_color="transparent",
            edge_width=max(0.5, THICK_PX / max(viewer.scene.camera.zoom * px, 1e-9)),
            metadata={"annotrain": "here"},
            **place,
        )
        self._layer.editable = False
        self._roster.insert(len(viewer.layers), self._layer)
        viewer.mouse_drag_callbacks.append(self._pressed)
        self._timer.start(MOMENT_MS)

    def close(self) -> None:
        """Take it away; Qt may have done so before, where the window closes."""
        with suppress(RuntimeError):
            self._take_away()

    def _take_away(self) -> None:
        self._timer.stop()
        layer, self._layer, viewer = self._layer, None, self._roster.viewer
        if layer is None or viewer is None:
            return
        if self._pressed in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._pressed)
        if layer in viewer.layers:
            listed = viewer.layers
            selected, active = set(listed.selection), listed.selection.active
            listed.remove(layer)
            listed.selection = selected - {layer}
            listed.selection.active = None if active is layer else active

    def _pressed(self, viewer: Any, event: Any) -> None:
        self._timer.start(0)  # not while napari goes through its callbacks

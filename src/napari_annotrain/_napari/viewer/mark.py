from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from napari.utils.transforms import Affine
from qtpy.QtCore import QTimer

from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.viewer.layers import label_axes, placement

COLOUR = (1.0, 0.94, 0.29, 1.0)
#: Cells along a side of the little image that the outline is drawn on.
CELLS = 64
#: It goes after so long by itself.
MOMENT_MS = 4000
#: Thickness of the outline on the screen, in px.
THICK_PX = 2.5


class PlaceMark:
    """An outline around a place that was gone to; it goes with the next press of the mouse, or after a moment.

    It is an image: shapes that were never drawn cannot be clicked on (vispy ends the process).
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._layer: Image | None = None
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
        size = {"Y": size_px[0], "X": size_px[1]}
        cell = np.array([size.get(axis, 1.0) / (CELLS if axis in size else 1) for axis in own])
        first = [at.get(axis, 0) - size.get(axis, 1.0) / 2 + step / 2 for axis, step in zip(own, cell, strict=True)]
        place = placement(image, axes)
        over = Affine(**{name: place[name] for name in ("scale", "translate", "rotate", "shear")})
        seen = viewer.scene.camera.zoom * float(np.abs(np.asarray(place["scale"]) * cell)[own.index("Y")])
        ring = np.ones([CELLS if axis in size else 1 for axis in own], np.uint8)
        thick = int(np.clip(round(THICK_PX / max(seen, 1e-9)), 1, CELLS // 4))
        ring[tuple(slice(thick, -thick) if axis in size else slice(None) for axis in own)] = 0
        place |= {"scale": place["scale"] * cell, "translate": over(first)}
        self._layer = Image(
            ring,
            name="here",
            contrast_limits=(0, 1),
            colormap=Colormap([(*COLOUR[:3], 0.0), COLOUR], name="annotrain here"),
            interpolation2d="nearest",
            blending="translucent",
            metadata={"annotrain": "here"},
            **place,
        )
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

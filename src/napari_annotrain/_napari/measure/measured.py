from collections.abc import Callable
from math import pi, sqrt
from typing import Any
from weakref import ref

import numpy as np
from qtpy.QtCore import QObject, QTimer

from napari_annotrain.data.stack import Stack
from napari_annotrain.measurement import Table
from napari_annotrain.measurement.planes import checksum, read_plane

#: Rest after a layer was drawn anew before it is compared with what was measured.
DEBOUNCE_MS = 250
#: The labels of larger planes are not compared.
LARGE_PLANE = 1 << 24


class Measured(QObject):
    """The table of a labels layer, and whether the layer still is what was measured.

    Painting, new pixels and another pixel size are told by the layers. Undo and redo only draw the labels anew: then
    the plane in view is compared with what it was.

    Parameters
    ----------
    plane
        The plane in view as (t, z); None where none is.
    changed
        Called once, when it is no longer what was measured.
    """

    def __init__(
        self,
        layer: Any,
        image: Any,
        labels: Stack,
        table: Table,
        plane: Callable[[], tuple[int, int] | None],
        changed: Callable[[], None],
    ) -> None:
        super().__init__()
        self.table, self.stale = table, False
        self._layer, self._image = ref(layer), ref(image)
        self._axes, self._name = labels.axes, labels.name
        self._plane, self._changed = plane, changed
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._compare)
        for emitter, slot in self._emitters():
            emitter.connect(slot)

    def _emitters(self) -> list[tuple[Any, Callable[..., None]]]:
        layer, image, found = self._layer(), self._image(), []
        if layer is not None:
            events = layer.events
            found += [(events.paint, self.outdate), (events.data, self.outdate), (events.set_data, self._drawn)]
        if image is not None:  # its pixels, and how large they are
            found += [
                (emitter, self.outdate) for emitter in (image.events.data, image.events.scale, image.events.units)
            ]
        return found

    def close(self) -> None:
        """Look at the layer no more."""
        self._timer.stop()
        for emitter, slot in self._emitters():
            emitter.disconnect(slot)

    def is_of(self, image: Any) -> bool:
        """Whether it was measured in this image."""
        return self._image() is image

    def outdate(self, event: Any = None) -> None:
        """Take it that the labels or the image have changed."""
        if not self.stale:
            self.stale = True
            self._changed()

    def row_of(self, label: int, plane: tuple[int, int] | None) -> int | None:
        """Row of an object, in this plane (t, z) or else in the first it has; None for no object."""
        rows = [int(row) for row in np.flatnonzero(self.table["label"] == label)]
        here = [row for row in rows if self.place_of(row)[:2] == plane]
        return next(iter([*here, *rows]), None)

    def place_of(self, row: int) -> tuple[int, int, float, float]:
        """Where the object of a row is: t, z, y, x in pixels."""
        t, z = (int(self.table[name][row]) if name in self.table else 0 for name in ("t", "z"))
        return t, z, float(self.table["centroid_y_px"][row]), float(self.table["centroid_x_px"][row])

    def point_of(self, row: int) -> tuple[float, ...]:
        """The same along every axis of the layer."""
        place = dict(zip("TZYX", self.place_of(row), strict=True))
        return tuple(place.get(axis, 0) for axis in self._axes)

    def diameter_of(self, row: int) -> float:
        """Diameter in pixels of the disc of equal area."""
        return 2.0 * sqrt(float(self.table["area_px"][row]) / pi)

    def _drawn(self, event: Any = None) -> None:
        if not self.stale:
            self._timer.start(DEBOUNCE_MS)

    def _compare(self) -> None:
        layer, plane = self._layer(), self._plane()
        data = None if layer is None or layer.multiscale else layer.data
        known = self.table.planes.get(plane) if plane is not None else None
        if plane is None or known is None or not isinstance(data, np.ndarray):  # on the disk nobody paints
            return
        labels = Stack(data, self._axes, self._name)
        if (
            labels.shape[-1] * labels.shape[-2] <= LARGE_PLANE
            and checksum(read_plane(labels, *plane)) != known.checksum
        ):
            self.outdate()

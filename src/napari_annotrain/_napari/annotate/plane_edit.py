"""One plane of the annotation, read and written; a change is one step of napari's undo, and tells whoever listens."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.viewer.colours import next_cell
from napari_annotrain._napari.viewer.layers import label_axes
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.objects.edits import Box, Edit

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


@dataclass(frozen=True, eq=False)
class PlaneOf:
    """A plane of an annotation layer.

    Attributes
    ----------
    at
        Where it lies along each axis of the layer; 0 along its own two.
    y, x
        Its own axes, by number.
    t, z
        The same place in the image.
    """

    layer: Any
    at: tuple[int, ...]
    y: int
    x: int
    t: int = 0
    z: int = 0

    @classmethod
    def of(cls, layer: Any, axes: str, t: int, z: int) -> "PlaneOf":
        """The plane at a time and a depth; `axes` are those of the layer's array."""
        places = {"T": t, "Z": z}
        return cls(layer, tuple(places.get(a, 0) for a in axes), axes.index("Y"), axes.index("X"), t, z)

    @classmethod
    def leading(cls, layer: Any, index: tuple[int, ...]) -> "PlaneOf":
        """The plane of the last two axes at an index along the others, as `Tally` counts them."""
        return cls(layer, (*index, 0, 0), len(index), len(index) + 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return int(self.layer.data.shape[self.y]), int(self.layer.data.shape[self.x])

    @property
    def index(self) -> tuple[int, ...] | None:
        """Its index as `Tally` counts planes; None where its axes are not the last two."""
        n = len(self.at)
        return self.at[:-2] if (self.y, self.x) == (n - 2, n - 1) else None

    def read(self, box: Box) -> npt.NDArray[Any]:
        """Values of a box, (Y, X)."""
        key: list[Any] = list(self.at)
        key[self.y], key[self.x] = box
        part = np.array(self.layer.data[tuple(key)])
        return part if self.y < self.x else part.T

    def write(self, edits: Sequence[Edit]) -> int:
        """Write some boxes as one step of undo; the number of pixels that changed."""
        return write([(self, edit) for edit in edits])

    def pixel(self, world: Any) -> tuple[float, float]:
        """(y, x) in px of a point of the window."""
        place = self.layer.world_to_data(world)
        return float(place[self.y]), float(place[self.x])

    def point(self, y: float, x: float) -> tuple[float, ...]:
        """A pixel in data coordinates of the layer."""
        place: list[float] = list(self.at)
        place[self.y], place[self.x] = y, x
        return tuple(place)


def write(edits: Sequence[tuple[PlaneOf, Edit]]) -> int:
    """Write boxes of planes of one layer as one step of undo; the number of pixels that changed.

    Raises
    ------
    AnnotrainError
        The layer cannot hold the values.
    """
    parts = [_changed(plane, edit) for plane, edit in edits]
    parts = [part for part in parts if part[1].size]
    if not parts:
        return 0
    layer = edits[0][0].layer
    values = _joined([part[1] for part in parts])
    require_room(layer, int(values.max()))
    indices = tuple(_joined([part[0][i] for part in parts]) for i in range(layer.data.ndim))
    layer.data_setitem(indices, values)
    return int(values.size)


def require_room(layer: Any, value: int) -> None:
    """Refuse a value that a layer cannot hold.

    Raises
    ------
    AnnotrainError
        It cannot, and what to do.
    """
    most = np.iinfo(layer.data.dtype).max
    if value > most:
        raise AnnotrainError(
            f"{layer.name} has no room for cells or classes beyond number {most:,}: right-click the layer in the list "
            "and convert it to a larger data type."
        )


def _changed(plane: PlaneOf, edit: Edit) -> tuple[tuple[npt.NDArray[np.intp], ...], npt.NDArray[Any]]:
    """Where an edit changes the layer, along each of its axes, and to what."""
    rows, columns = edit.box
    y, x = np.nonzero(plane.read(edit.box) != edit.values)
    places = [np.broadcast_to(np.intp(n), y.shape) for n in plane.at]
    places[plane.y], places[plane.x] = y + rows.start, x + columns.start
    return tuple(places), edit.values[y, x]


def _joined(parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def shown_plane(controller: "Controller") -> PlaneOf:
    """The plane of the annotation that is seen.

    Raises
    ------
    AnnotrainError
        There is none, and what to do.
    """
    c = controller
    if c.image is None or c.annotation is None:
        raise AnnotrainError("There is no annotation yet: press + New layer first.")
    if c.roster.viewer.dims.ndisplay == 3:
        raise AnnotrainError("Planes are corrected one by one: show the image in 2-D first (Ctrl+Y).")
    axes = c.roster.axes(c.image)
    region = region_of(c.roster.viewer, c.image, axes, whole=True)
    if region is None:
        raise AnnotrainError(f"Nothing of {c.image.name} is in view: press Home to see all of it.")
    return plane_of(controller, region[0].start, region[1].start)


def plane_of(controller: "Controller", t: int, z: int) -> PlaneOf:
    """A plane of the annotation of the present image, which must lie over it."""
    c = controller
    assert c.image is not None
    assert c.annotation is not None
    axes = label_axes(c.image, c.roster.axes(c.image))
    stack = c.roster.stack(c.image)
    lengths = dict(zip("TCZYX", stack.shape, strict=True)) | {"C": 1}
    if tuple(c.annotation.data.shape) != tuple(lengths[a] for a in axes):
        raise AnnotrainError(f"{c.annotation.name} is not as large as {c.image.name}: choose its own annotation.")
    return PlaneOf.of(c.annotation, axes, t, z)


def free_id(controller: "Controller") -> int:
    """The next cell's annotation value: above all in the layer; who writes later counts on from it."""
    assert controller.annotation is not None
    return next_cell(controller.tallies.of(controller.annotation).count_now())


def rows_with(controller: "Controller", plane: PlaneOf, values: Collection[int]) -> Box | None:
    """Rows of a plane that hold all pixels of some values, from side to side; None where there are none."""
    height, width = plane.shape
    if plane.index is None:
        return slice(0, height), slice(0, width)
    rows = controller.tallies.of(plane.layer).rows_of(plane.index, values)
    return None if rows is None else (slice(rows.start, min(rows.stop, height)), slice(0, width))


def moved(edit: Edit | None, box: Box) -> list[Edit]:
    """An edit of a box of a plane, in pixels of the plane; nothing for None."""
    if edit is None:
        return []
    rows, columns = (slice(a.start + b.start, a.stop + b.start) for a, b in zip(edit.box, box, strict=True))
    return [Edit((rows, columns), edit.values)]

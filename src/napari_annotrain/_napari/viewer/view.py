import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.axes import LABEL_AXES
from napari_annotrain.events import Region

#: Start and stop along every axis of the layer, in pixels of level 0.
Box = tuple[tuple[int, int], ...]


def unwrap(viewer: Any) -> Any:
    """The viewer itself, where napari hands out a proxy (whose layers are not the layers)."""
    return getattr(viewer, "__wrapped__", viewer)


def layer_shape(layer: Any) -> tuple[int, ...]:
    """Shape of level 0 without the colours of an RGB image."""
    shape = layer.level_shapes[0] if getattr(layer, "multiscale", False) else layer.data.shape
    return tuple(int(n) for n in shape[: layer.ndim])


def visible_box(viewer: Any, layer: Any, whole: bool = False) -> Box | None:
    """The part of a layer that is seen; None when nothing of it is.

    Along axes that are not displayed it is the one shown position. In 3-D, and with `whole`, the displayed axes are
    taken from end to end. A rotated layer gives the enclosing box.
    """
    shape = np.asarray(layer_shape(layer))
    dims = viewer.dims
    lead = dims.ndim - layer.ndim
    displayed = [d - lead for d in dims.displayed if d >= lead]
    data = _corners_in_data(viewer, layer, lead)
    start = np.round(data[0]).astype(int)
    stop = start + 1
    for axis in displayed:
        if dims.ndisplay == 2 and not whole:
            start[axis] = int(np.floor(data[:, axis].min() + 0.5))
            stop[axis] = int(np.ceil(data[:, axis].max() + 0.5))
        else:
            start[axis], stop[axis] = 0, shape[axis]
    start, stop = np.clip(start, 0, shape), np.clip(stop, 0, shape)
    if np.any(stop <= start):
        return None
    return tuple((int(a), int(b)) for a, b in zip(start, stop, strict=True))


def region_of(viewer: Any, layer: Any, axes: str, whole: bool = False) -> Region | None:
    """What is seen of an image layer, as slices over T, Z, Y, X (see `visible_box`); `axes` are those of its array."""
    box = visible_box(viewer, layer, whole)
    if box is None:
        return None
    spans = dict(zip(axes, box, strict=False))  # RGB: the last axis is no axis of the layer
    t, z, y, x = (slice(*spans.get(a, (0, 1))) for a in LABEL_AXES)
    return t, z, y, x


def shows_planes(viewer: Any, layer: Any, axes: str) -> bool:
    """Whether planes of Y and X of an image layer are seen, in the flat view."""
    lead = viewer.dims.ndim - layer.ndim
    return viewer.dims.ndisplay == 2 and {axes[d - lead] for d in viewer.dims.displayed if d >= lead} == {"Y", "X"}


def is_inside(region: Region, other: Region | None) -> bool:
    """Whether a region lies within another one."""
    return other is not None and all(
        b.start <= a.start and a.stop <= b.stop for a, b in zip(region, other, strict=True)
    )


def _corners_in_data(viewer: Any, layer: Any, lead: int) -> Any:
    """Corners of the canvas in data coordinates of the layer, (4, ndim); all the current point in 3-D."""
    dims = viewer.dims
    points = np.repeat([np.asarray(dims.point, float)], 4, axis=0)
    if dims.ndisplay == 2:
        height, width = viewer.canvas.viewbox_size(viewer.layers)
        camera = viewer.scene.camera
        (centre_y, centre_x), zoom = camera.center[-2:], camera.zoom
        for k, (sy, sx) in enumerate(itertools.product((-0.5, 0.5), repeat=2)):
            points[k, dims.displayed[0]] = centre_y + sy * height / zoom
            points[k, dims.displayed[1]] = centre_x + sx * width / zoom
    points[:, lead:] /= unit_factors(viewer, layer)
    return np.array([layer.world_to_data(p) for p in points])[:, -layer.ndim :]


def unit_factors(viewer: Any, layer: Any) -> npt.NDArray[np.floating]:
    """How many of the window's units make one of a layer's, along each axis of the layer.

    The window is drawn in the smallest unit of its layers; a layer's own transform knows only its own.
    """
    units = viewer.layers.extent.units
    if units is None or tuple(layer.units) == tuple(units[-layer.ndim :]):
        return np.ones(layer.ndim)
    pairs = zip(layer.units, units[-layer.ndim :], strict=True)
    return np.array([float((1 * own).to(unit).magnitude) for own, unit in pairs])


def in_window(viewer: Any, layer: Any, point: Any) -> npt.NDArray[np.floating]:
    """A point in pixels of a layer in the coordinates of the window, along the axes of the layer."""
    own: npt.NDArray[np.floating] = np.asarray(layer.data_to_world(point), float)
    return own * unit_factors(viewer, layer)

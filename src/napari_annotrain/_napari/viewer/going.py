from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_annotrain._napari.viewer.view import in_window

#: An object is at least so large on the screen once it was gone to, in px.
SPECK_PX = 24
#: Where one wants to paint, at least so many pixels of the image are seen from edge to edge.
SEEN_PX = 256


def go_to(viewer: Any, layer: Any, point: Sequence[float | None], size_px: float, to_paint: bool = False) -> None:
    """Show something in a layer: its plane, and itself in the middle of the view.

    The view stays as near as it is where that will do: where the thing is no speck; to paint, where all of it is seen
    in 2-D with what lies around it, and not from too far.

    Parameters
    ----------
    point
        Its centre, in pixels along all axes of the layer; None along those whose slider stays.
    size_px
        How large it is, in pixels of the layer.
    """
    dims, camera = viewer.dims, viewer.scene.camera
    lead = dims.ndim - layer.ndim
    place = np.array([0.0 if at is None else at for at in point])
    world, one_px = in_window(viewer, layer, place), in_window(viewer, layer, place + 1)
    if to_paint:
        dims.ndisplay = 2
    hidden = [axis for axis in dims.not_displayed if axis >= lead and point[axis - lead] is not None]
    if hidden:
        dims.set_point(hidden, [world[axis - lead] for axis in hidden])
    centre, shown = list(camera.center), [axis - lead for axis in dims.displayed if axis >= lead]
    for k, axis in enumerate(dims.displayed[::-1], 1):
        if axis >= lead:
            centre[-k] = float(world[axis - lead])
    camera.center = tuple(centre)
    px = np.abs(one_px - world)[shown[-2:]]
    if to_paint:
        side = max(SEEN_PX, 2 * size_px) * float(px.mean())
        near = min(viewer.canvas.viewbox_size(viewer.layers)) / max(side, 1e-12)
        camera.zoom = camera.zoom if near <= camera.zoom <= 4 * near else near
    else:
        camera.zoom = max(camera.zoom, SPECK_PX / float((size_px * px).max()))


def point_in(layer: Any, axes: str, t: int, z: int, y: float, x: float) -> list[float | None]:
    """A pixel of an image, given the axes of its layer's array, for `go_to`; the channel that is shown stays."""
    places = {"T": t, "Z": z, "Y": y, "X": x}
    return [places.get(axis) for axis in axes[: layer.ndim]]

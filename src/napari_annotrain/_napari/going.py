from typing import Any

import numpy as np

#: What is gone to is shown with at least so many pixels of the image from edge to edge.
SEEN_PX = 256


def go_to(viewer: Any, image: Any, axes: str, t: int, z: int, y: float, x: float, size_px: float = 0) -> None:
    """Show a pixel of an image in the middle of the canvas, near enough to paint there.

    Parameters
    ----------
    axes
        Of the array of the image layer.
    size_px
        How large the thing is that should be seen.
    """
    places = {"T": t, "Z": z, "Y": y, "X": x}
    dims, camera = viewer.dims, viewer.scene.camera
    lead = dims.ndim - image.ndim
    point = [places.get(a, 0.0) for a in axes[: image.ndim]]
    world, one_px = _in_window(viewer, image, point), _in_window(viewer, image, np.add(point, 1))
    dims.ndisplay = 2
    for axis, letter in enumerate(axes[: image.ndim]):
        if letter in places and lead + axis not in dims.displayed:
            dims.set_point(lead + axis, world[axis])
    shown = [axis - lead for axis in dims.displayed[-2:]]
    if min(shown) < 0:
        return
    camera.center = (*camera.center[:-2], *(float(world[axis]) for axis in shown))
    side = max(SEEN_PX, 2 * size_px) * float(np.mean([abs(one_px[a] - world[a]) for a in shown]))
    near = min(viewer.canvas.viewbox_size(viewer.layers)) / max(side, 1e-12)
    if not near <= camera.zoom <= 4 * near:
        camera.zoom = near


def _in_window(viewer: Any, layer: Any, point: Any) -> Any:
    """A point of a layer in the coordinates of the window, which is drawn in the smallest unit of its layers."""
    world = np.array(layer.data_to_world(point), float)[-layer.ndim :]
    units = viewer.layers.extent.units
    if units is not None:
        for axis, (unit, own) in enumerate(zip(units[-layer.ndim :], layer.units, strict=True)):
            world[axis] *= (1 * own).to(unit).magnitude
    return world

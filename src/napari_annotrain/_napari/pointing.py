from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_annotrain._napari.view import unwrap

#: A hand shakes: a press and a release so near to each other, in px of the screen, are a click.
CLICK_PX = 4
#: An object is at least so large on the screen once it was gone to, in px.
SPECK_PX = 24
#: Modes in which a click on the canvas does nothing else.
LOOKING = ("pan_zoom", "pick")


def go_to(viewer: Any, layer: Any, point: tuple[float, ...], diameter_px: float) -> None:
    """Show an object of a layer: its plane, and itself in the middle of the view, nearer where it would be a speck.

    `point` is its centre, in pixels of all axes of the layer.
    """
    dims, lead = viewer.dims, viewer.dims.ndim - layer.ndim
    world, far = (np.asarray(layer.data_to_world(place), float) for place in (point, np.add(point, diameter_px)))
    units = viewer.layers.extent.units
    if units is not None:  # the scene is drawn in the smallest unit, the layer's transform in its own
        pairs = zip(layer.units, units[-layer.ndim :], strict=True)
        factors = np.array([float((1 * own).to(unit).magnitude) for own, unit in pairs])
        world, far = world * factors, far * factors
    hidden = [axis for axis in dims.not_displayed if axis >= lead]
    if hidden:
        dims.set_point(hidden, [world[axis - lead] for axis in hidden])
    centre = list(viewer.scene.camera.center)
    for k, axis in enumerate(dims.displayed[::-1], 1):
        if axis >= lead:
            centre[-k] = float(world[axis - lead])
    camera, shown = viewer.scene.camera, [axis - lead for axis in dims.displayed if axis >= lead]
    camera.center = tuple(centre)
    camera.zoom = max(camera.zoom, SPECK_PX / float(np.abs(far - world)[shown[-2:]].max()))


class Pointing:
    """Tells which object of a layer was clicked on, while nobody paints or draws.

    Parameters
    ----------
    layer
        The layer at present; None for none.
    clicked
        Called with the layer and the label under the mouse.
    """

    def __init__(self, viewer: Any, layer: Callable[[], Any], clicked: Callable[[Any, int], None]) -> None:
        self._viewer, self._layer, self._clicked = unwrap(viewer), layer, clicked
        self._viewer.mouse_drag_callbacks.append(self._pressed)

    def close(self) -> None:
        """Listen no more."""
        callbacks = self._viewer.mouse_drag_callbacks
        if self._pressed in callbacks:
            callbacks.remove(self._pressed)

    def _pressed(self, viewer: Any, event: Any) -> Iterator[None]:
        layer, active = self._layer(), self._viewer.layers.selection.active
        busy = str(getattr(active, "mode", LOOKING[0])) not in LOOKING
        if layer is None or busy or event.button != 1 or event.modifiers:
            return
        start = np.array(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if np.hypot(*(np.array(event.pos) - start)) > CLICK_PX or layer not in self._viewer.layers:
            return
        value = layer.get_value(
            event.position, view_direction=event.view_direction, dims_displayed=list(event.dims_displayed), world=True
        )
        value = value[1] if isinstance(value, tuple) else value  # of a multiscale layer
        if layer.visible and value:
            self._clicked(layer, int(value))

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from napari_annotrain._napari.viewer.view import unwrap

#: A hand shakes: a press and a release so near to each other, in px of the screen, are a click.
CLICK_PX = 4
#: Modes in which a click on the canvas does nothing else.
LOOKING = ("pan_zoom", "pick")


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

"""Strokes on planes larger than the largest texture of the graphics driver."""

from typing import Any
from weakref import WeakSet

import numpy as np
from napari.layers import Labels

_followed: WeakSet[Labels] = WeakSet()


def show_only_strokes(viewer: Any, labels: Labels) -> None:
    """Let a stroke on a labels layer send no more than its own pixels to the screen, however large the plane is.

    napari shows a plane that is larger than the driver's largest texture thinned out, and then draws all of it again
    after every movement of the mouse: seconds on a plane of 20,000 px. Here a movement replaces the thinned out pixels
    it touched. Where napari's canvas is not built as in 0.9, nothing is changed.
    """
    window = getattr(viewer, "window", None)
    canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
    visual: Any = getattr(canvas, "layer_to_visual", {}).get(labels)
    usual = getattr(visual, "_on_partial_labels_update", None)
    if usual is None or labels in _followed:
        return
    _followed.add(labels)

    def update(event: Any) -> None:
        texture, plane = visual.node._texture, labels._slice.image.raw
        if not labels.loaded or plane.ndim != 2 or texture.shape[:2] == plane.shape:
            usual(event)
            return
        steps = [-(-full // shown) for full, shown in zip(plane.shape, texture.shape, strict=False)]
        if [-(-full // step) for full, step in zip(plane.shape, steps, strict=True)] != [*texture.shape[:2]]:
            usual(event)  # not thinned out as expected
            return
        first = [-offset % step for offset, step in zip(event.offset, steps, strict=True)]
        part = event.data[first[0] :: steps[0], first[1] :: steps[1]]
        if part.size:
            offset = tuple(-(-o // step) for o, step in zip(event.offset, steps, strict=True))
            texture.scale_and_set_data(np.ascontiguousarray(part), copy=False, offset=offset)
            visual.node.update()

    labels.events.labels_update.disconnect(usual)
    labels.events.labels_update.connect(update)

from typing import Any

from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._napari.viewer.watch import ViewWatch


class Focus:
    """Where somebody looks at an image, as (t, z, y, x) in its pixels; any thread may ask."""

    def __init__(self, viewer: Any, image: Any, axes: str) -> None:
        self._viewer, self._image, self._axes = viewer, image, axes
        self._watch = ViewWatch(viewer, self._look)
        self._watch.enabled = True
        self._found: tuple[int, int, float, float] | None = None
        self._look()

    def __call__(self) -> tuple[int, int, float, float] | None:
        """The middle of what is seen, or was seen last; None where nothing of the image has been."""
        return self._found

    def close(self) -> None:
        """Follow the view no longer."""
        self._watch.close()

    def _look(self) -> None:
        region = region_of(self._viewer, self._image, self._axes)
        if region is None:
            return
        t, z, y, x = region
        self._found = t.start, z.start, (y.start + y.stop) / 2, (x.start + x.stop) / 2

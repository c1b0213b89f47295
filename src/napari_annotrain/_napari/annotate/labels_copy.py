from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from napari_annotrain._napari.annotate.tally import Part, Tally
from napari_annotrain.data.patchwork import COLUMNS, Box, Patchwork

#: Where more pixels than this may be painted, no copy is made.
MOST_PIXELS = 1 << 28
#: Up to so many pixels, all are read again when a training starts.
MOST_READ_AGAIN = 1 << 26


class LabelsCopy:
    """What is painted on a labels layer, copied in the main thread, so that other threads never read what is painted.

    It is brought up to date whenever the `Tally` has read a part again: after strokes, undo and redo.

    Parameters
    ----------
    changed
        Called with the boxes, in the layer's array, that have other values than before.
    """

    def __init__(self, tally: Tally, layer: Any, changed: Callable[[list[Box]], None]) -> None:
        self._tally, self._layer, self._changed = tally, layer, changed
        self.patchwork = Patchwork(layer.data.shape, layer.data.dtype, tally.height)
        self._width = tally.width
        assert self._width == layer.data.shape[-1] or self._width % COLUMNS == 0
        for part in tally.painted_parts():
            self._put(part, tally.values(part))
        tally.read.connect(self._take)

    @property
    def fits(self) -> bool:
        """False once the layer has got another array, of another shape or type."""
        data = self._layer.data
        return bool(data.shape == self.patchwork.shape and data.dtype == self.patchwork.dtype)

    def update(self) -> Patchwork:
        """Read what has been painted up to now; a copy of it that does not change.

        Where it is small, also what was written into the array without a word to the layer.
        """
        self._tally.count_now()
        if isinstance(self._layer.data, np.ndarray) and self._layer.data.size <= MOST_READ_AGAIN:
            for part in self._tally.all_parts():
                self._take(part, self._tally.values(part))
        return self.patchwork.copy()

    def close(self) -> None:
        """Follow no longer."""
        self._tally.read.disconnect(self._take)

    def _take(self, part: Part, values: Any) -> None:
        if not self.fits:
            return
        boxes = self._put(part, values)
        if boxes:
            self._changed(boxes)

    def _put(self, part: Part, values: Any) -> list[Box]:
        *plane, y, x = part
        return self.patchwork.put(tuple(plane), y, values, x * self._width)


def can_be_copied(tally: Tally, layer: Any) -> bool:
    """Whether what is painted is little enough to be copied at once."""
    if tally.counting and not isinstance(layer.data, np.ndarray):  # reading it may take long
        return False
    most = len(tally.painted_parts()) * tally.height * tally.width
    return min(prod(int(n) for n in layer.data.shape), most) <= MOST_PIXELS

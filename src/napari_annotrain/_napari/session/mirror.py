from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject

from napari_annotrain._napari.annotate.tally import Part, Tally
from napari_annotrain.session.sheet import Rows

#: Looking once more at all of a layer, whose undo does not say what it changes, may take so long when a window closes.
FINISH_SECONDS = 3.0


class Mirror(QObject):
    """Sends what changes in a labels layer to its sheet on the disk, part by part, as the tally comes by.

    Parts that one stroke changed are sent together; those that are as they were are not sent, so that an undo on a
    large annotation, which does not say what it changes, costs a look at it and no writing.

    Parameters
    ----------
    sheet
        Name of the sheet in the session.
    on_disk
        The sheet as it is when this begins.
    put
        Takes what changed.
    """

    def __init__(
        self, layer: Any, tally: Tally, sheet: str, on_disk: Any, put: Callable[[Iterable[Rows]], None]
    ) -> None:
        super().__init__()
        self.layer, self.sheet = layer, sheet
        self.shape, self.dtype = on_disk.shape, on_disk.dtype
        self._tally, self._on_disk, self._put = tally, on_disk, put
        self._sent: dict[Part, int] = {}  # a hash of what the disk holds, or will hold by what was sent
        self._changed: dict[Part, Rows] = {}
        self._closed = False
        tally.read.connect(self._read)
        tally.counted.connect(self.send)

    def fits(self) -> bool:
        """Whether the layer still holds an array like the sheet."""
        return bool(tuple(self.layer.data.shape) == self.shape and self.layer.data.dtype == self.dtype)

    def finish(self) -> None:
        """Send all that changed, now."""
        if self.fits():
            self._tally.count_for(FINISH_SECONDS)
        self.send()

    def send(self) -> None:
        """Send what was seen to have changed."""
        if self._changed:
            changed, self._changed = list(self._changed.values()), {}
            self._put(changed)

    def close(self) -> None:
        """Follow the layer no longer; the tally may have gone before."""
        self._closed = True
        self._changed.clear()

    def _read(self, part: Part, values: npt.NDArray[Any]) -> None:
        if self._closed or not self.fits():
            return
        *plane, y, x = part
        top, left = y * self._tally.height, x * self._tally.width
        height, width = values.shape
        if part not in self._sent:
            self._sent[part] = _hash(self._on_disk[(*plane, slice(top, top + height), slice(left, left + width))])
        now = _hash(values)
        if now != self._sent[part]:
            self._sent[part] = now
            self._changed[part] = Rows(self.sheet, tuple(plane), top, np.array(values), left)


def _hash(values: npt.NDArray[Any]) -> int:
    """Tells pixels apart without keeping them."""
    return hash(np.ascontiguousarray(values).tobytes()) if values.any() else 0

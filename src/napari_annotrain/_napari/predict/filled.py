from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.predict.known import without
from napari_annotrain._napari.viewer.view import is_inside
from napari_annotrain.events import Region


class Filled:
    """Where a prediction layer holds a prediction, of whatever model: elsewhere its zeros mean nothing."""

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, int], list[Region]] = {}

    def add(self, regions: Iterable[Region]) -> None:
        """Note that these are predicted."""
        for region in regions:
            for one in _planes(region):
                here = self._boxes.setdefault((one[0].start, one[1].start), [])
                if not any(is_inside(one, box) for box in here):
                    here[:] = [*(box for box in here if not is_inside(box, one)), one]

    def remove(self, region: Region) -> list[Region]:
        """Note that what was predicted there is to be predicted again; what to add where nothing comes of it."""
        before = []
        for one in _planes(region):
            place = one[0].start, one[1].start
            if place in self._boxes:
                before += self._boxes[place]
                self._boxes[place] = [part for box in self._boxes[place] for part in without(box, one)]
        return before

    def mask(self, t: int, z: int, box: tuple[slice, slice]) -> npt.NDArray[np.bool_]:
        """(Y, X) of a box of a plane: True where it is predicted."""
        mask = np.zeros([s.stop - s.start for s in box], bool)
        for region in self._boxes.get((t, z), ()):
            y, x = (
                slice(max(r.start - b.start, 0), max(r.stop - b.start, 0)) for r, b in zip(region[2:], box, strict=True)
            )
            mask[y, x] = True
        return mask


def _planes(region: Region) -> Iterable[Region]:
    t, z, y, x = region
    for i in range(t.start, t.stop):
        for j in range(z.start, z.stop):
            yield slice(i, i + 1), slice(j, j + 1), y, x

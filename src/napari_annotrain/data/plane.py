"""One plane of an array, which is read when it is sliced."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_annotrain.data.stack import Stack


def one_plane(stack: Stack, t: int, z: int) -> Stack:
    """The plane (t, z) of an image, as an image with the same axes; nothing is read before it is."""
    return replace(stack, array=_Plane(stack.array, stack.axes, t, z), levels=())


@dataclass(frozen=True, eq=False)
class _Plane:
    array: Any
    axes: str
    t: int
    z: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(1 if a in "TZ" else int(n) for a, n in zip(self.axes, self.array.shape, strict=True))

    @property
    def dtype(self) -> np.dtype[Any]:
        found: np.dtype[Any] = np.dtype(self.array.dtype)
        return found

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        at = {"T": self.t, "Z": self.z}
        shifted = []
        for axis, part in zip(self.axes, key, strict=True):
            start, stop, _ = part.indices(1 if axis in at else self.array.shape[self.axes.index(axis)])
            shifted.append(slice(start + at.get(axis, 0), stop + at.get(axis, 0)))
        return self.array[tuple(shifted)]

"""Images at another scale, resampled window by window while they are read."""

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.data.stack import Stack

#: The Gaussian before an image is reduced is cut off at this many sigma.
TRUNCATE = 3.0
Array = npt.NDArray[Any]
#: Rows and columns.
Box = tuple[slice, slice]


def resample(stack: Stack, scale: float, labels: bool = False, strokes: bool = False) -> Stack:
    """Enlarge or reduce an image along Y and X; nothing is read before the result is.

    Pixel i of the result lies at (i + 1/2) / scale - 1/2 of the image, wherever the window begins, so that any two
    windows agree. Values are interpolated linearly, of a reduced image after a Gaussian of sigma (1 / scale - 1) / 2;
    what is not finite stays so.

    Parameters
    ----------
    scale
        Pixels of the result for one of the image, above 0.
    labels
        Take the nearest pixel instead: no value is made up.
    strokes
        Of labels: where the nearest pixel of a reduced image is 0, take the highest value of those it stands for, so
        that thin strokes do not get lost.
    """
    pixel_um = {a: v / scale if a in "YX" else v for a, v in stack.pixel_um.items()}
    return replace(
        stack, array=Resampled(stack.array, stack.axes, scale, labels, strokes), pixel_um=pixel_um, levels=()
    )


@dataclass(frozen=True, eq=False)
class Resampled:
    """An array whose Y and X are resampled when it is sliced; slices without steps only."""

    array: Any
    axes: str
    scale: float
    labels: bool
    strokes: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the result."""
        pairs = zip(self.axes, self.array.shape, strict=True)
        return tuple(scaled_length(n, self.scale) if a in "YX" else int(n) for a, n in pairs)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The array's own for labels, else float32."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype) if self.labels else np.dtype(np.float32)
        return dtype

    def __getitem__(self, key: tuple[slice, ...]) -> Array:
        """Read a window."""
        key = tuple(slice(*s.indices(n)[:2]) for s, n in zip(key, self.shape, strict=True))
        y, x = (self.axes.index(a) for a in "YX")
        places = {axis: _places(key[axis], self.scale, self.array.shape[axis]) for axis in (y, x)}
        sigma = 0.0 if self.labels else max(0.0, (1 / self.scale - 1) / 2)
        reach = ceil(1 / self.scale) if self.strokes else ceil(TRUNCATE * sigma)
        source = list(key)
        for axis, at in places.items():
            start, stop = floor(at[0]) - reach, floor(at[-1]) + 2 + reach
            source[axis] = slice(max(0, start), min(self.array.shape[axis], stop))
        part = np.asarray(self.array[tuple(source)])
        near = {axis: at - source[axis].start for axis, at in places.items()}
        if self.labels:
            found = _nearest(part, near)
            if not self.strokes or self.scale >= 1 or found.all():
                return found
            size = [ceil(1 / self.scale) if axis in near else 1 for axis in range(part.ndim)]
            return np.where(found == 0, _nearest(ndi.maximum_filter(part, size, mode="nearest"), near), found)
        return _smooth(part, near, sigma)


def scaled_length(length: int, scale: float) -> int:
    """Pixels that a length of so many has at another scale; one at least."""
    return max(1, round(length * scale))


def needed(box: Box, scale: float, shape: tuple[int, int]) -> Box:
    """The box, of an image of `shape` at another scale, that `enlarge` needs for this box of the original."""
    boxes = []
    for part, length in zip(box, shape, strict=True):
        at = _places(part, 1 / scale, length)
        boxes.append(slice(floor(at[0]), min(length, floor(at[-1]) + 2)))
    return boxes[0], boxes[1]


def enlarge(values: Array, seen: Box, box: Box, scale: float, shape: tuple[int, int]) -> Array:
    """Bring values from another scale back to the original: (..., Y, X), linearly.

    Parameters
    ----------
    values
        Of the box `seen` of an image of `shape` at that scale (see `needed`).
    box
        Of the original image: what is wanted.
    """
    axes = (values.ndim - 2, values.ndim - 1)
    wanted = needed(box, scale, shape)
    y, x = (slice(w.start - s.start, w.stop - s.start) for w, s in zip(wanted, seen, strict=True))
    near = {
        axis: _places(part, 1 / scale, length) - w.start
        for axis, part, length, w in zip(axes, box, shape, wanted, strict=True)
    }
    return _linear(np.asarray(values[..., y, x], np.float32), near)


def _places(part: slice, scale: float, length: int) -> npt.NDArray[np.float64]:
    """Where the pixels of a slice at one scale lie among `length` pixels of another, at the nearest within them."""
    return np.clip((np.arange(part.start, part.stop) + 0.5) / scale - 0.5, 0, length - 1)


def _nearest(part: Array, near: dict[int, npt.NDArray[np.float64]]) -> Array:
    for axis, at in near.items():
        part = part.take(np.floor(at + 0.5).astype(np.intp).clip(0, part.shape[axis] - 1), axis)
    return part


def _smooth(part: Array, near: dict[int, npt.NDArray[np.float64]], sigma: float) -> Array:
    finite = np.isfinite(part) if part.dtype.kind == "f" else None
    values = part.astype(np.float32)
    if finite is not None and not finite.all():
        values[~finite] = 0
    if sigma > 0:
        sigmas = [sigma if axis in near else 0.0 for axis in range(part.ndim)]
        values = ndi.gaussian_filter(values, sigmas, mode="mirror", truncate=TRUNCATE)
    values = _linear(values, near)
    if finite is not None and not finite.all():
        values[~_nearest(finite, near)] = np.nan
    return values


def _linear(values: npt.NDArray[np.float32], near: dict[int, npt.NDArray[np.float64]]) -> npt.NDArray[np.float32]:
    for axis, at in near.items():
        below = np.floor(at).astype(np.intp)
        above = np.minimum(below + 1, values.shape[axis] - 1)
        share = (at - below).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        values = values.take(below, axis) * (1 - share) + values.take(above, axis) * share
    return values

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.axes import CANONICAL, guess_axes, parse_axes, without_channel
from napari_annotrain.errors import AnnotrainError

#: Three slices: Z, Y, X.
Window = tuple[slice, slice, slice]
#: An overview looks at up to so many planes, so many rows at a time.
SAMPLED_PLANES, BAND_ROWS = 16, 64


@dataclass(frozen=True)
class Stack:
    """Any array (numpy, dask, zarr, memory map), read window by window in the order T, C, Z, Y, X.

    Nothing is read before `read` is called, and then only the window asked for.

    Attributes
    ----------
    array
        Anything with ``shape``, ``dtype`` and slicing by a tuple of slices.
    axes
        One letter of T, C, Z, Y, X for each dimension of `array`; RGB(A) samples are C, wherever they stand.
    name
        The stem of the file or the name of the layer.
    pixel_um
        Pixel sizes in micrometres by axis letter (T in seconds); axes that are not known are left out.
    levels
        Coarser versions of `array` with the same axes, finest first (a multiscale pyramid without its level 0).
    """

    array: Any
    axes: str
    name: str = "image"
    pixel_um: Mapping[str, float] = field(default_factory=dict)
    levels: tuple[Any, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, array: Any, axes: str | None = None, name: str = "image", **more: Any) -> "Stack":
        """Wrap an array; without `axes` they are guessed from its shape (`axes.guess_axes`)."""
        axes = guess_axes(array.shape) if axes is None else parse_axes(axes, len(array.shape))
        if 0 in array.shape:
            raise AnnotrainError(f"{name} is empty (its shape is {tuple(array.shape)}): choose another image.")
        return cls(array, axes, name, **more)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Lengths along T, C, Z, Y, X; 1 for an axis the array does not have."""
        length = dict(zip(self.axes, self.array.shape, strict=True))
        return tuple(int(length.get(a, 1)) for a in CANONICAL)  # type: ignore[return-value]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored values, before any conversion."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def n_channels(self) -> int:
        """Length along C."""
        return self.shape[1]

    @property
    def n_planes(self) -> int:
        """Number of (T, Z) planes."""
        return self.shape[0] * self.shape[2]

    @property
    def label_axes(self) -> str:
        """Axes of the label image that belongs to this image, in the order of this image."""
        return without_channel(self.axes)

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of the label image that belongs to this image, in the order of `label_axes`."""
        return tuple(int(n) for a, n in zip(self.axes, self.array.shape, strict=True) if a != "C")

    def read(self, t: int, window: Window) -> npt.NDArray[Any]:
        """Read one window of one time point: (C, Z, Y, X) in the array's own type.

        The window must lie inside the image; see `tiles.grid.read_mirrored` for one that may not.
        """
        slices = {"T": slice(t, t + 1), **dict(zip("ZYX", window, strict=True))}
        part: npt.NDArray[Any] = self._take(self.array, slices)[0]
        return part

    def overview(self, most_pixels: int = 4_000_000) -> npt.NDArray[Any]:
        """Read a sample of the image for statistics: (C, N), at most about `most_pixels` a channel.

        All of it where it is small enough, or the finest pyramid level that is. Else bands of rows, evenly spread
        over up to `SAMPLED_PLANES` planes, themselves evenly spread. Same image, same sample.
        """
        for level in (self.array, *self.levels):
            if prod(level.shape) <= most_pixels * self.n_channels:
                return _by_channel(self._take(level, {}))
        source = self.levels[-1] if self.levels else self.array
        length = dict(zip(self.axes, source.shape, strict=True))
        height, width = length["Y"], length["X"]
        keep_t = spread(length.get("T", 1), min(SAMPLED_PLANES, max(1, most_pixels // width)))
        keep_z = spread(length.get("Z", 1), max(1, min(SAMPLED_PLANES, most_pixels // width) // len(keep_t)))
        rows_a_plane = max(1, most_pixels // (len(keep_t) * len(keep_z) * width))
        n_rows = min(BAND_ROWS, rows_a_plane)
        starts = range(0, height, n_rows)
        bands = [slice(starts[i], min(starts[i] + n_rows, height)) for i in spread(len(starts), rows_a_plane // n_rows)]
        parts = [
            _by_channel(self._take(source, {"T": slice(t, t + 1), "Z": slice(z, z + 1), "Y": band}))
            for t in keep_t
            for z in keep_z
            for band in bands
        ]
        return np.concatenate(parts, axis=1)

    def bands(self) -> Iterator[npt.NDArray[Any]]:
        """Read all of the image, some rows at a time: (C, N) each."""
        n_t, _, depth, height, width = self.shape
        for t, z, y in product(range(n_t), range(depth), range(0, height, BAND_ROWS)):
            band = self.read(t, (slice(z, z + 1), slice(y, min(y + BAND_ROWS, height)), slice(0, width)))
            yield band.reshape(len(band), -1)

    def _take(self, array: Any, slices: Mapping[str, slice]) -> npt.NDArray[Any]:
        """Slice by axis letter and bring the result to T, C, Z, Y, X."""
        part = self._fetch(array, tuple(slices.get(a, slice(None)) for a in self.axes))
        order = [self.axes.index(a) for a in CANONICAL if a in self.axes]
        part = part.transpose(order)
        missing = tuple(i for i, a in enumerate(CANONICAL) if a not in self.axes)
        part = np.expand_dims(part, missing)
        return part[tuple(slice(None) if a in self.axes else slices.get(a, slice(None)) for a in CANONICAL)]

    def _fetch(self, array: Any, key: tuple[slice, ...]) -> npt.NDArray[Any]:
        """Read a window of an array; where it lies in a file, that may be damaged or gone by now."""
        if isinstance(array, np.ndarray):
            return np.asarray(array[key])
        try:
            return np.asarray(array[key])
        except (AnnotrainError, MemoryError):
            raise
        except Exception as error:  # each library fails on a damaged file in its own way
            raise AnnotrainError(
                f"{self.name} cannot be read: its file is damaged, cut off or gone; "
                "copy or save it again, and open it anew."
            ) from error


def _by_channel(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(T, C, Z, Y, X) to (C, N)."""
    return np.moveaxis(part, 1, 0).reshape(part.shape[1], -1)


def spread(n: int, most: int) -> list[int]:
    """At most `most` indices, evenly spread over range(n)."""
    count = min(n, most)
    return sorted({int((i + 0.5) * n / count) for i in range(count)})


def paste(array: Any, axes: str, write: tuple[slice, slice, slice, slice], values: npt.NDArray[Any]) -> None:
    """Write a region of a result into an array of any order of axes, in place.

    Parameters
    ----------
    array
        Anything that takes ``array[slices] = values``.
    axes
        Its axes; with C for probabilities.
    write
        Where: slices over T, Z, Y, X.
    values
        (T, Z, Y, X), or (C, T, Z, Y, X) where `axes` has C.
    """
    names = "CTZYX" if "C" in axes else "TZYX"
    place = {"C": slice(None), **dict(zip("TZYX", write, strict=True))}
    kept = values[tuple(slice(None) if a in axes else 0 for a in names)]
    order = [a for a in names if a in axes]
    array[tuple(place[a] for a in axes)] = kept.transpose([order.index(a) for a in axes])


def take(array: Any, axes: str, region: tuple[slice, ...]) -> npt.NDArray[Any]:
    """Read a region of a result from an array of any order of axes: what `paste` wrote there.

    Parameters
    ----------
    region
        (T, Z, Y, X) slices, or (C, T, Z, Y, X) ones for some of the channels.

    Returns
    -------
    (T, Z, Y, X), or (C, T, Z, Y, X) where `axes` has C.
    """
    names = "CTZYX" if "C" in axes else "TZYX"
    place = {"C": slice(None), **dict(zip("CTZYX"[-len(region) :], region, strict=True))}
    values = np.asarray(array[tuple(place[a] for a in axes)])
    values = values.transpose([axes.index(a) for a in names if a in axes])
    return values[tuple(slice(None) if a in axes else None for a in names)]

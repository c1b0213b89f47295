from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_annotrain._napari.viewer.arrays import empty
from napari_annotrain._napari.viewer.brackets import split
from napari_annotrain._napari.viewer.view import is_inside
from napari_annotrain.data.chunks import is_store
from napari_annotrain.data.filling import place_of, unfinished
from napari_annotrain.data.lazy import unreadable
from napari_annotrain.data.stack import take
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Region

#: A folder that holds an OME-Zarr, its level 0 and the axes of that.
Opened = tuple[Path, Any, str]
#: So often it is looked for anew when it moves while it is read.
ATTEMPTS = 3


class Growing:
    """A result on the disk as an array, (T, Z, Y, X) or (K, T, Z, Y, X): before it exists, while it grows, afterwards.

    It is read window by window, in any thread, and never written to from here. What is written to this array, quick
    predictions of what is in view, lies over it in the memory. ::

        no path, nothing there yet      zeros
        .name.unfinished/store-1234     the pieces that are finished, zeros elsewhere
        name                            all of it: the store has moved here
    """

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.path: Path | None = None
        self._opened: Opened | None = None
        self._last: tuple[Any, npt.NDArray[Any]] | None = None  # what was read last: drawn again and again
        self._changes, self._lock = 0, Lock()  # so that nothing is kept that changed while it was read
        self._over: npt.NDArray[Any] | None = None
        self._boxes: tuple[Region, ...] = ()  # where something lies over it

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def follow(self, path: Path) -> None:
        """Show the result that lies there, or will; what lay over the last one goes."""
        with self._lock:
            self.path, self._opened, self._boxes, self._over = path, None, (), None
        self.changed()

    def changed(self, region: Region | None = None) -> None:
        """Note that a region on the disk, or all of it, is no longer what was read."""
        with self._lock:
            self._changes += 1
            if self._last is not None and (region is None or _common(self._last[0][-4:], region) is not None):
                self._last = None

    def is_there(self) -> bool:
        """Whether a result of this shape lies on the disk, whole or in part."""
        found = self._open()
        if found is None:
            return False
        _, level, axes = found
        lengths = dict(zip(axes, level.shape, strict=True))
        names = "CTZYX" if self.ndim == 5 else "TZYX"
        return tuple(lengths.get(axis, 1) for axis in names) == self.shape

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy reads the same from the disk, without what lies over it."""
        return _again, (self.shape, self.dtype, self.path)

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a window: whole numbers and forward slices, as numpy understands them."""
        window, rest = split(key, self.shape)
        return self._window(window)[rest]

    def __setitem__(self, key: Any, values: Any) -> None:
        """Lay values over a window; from the last four axes on it is a region."""
        window: Any = split(key, self.shape)[0]
        region = window[-4:]
        with self._lock:
            if self._over is None:
                self._over = empty(self.shape, self.dtype)
            self._over[window] = values
            self._boxes = (*(box for box in self._boxes if not is_inside(box, region)), region)
        self.changed(region)

    def _window(self, window: tuple[slice, ...]) -> npt.NDArray[Any]:
        last = self._last
        if last is not None and last[0] == window:
            return last[1]
        with self._lock:  # another thread may let go of what lies over it
            before, over, boxes = self._changes, self._over, self._boxes
        values = self._read(window)
        for box in boxes:
            common = _common(window[-4:], box)
            if common is not None and over is not None:
                inside = [slice(c.start - w.start, c.stop - w.start) for c, w in zip(common, window[-4:], strict=True)]
                target: Any = (..., *inside)
                source: Any = (*window[:-4], *common)
                values[target] = over[source]
        with self._lock:
            if before == self._changes:
                self._last = window, values
        return values

    def _read(self, window: tuple[slice, ...]) -> npt.NDArray[Any]:
        for _ in range(ATTEMPTS):
            path = self.path
            found = self._opened or self._open()
            if found is None:
                break
            with self._lock:
                if path == self.path:  # which may show another result by now
                    self._opened = found
            folder, level, axes = found
            try:
                values = take(level, axes, window)
            except Exception as error:  # zarr and its codecs fail on a damaged chunk in many ways
                if folder.is_dir():
                    raise unreadable(folder) from error
                values = None
            if values is not None and folder.is_dir():
                return values.astype(self.dtype, copy=False)
            self._opened = None  # it has moved meanwhile, and what is not there reads as zeros
        return np.zeros([s.stop - s.start for s in window], self.dtype)

    def _open(self) -> Opened | None:
        path = self.path
        if path is None:
            return None
        try:
            left = None if is_store(path) else unfinished(path)
            folder = path if left is None else place_of(path) / str(left["store"])
            level = zarr.open_array(folder, path="0", mode="r")
        except (OSError, KeyError, ValueError, AnnotrainError):
            return None
        return folder, level, "".join(str(name).upper() for name in level.metadata.dimension_names)


def _again(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path | None) -> Growing:
    made = Growing(shape, dtype)
    made.path = path
    return made


def _common(window: tuple[slice, ...], region: Region) -> tuple[slice, ...] | None:
    """What two regions have in common; None where that is nothing."""
    both = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(window, region, strict=True)]
    return tuple(both) if all(s.start < s.stop for s in both) else None

from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from types import EllipsisType
from typing import Any, Protocol
from weakref import finalize

import numpy as np
import numpy.typing as npt

from napari_annotrain.errors import AnnotrainError

#: So many bytes are read from a lazy array at once, if its chunks allow it.
BLOCK_BYTES = 1 << 28
#: What numpy understands inside brackets, less steps backwards and lists of indices.
Key = int | slice | EllipsisType | tuple[int | slice, ...]
#: Opens what lies in a file: an array, and what closes it (None where nothing needs closing).
Opener = Callable[[], tuple[Any, Callable[[], None] | None]]


class Array(Protocol):
    """Anything that has the shape and the type of an array, and gives a window of it when sliced."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each axis."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def __getitem__(self, key: Key, /) -> npt.ArrayLike:
        """Read a window."""


class FileArray:
    """An array in a file, of which only the window asked for is read.

    It opens its file when the first window is read and keeps it open. It can be pickled where its opener can, and
    opens the file anew on the other side. Values come in the byte order of this machine.

    Parameters
    ----------
    path
        Named in the error if reading fails.
    opener
        Called once, by the first read.
    shape
        Of the result; entries of the file beyond it are never read (the opacity of an RGBA image).
    dtype
        Of the values in the file, in any byte order.
    dropped
        Positions of the axes in the file, all of length 1, which `shape` leaves out.
    """

    def __init__(
        self, path: Path, opener: Opener, shape: tuple[int, ...], dtype: npt.DTypeLike, dropped: tuple[int, ...] = ()
    ) -> None:
        self.path = path
        self.shape = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype).newbyteorder("=")
        self._opener = opener
        self._dropped = dropped
        self._source: Any = None

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes the whole array would take in memory."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"FileArray({self.path.name!r}, shape={self.shape}, dtype={self.dtype})"

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_source": None}

    def __getitem__(self, key: Key) -> npt.NDArray[Any]:
        """Read a window: whole numbers and forward slices, one for each leading axis, as numpy understands them.

        Raises
        ------
        AnnotrainError
            The file is damaged, incomplete or gone.
        """
        leading = () if isinstance(key, EllipsisType) else key if isinstance(key, tuple) else (key,)
        keys = [*leading, *[slice(None)] * (self.ndim - len(leading))]
        wanted = [_within(k, n) for k, n in zip(keys, self.shape, strict=True)]
        for position in self._dropped:
            wanted.insert(position, 0)
        try:
            if self._source is None:
                self._open()
            part = np.asarray(self._source[tuple(wanted)])
        except (AnnotrainError, MemoryError):
            raise
        except Exception as error:  # each library fails on a damaged file in its own way
            raise unreadable(self.path) from error
        return np.require(part, self.dtype, "W")

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[...].astype(self.dtype if dtype is None else dtype, copy=False)

    def _open(self) -> None:
        self._source, close = self._opener()
        if close is not None:
            finalize(self, close)


def unreadable(path: Path) -> AnnotrainError:
    """Word the error about a file that is gone, damaged, cut off, or not what its name says."""
    if not path.exists():
        return AnnotrainError(f"{path} is not there any more: put it back, or connect its disk again.")
    return AnnotrainError(f"{path} cannot be read: it is damaged, cut off or of another type; copy or save it again.")


def _within(key: int | slice, length: int) -> int | slice:
    """Bring a key to one that stays inside this length, however long the axis is in the file."""
    indices = range(length)[key]
    return indices if isinstance(indices, int) else slice(indices.start, indices.stop, indices.step)


def read_blocks(array: Array, plane_ndim: int) -> Iterator[tuple[tuple[int | slice, ...], npt.NDArray[Any]]]:
    """Read an array some planes at a time, in order: (where, values); the last `plane_ndim` axes are a plane.

    As many planes as a chunk of the array is deep are read together, so that a lazy one computes each chunk once.
    """
    lead = array.shape[: len(array.shape) - plane_ndim]
    if not lead:
        yield (), np.asarray(array[...])
        return
    depth = min(_chunk_depth(array, len(lead) - 1), max(1, BLOCK_BYTES // _plane_bytes(array, plane_ndim)))
    for outer in np.ndindex(*lead[:-1]):
        for start in range(0, lead[-1], depth):
            where = (*outer, slice(start, min(start + depth, lead[-1])))
            yield where, np.asarray(array[where])


def _chunk_depth(array: Array, axis: int) -> int:
    chunks = getattr(array, "chunks", None)
    if not chunks:
        return 1
    along = chunks[axis]  # dask lists the lengths of all chunks, zarr has one for all
    return int(max(along) if isinstance(along, tuple) else along)


def _plane_bytes(array: Array, plane_ndim: int) -> int:
    return int(prod(array.shape[-plane_ndim:]) * np.dtype(array.dtype).itemsize)

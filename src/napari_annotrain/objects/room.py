"""Room for what is needed of a plane for a while: memory, or files in a folder."""

import pickle
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

#: A file gets its room in pieces of so many bytes.
PIECE = 1 << 20


@contextmanager
def room_for(shape: Sequence[int], dtype: npt.DTypeLike, folder: Path | None) -> Iterator[npt.NDArray[Any]]:
    """Zeros, in memory, or in a file that is gone afterwards.

    Raises
    ------
    OSError
        There is no room; here and not when the array is written to, where it would be the end of the process.
    """
    if folder is None:
        yield np.zeros(shape, dtype)
        return
    with tempfile.TemporaryFile(prefix="room-", dir=folder) as file:
        left = prod(shape) * np.dtype(dtype).itemsize
        for start in range(0, left, PIECE):
            file.write(bytes(min(PIECE, left - start)))
        file.flush()
        yield np.memmap(file, dtype, "r+", shape=tuple(shape))


class Queue:
    """Objects, taken in the order in which they were put; in a file, first all are put and then all are taken."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file
        self._there: deque[Any] = deque()

    def put(self, one: Any) -> None:
        """Add one."""
        if self._file is None:
            self._there.append(one)
        else:
            pickle.dump(one, self._file, pickle.HIGHEST_PROTOCOL)

    def rewind(self) -> None:
        """Begin to take."""
        if self._file is not None:
            self._file.flush()
            self._file.seek(0)

    def take(self) -> Any:
        """The next one."""
        return self._there.popleft() if self._file is None else pickle.load(self._file)


@contextmanager
def queue_in(folder: Path | None) -> Iterator[Queue]:
    """A queue in memory, or in a file that is gone afterwards."""
    if folder is None:
        yield Queue(None)
        return
    with tempfile.TemporaryFile(prefix="room-", dir=folder) as file:
        yield Queue(file)

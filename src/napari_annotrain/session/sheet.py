import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.errors import AnnotrainError


@dataclass(frozen=True)
class Rows:
    """Some rows of one plane of an annotation, or a part of their length, as they are now.

    Attributes
    ----------
    sheet
        Name of the annotation.
    plane
        Index of the plane: all axes but the last two.
    top
        The first of the rows.
    values
        (rows, columns) of the annotation's own data type.
    left
        The first of the columns.
    """

    sheet: str
    plane: tuple[int, ...]
    top: int
    values: npt.NDArray[Any]
    left: int = 0


class Sheet:
    """The pixels of one annotation, as a ``.npy`` file that takes room only where something is painted.

    It is written with ordinary writes and not through a memory map: on a disk that is full those are refused in words,
    where a memory map would end the program.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
        self.path, self.shape, self.dtype = path, shape, dtype
        self._offset = offset

    @classmethod
    def create(cls, path: Path, shape: Sequence[int], dtype: npt.DTypeLike) -> "Sheet":
        """Make an empty one: nothing is annotated."""
        whole, kind = tuple(int(n) for n in shape), np.dtype(dtype)
        with path.open("wb") as file:
            head = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": whole}
            np.lib.format.write_array_header_1_0(file, head)
            offset = file.tell()
            file.truncate(offset + prod(whole) * kind.itemsize)
            file.flush()
            os.fsync(file.fileno())
        return cls(path, whole, kind, offset)

    @classmethod
    def open(cls, path: Path) -> "Sheet":
        """Open one that is there.

        Raises
        ------
        AnnotrainError
            It is missing or damaged.
        """
        try:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
                offset = file.tell()
                whole = offset + prod(shape) * dtype.itemsize
        except (OSError, ValueError) as error:
            raise AnnotrainError(f"The annotation {path} is missing or damaged: restore it from a copy.") from error
        if fortran or path.stat().st_size != whole:
            raise AnnotrainError(f"The annotation {path} is cut off: restore it from a copy.")
        return cls(path, tuple(int(n) for n in shape), dtype, offset)

    def read(self) -> npt.NDArray[Any]:
        """All of it, lazily: a memory map whose changes stay in memory, so that only `write` changes the file."""
        return np.memmap(self.path, self.dtype, "c", self._offset, self.shape)

    def fits(self, rows: Rows) -> bool:
        """Whether these rows are of an annotation of this size and type."""
        height, width = rows.values.shape
        inside = rows.top >= 0 and rows.top + height <= self.shape[-2]
        inside = inside and rows.left >= 0 and rows.left + width <= self.shape[-1]
        planes = zip(rows.plane, self.shape[:-2], strict=False)
        known = len(rows.plane) == len(self.shape) - 2 and all(0 <= i < n for i, n in planes)
        return inside and known and rows.values.dtype == self.dtype

    def write(self, rows: Rows) -> None:
        """Write some rows; the same ones may be written again."""
        whole = rows.values.shape[1] == self.shape[-1]
        lines = [rows.values] if whole else list(rows.values[:, None])
        with self.path.open("r+b") as file:
            for k, line in enumerate(lines):
                start = np.ravel_multi_index((*rows.plane, rows.top + k, rows.left), self.shape)
                file.seek(self._offset + int(start) * self.dtype.itemsize)
                file.write(np.ascontiguousarray(line).tobytes())

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from napari_annotrain.session.sheet import Rows

#: Before each entry: its length in bytes and its checksum.
_HEAD = struct.Struct("<QI")
_LEVEL = 1


class Journal:
    """What was painted, entry after entry, each of them whole or not there at all.

    An entry is written and synced before the sheets are: what a killed process had begun to write to a sheet is
    written again, in order, when the session is opened. ::

        length | checksum | compressed: a line of JSON, then the pixels of all its rows
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, batch: Sequence[Rows]) -> None:
        """Add rows that changed together as one entry; they are on the disk when this returns."""
        names = [[r.sheet, list(r.plane), r.top, list(r.values.shape), r.values.dtype.str, r.left] for r in batch]
        pixels = b"".join(np.ascontiguousarray(r.values).tobytes() for r in batch)
        body = zlib.compress(json.dumps(names).encode() + b"\n" + pixels, _LEVEL)
        end = self.size
        try:
            with self._path.open("ab", buffering=0) as file:  # what a buffer held back would be written after an error
                left = memoryview(_HEAD.pack(len(body), zlib.crc32(body)) + body)
                while left:
                    left = left[file.write(left) or 0 :]
                os.fsync(file.fileno())
        except OSError:
            if self._path.exists():
                os.truncate(self._path, end)  # half an entry would hide those that follow it
            raise

    def entries(self) -> Iterator[list[Rows]]:
        """All whole entries, oldest first; what follows a torn one never was."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, checksum = _HEAD.unpack(head)
                if length > os.fstat(file.fileno()).st_size - file.tell():
                    return
                body = file.read(length)
                if zlib.crc32(body) != checksum:
                    return
                yield _rows(zlib.decompress(body))

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return self._path.stat().st_size if self._path.exists() else 0

    def clear(self) -> None:
        """Forget all entries, which are in the sheets by now."""
        self._path.unlink(missing_ok=True)


def _rows(body: bytes) -> list[Rows]:
    line, _, pixels = body.partition(b"\n")
    found, at = [], 0
    for sheet, plane, top, shape, kind, *left in json.loads(line):  # an older version wrote whole rows
        dtype = np.dtype(kind)
        values = np.frombuffer(pixels, dtype, shape[0] * shape[1], at).reshape(shape)
        at += values.nbytes
        found.append(Rows(sheet, tuple(plane), top, values, *left))
    return found

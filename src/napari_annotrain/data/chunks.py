"""Chunks of a zarr array as they are read: those that were never written are told from those that are gone."""

from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore, WrapperStore

#: Files that say what an array or a group is.
MARKS = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
#: Where a chunk of Blosc says how many bytes it has.
_BLOSC_SIZE = slice(12, 16)


def is_store(path: Path) -> bool:
    """Tell whether a folder holds the metadata of a zarr group or array."""
    return any((path / mark).is_file() for mark in MARKS)


def open_watched(path: Path) -> Any:
    """Open what a folder holds so that a chunk which is gone or cut off is an error, and not zeros or a crash."""
    store = _WatchedStore(path)
    node = zarr.open(store, mode="r")
    if isinstance(node, zarr.Array) and node.shards is None:
        store.is_blosc = any(type(codec).__name__.startswith("Blosc") for codec in node.compressors[-1:])
    return node


class _WatchedStore(WrapperStore):  # type: ignore[misc] # zarr has no types here
    def __init__(self, path: Path) -> None:
        super().__init__(LocalStore(path, read_only=True))
        self.path, self.is_blosc = path, False

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Read a file of the store; None where there is none.

        Raises
        ------
        FileNotFoundError
            All of the array is gone: zarr would take each of its chunks for one that was never written.
        ValueError
            The chunk is cut off: Blosc would read beyond its end.
        """
        found = await super().get(key, prototype, byte_range)
        if key.rpartition("/")[2].startswith((".z", "zarr.json")):
            return found
        if found is None and not is_store(self.path):
            raise FileNotFoundError(self.path)
        if found is not None and self.is_blosc and byte_range is None:
            size = int.from_bytes(found[_BLOSC_SIZE].to_bytes(), "little")
            if len(found) < max(size, _BLOSC_SIZE.stop):
                raise ValueError(f"{key} has {len(found)} bytes of {size}.")
        return found

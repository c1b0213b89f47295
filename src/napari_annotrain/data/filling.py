"""An OME-Zarr that is filled piece by piece, and goes on where it stopped."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import zarr

from napari_annotrain.axes import parse_axes
from napari_annotrain.data.locks import locked
from napari_annotrain.data.ngff import CHUNK_PX, new_store
from napari_annotrain.data.pairs import stem
from napari_annotrain.data.places import check_place, check_way, making_folders, put, refusing, remove
from napari_annotrain.data.pyramid import iter_levels
from napari_annotrain.data.record import Finished, Record
from napari_annotrain.data.stack import paste
from napari_annotrain.data.writing import check_writable
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Region

#: Held in the folder of a result by the process that writes it.
LOCK = "lock"


@dataclass
class Filling:
    """A result on its way: its data and a `Record` lie in a folder beside it until it is complete.

    Attributes
    ----------
    path
        Where it will appear.
    axes
        One letter a dimension.
    level
        Level 0, to write to.
    finished
        What an earlier run has finished.
    store
        Where the OME-Zarr lies until it is complete; another place for every run that begins, so that what a worker
        of an earlier one still writes goes nowhere.
    overwrite
        Whether an OME-Zarr of this name may be replaced.
    """

    path: Path
    axes: str
    level: zarr.Array
    finished: Finished
    store: Path
    overwrite: bool

    def write(self, region: Region, values: npt.NDArray[Any], labels_cells: bool = False) -> None:
        """Write a piece, (T, Z, Y, X) or (C, T, Z, Y, X), and then note that it is finished."""
        with refusing(self.path):
            paste(self.level, self.axes, region, values)
        self.note(region, int(values.max(initial=0)) if labels_cells else 0)

    def note(self, region: Region, last_id: int) -> None:
        """Note that a piece is finished whose data are on the disk, and the largest id in it."""
        with refusing(self.path):
            Record(place_of(self.path)).add(region, last_id)

    def iter_completing(self, attributes: Mapping[str, Any], levels: bool = True) -> Iterator[tuple[int, int]]:
        """Add smaller levels, if they are wanted, and some attributes, and let the result appear under its name.

        Yields
        ------
        How many chunks of smaller levels are added, and how many there will be; where it is left there, the result
        is unfinished still.

        Raises
        ------
        AnnotrainError
            Something has come under that name meanwhile that may not be replaced.
        """
        with refusing(self.path):
            check_way(self.path, store=True, overwrite=self.overwrite)
            group = zarr.open_group(self.store, mode="r+")
            if levels:
                yield from iter_levels(group, self.axes)
            group.attrs.update(dict(attributes))
            put(self.store, self.path)
        forget(self.path)

    @property
    def last_id(self) -> int:
        """Largest id of a cell so far."""
        return Record(place_of(self.path)).finished().last_id

    @property
    def has_something(self) -> bool:
        """Whether any piece is finished, or part of what it takes (`part_of`)."""
        folder = place_of(self.path)
        parts = any("scores-" in place.name for place in folder.glob("*"))
        return parts or bool(Record(folder).finished().pieces)


def place_of(path: Path) -> Path:
    """The folder beside a result in which it lies until it is complete."""
    return path.with_name(f".{path.name}.unfinished")


def part_of(path: Path, name: str) -> Path:
    """Where something lies that is needed to go on with a result."""
    return place_of(path) / f"{name}.ome.zarr"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process that writes a result; folders that were made for it go again where nothing comes of it.

    Raises
    ------
    AnnotrainError
        Another process writes it, or it cannot be written there.
    """
    check_place(path)
    with ExitStack() as held:
        with refusing(path):
            held.enter_context(making_folders(path))
            try:
                held.enter_context(locked(place_of(path) / LOCK))
            except BlockingIOError:
                raise AnnotrainError(
                    f"{path} is being written by another process: wait for it, or choose another name."
                ) from None
        yield


def tidy(path: Path) -> None:
    """Remove what lies beside a complete result, of a process that was killed at its last step."""
    if place_of(path).exists():
        with suppress(AnnotrainError), alone(path):
            forget(path)


def forget(path: Path) -> None:
    """Remove what lies beside a result."""
    folder = place_of(path)
    _empty(folder)
    with suppress(OSError):  # the lock is in it until it is let go of
        folder.rmdir()


def _empty(folder: Path) -> None:
    """Remove all but the lock; first what says that there is something, so that nothing torn is gone on with."""
    entries = sorted(folder.glob("*"), key=lambda entry: entry.suffix not in (".json", ".jsonl"))
    for entry in entries:
        if entry.name != LOCK:
            with suppress(OSError):
                remove(entry)


def unfinished(path: Path) -> dict[str, Any] | None:
    """What is said of the interrupted run that was to write a result; None where there is none."""
    folder = place_of(path)
    with refusing(path):
        about = Record(folder).about()
        return about if about is not None and (folder / str(about.get("store"))).is_dir() else None


def begin(
    path: Path,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    axes: str,
    about: Mapping[str, Any],
    pixel_um: Mapping[str, float],
    chunk_px: int = CHUNK_PX,
    overwrite: bool = False,
) -> Filling:
    """Begin a result of zeros; what an earlier run left of it goes.

    Parameters
    ----------
    about
        What run it is, as JSON.
    chunk_px
        Longest side of a chunk.

    Raises
    ------
    AnnotrainError
        As `writing.check_writable`.
    """
    check_writable(path, overwrite, shape, axes, dtype)
    folder = place_of(path)
    with refusing(path), making_folders(path):
        folder.mkdir(exist_ok=True)
        _empty(folder)
        store = folder / f"store-{uuid4().hex[:8]}"
        try:
            axes = parse_axes(axes, len(shape))
            level = new_store(store, shape, np.dtype(dtype), axes, pixel_um, stem(path), chunk_px)
            Record(folder).begin({**about, "store": store.name, "overwrite": overwrite})
        except BaseException:
            forget(path)
            raise
    return Filling(path, axes, level, Finished(), store, overwrite)


def go_on(path: Path, shape: tuple[int, ...], axes: str) -> Filling:
    """Go on with a result that an interrupted run left.

    Raises
    ------
    AnnotrainError
        What it left cannot be read, or has another shape.
    """
    folder, about = place_of(path), unfinished(path) or {}
    store, overwrite = folder / str(about.get("store")), bool(about.get("overwrite"))
    check_writable(path, overwrite)
    try:
        level = zarr.open_array(store, path="0", mode="r+")
    except (OSError, KeyError, ValueError) as error:
        raise AnnotrainError(
            f"What an interrupted run left of {path} cannot be read: to begin anew, remove {folder}, or allow it to be "
            "overwritten."
        ) from error
    if level.shape != shape:
        raise AnnotrainError(
            f"What an interrupted run left of {path} has the shape {level.shape} and not {shape}: "
            "give the image of that run, or allow it to be overwritten."
        )
    with refusing(path):
        for torn in store.rglob("*.partial"):  # chunks that a killed process was writing
            torn.unlink(missing_ok=True)
    return Filling(path, axes, level, Record(folder).finished(), store, overwrite)

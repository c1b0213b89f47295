"""An OME-Zarr that is filled piece by piece, and goes on where it stopped."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_annotrain.axes import parse_axes
from napari_annotrain.data.ngff import CHUNK_PX, new_store
from napari_annotrain.data.pairs import stem
from napari_annotrain.data.places import making_folders, put, refusing
from napari_annotrain.data.pyramid import add_levels
from napari_annotrain.data.record import Finished, Record, Region
from napari_annotrain.data.stack import paste
from napari_annotrain.data.writing import check_writable
from napari_annotrain.errors import AnnotrainError


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
    """

    path: Path
    axes: str
    level: zarr.Array
    finished: Finished

    def write(self, region: Region, values: npt.NDArray[Any], labels_cells: bool = False) -> None:
        """Write a piece, (T, Z, Y, X) or (C, T, Z, Y, X), and then note that it is finished."""
        with refusing(self.path):
            paste(self.level, self.axes, region, values)
            self.note(region, int(values.max(initial=0)) if labels_cells else 0)

    def note(self, region: Region, last_id: int) -> None:
        """Note that a piece is finished whose data are on the disk, and the largest id in it."""
        with refusing(self.path):
            Record(place_of(self.path)).add(region, last_id)

    @property
    def store(self) -> Path:
        """Where the OME-Zarr lies until it is complete."""
        return place_of(self.path) / "store"

    def complete(self, attributes: Mapping[str, Any]) -> None:
        """Add the smaller levels and some attributes, and let the result appear under its name."""
        folder = place_of(self.path)
        with refusing(self.path):
            group = zarr.open_group(folder / "store", mode="r+")
            add_levels(group, self.axes)
            group.attrs.update(dict(attributes))
            put(folder / "store", self.path)
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def has_something(self) -> bool:
        """Whether any piece is finished."""
        return bool(Record(place_of(self.path)).finished().pieces)

    def discard(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(place_of(self.path), ignore_errors=True)


def place_of(path: Path) -> Path:
    """The folder beside a result in which it lies until it is complete."""
    return path.with_name(f".{path.name}.unfinished")


def unfinished(path: Path) -> dict[str, Any] | None:
    """What is said of the interrupted run that was to write a result; None where there is none."""
    folder = place_of(path)
    with refusing(path):
        return Record(folder).about() if (folder / "store").is_dir() else None


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
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            axes = parse_axes(axes, len(shape))
            level = new_store(folder / "store", shape, np.dtype(dtype), axes, pixel_um, stem(path), chunk_px)
            Record(folder).begin(about)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return Filling(path, axes, level, Finished())


def go_on(path: Path, shape: tuple[int, ...], axes: str) -> Filling:
    """Go on with a result that an interrupted run left.

    Raises
    ------
    AnnotrainError
        What it left cannot be read, or has another shape.
    """
    folder = place_of(path)
    try:
        level = zarr.open_array(folder / "store", path="0", mode="r+")
    except (OSError, KeyError, ValueError) as error:
        raise AnnotrainError(
            f"What an interrupted run left of {path} cannot be read: allow it to be overwritten, to begin anew."
        ) from error
    if level.shape != shape:
        raise AnnotrainError(
            f"What an interrupted run left of {path} has the shape {level.shape} and not {shape}: "
            "give the image of that run, or allow it to be overwritten."
        )
    return Filling(path, axes, level, Record(folder).finished())

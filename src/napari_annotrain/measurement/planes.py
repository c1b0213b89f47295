from collections.abc import Generator, Sequence
from itertools import product
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.annotation import BACKGROUND
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Measured, Note
from napari_annotrain.measurement.channels import side_by_side
from napari_annotrain.measurement.plane import PixelSize, Rows, measure_objects
from napari_annotrain.measurement.table import CELLS, Kind, PlaneCount, Table, stacked


def iter_measurement(
    labels: Stack, image: Stack, kind: Kind = CELLS, annotation: bool = False, also: Sequence[Stack] = ()
) -> Generator[Event]:
    """Measure the objects of a label image plane by plane; no more than one plane is in the memory.

    An object is all pixels of one value in one plane: one that goes through several planes has a row in each. NaN
    and infinite pixels are left out of the intensities, which are NaN where nothing is left; a `Note` says so.

    Parameters
    ----------
    labels
        Whole numbers, 0 is background.
    image
        Of the same T, Z, Y, X. Its pixel sizes count, or else those of the labels.
    kind
        ``"cells"``, or ``"classes"``: a row for each class and plane.
    annotation
        The labels are painted ones: 1 is background, cells or classes are from 2 on.
    also
        Further images of the same size, such as other channels, whose intensities are measured too.

    Yields
    ------
    `Measured` after some objects, at last `Done` with the `Table`, which may have no rows.

    Raises
    ------
    AnnotrainError
        The shapes do not fit, or the labels are no whole numbers or negative.
    """
    for one in (image, *also):
        check_fit(labels, one)
    pixels_of, channels = side_by_side([image, *also])
    size_um = _pixel_size(labels, image)
    places = list(product(range(labels.shape[0]), range(labels.shape[2])))
    parts: list[Any] = []
    planes: dict[tuple[int, int], PlaneCount] = {}
    n, not_finite = 0, 0
    for done, (t, z) in enumerate(places):
        plane = read_plane(labels, t, z)
        objects = objects_of(plane, labels.name, annotation)
        n_before = n
        if objects.any():
            pixels = pixels_of.read(t, (slice(z, z + 1), slice(None), slice(None)))[:, 0]
            not_finite += _not_finite(objects, pixels)
            for rows in measure_objects(objects, pixels, channels, kind, size_um):
                n += len(rows["label"])
                parts.append(rows | _place(t, z, len(rows["label"]), labels, image))
                yield Measured(n, done, len(places))
        planes[t, z] = PlaneCount(n - n_before, checksum(plane))
        yield Measured(n, done + 1, len(places))
    if not_finite:
        what = "object has" if not_finite == 1 else "objects have"
        yield Note(f"{not_finite:,} {what} NaN or infinite pixels, which are left out of the intensities.")
    yield Done(Table(stacked(parts), kind, planes))


def no_objects(name: str) -> str:
    """Say that labels of this name have no object."""
    return f"There is no object in {name}: all of it is background. Predict it first, or choose other labels."


def check_fit(labels: Stack, image: Stack) -> None:
    """Refuse labels that do not lie over an image, or have channels.

    Raises
    ------
    AnnotrainError
        They do not.
    """
    if labels.n_channels > 1:
        raise AnnotrainError(
            f"{labels.name} has {labels.n_channels} channels: choose labels with one number a pixel, no probabilities."
        )
    mine, others = (stack.shape[:1] + stack.shape[2:] for stack in (labels, image))
    if mine != others:
        raise AnnotrainError(
            f"The labels {labels.name} are {_words(labels)} but the image {image.name} is {_words(image)}: "
            "choose the labels that belong to it."
        )


def read_plane(labels: Stack, t: int, z: int) -> npt.NDArray[Any]:
    """One plane of labels, (Y, X)."""
    plane: npt.NDArray[Any] = labels.read(t, (slice(z, z + 1), slice(None), slice(None)))[0, 0]
    return plane


def checksum(plane: npt.NDArray[Any]) -> int:
    """A number by which a plane of labels is known to be the same."""
    return crc32(np.ascontiguousarray(plane).data)


def objects_of(plane: npt.NDArray[Any], name: str, annotation: bool = False) -> npt.NDArray[Any]:
    """What of a plane is object, as whole numbers, 0 elsewhere.

    Raises
    ------
    AnnotrainError
        It holds fractions or negative numbers.
    """
    if plane.dtype.kind == "f":
        if not np.array_equal(plane, np.round(plane)):  # neither is NaN
            raise AnnotrainError(f"{name} holds fractions: choose labels, which are whole numbers, no probabilities.")
        plane = plane.astype(np.int64)
    elif plane.dtype.kind == "b":
        plane = plane.astype(np.uint8)
    if plane.dtype.kind == "i" and plane.min() < 0:
        raise AnnotrainError(f"{name} holds negative numbers: choose labels with 0 for background.")
    return np.where(plane == BACKGROUND, 0, plane) if annotation else plane


def _place(t: int, z: int, n: int, labels: Stack, image: Stack) -> Rows:
    place: Rows = {}
    for axis, name, index, unit in (("T", "t", t, "s"), ("Z", "z", z, "um")):
        if axis in image.axes or axis in labels.axes:
            place[name] = np.full(n, index)
            if axis in image.pixel_um:
                place[f"{name}_{unit}"] = np.full(n, index * image.pixel_um[axis])
    return place


def _pixel_size(labels: Stack, image: Stack) -> PixelSize | None:
    for sizes in (image.pixel_um, labels.pixel_um):
        if "Y" in sizes and "X" in sizes:
            return sizes["Y"], sizes["X"]
    return None


def _not_finite(objects: npt.NDArray[Any], pixels: npt.NDArray[Any]) -> int:
    """How many objects have pixels that are no numbers."""
    if pixels.dtype.kind != "f":
        return 0
    return int(np.count_nonzero(np.unique(objects[~np.isfinite(pixels).all(0)])))


def _words(stack: Stack) -> str:
    lengths = [n for n, a in zip(stack.shape, "TCZYX", strict=True) if a in "YX" or (a in "TZ" and n > 1)]
    return " x ".join(map(str, lengths))

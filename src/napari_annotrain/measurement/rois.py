from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import numpy.typing as npt
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi
from scipy import ndimage as ndi
from skimage.measure import find_contours

from napari_annotrain.data.places import beside
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Measured
from napari_annotrain.measurement.plane import GROUP, compact
from napari_annotrain.measurement.planes import no_objects, objects_of, read_plane
from napari_annotrain.measurement.table import CELLS, Kind

#: Steps of a path in a ROI of several outlines.
MOVE, LINE, CLOSE = 0.0, 1.0, 4.0


def iter_rois(
    path: str | Path, labels: Stack, n_channels: int = 1, kind: Kind = CELLS, annotation: bool = False
) -> Iterator[Event]:
    """Write the outlines of all objects as a zip of ROIs for ImageJ's ROI Manager, complete or not at all.

    An outline runs halfway between pixels inside and outside, so that the pixels whose centre it encloses are those
    of the object; pieces and holes make one ROI of several outlines. ImageJ shows it on its own plane.

    Parameters
    ----------
    path
        Ends in .zip.
    labels
        Whole numbers, 0 is background.
    n_channels
        Of the image: with several, ImageJ counts planes in another way.
    kind
        What they are called.
    annotation
        The labels are painted ones: 1 is background.

    Yields
    ------
    `Measured` after some objects.

    Raises
    ------
    AnnotrainError
        There is no object, the labels are no whole numbers, or the place cannot be written.
    """
    path = check_rois_place(path)
    word = "cell" if kind == CELLS else "class"
    places = list(product(range(labels.shape[0]), range(labels.shape[2])))
    n = 0
    with beside(path) as temporary:
        with ZipFile(temporary, "w", ZIP_DEFLATED) as archive:
            for done, (t, z) in enumerate(places):
                for value, outlines in _outlines(objects_of(read_plane(labels, t, z), labels.name, annotation)):
                    name = f"{word} {value}{_plane_words(labels, t, z)}"
                    archive.writestr(f"{name}.roi", _roi(name, outlines, _position(labels, n_channels, t, z)))
                    n += 1
                    if n % GROUP == 0:
                        yield Measured(n, done, len(places))
                yield Measured(n, done + 1, len(places))
        if not n:
            raise AnnotrainError(no_objects(labels.name))


def check_rois_place(path: str | Path) -> Path:
    """The path of ROIs, which must end in .zip."""
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise AnnotrainError(f"{path} is of a type that cannot be written: let the name of the ROIs end in .zip.")
    return path


def _outlines(plane: npt.NDArray[Any]) -> Iterator[tuple[int, list[npt.NDArray[Any]]]]:
    """Label and closed outlines, (N, 2) x and y in ImageJ's way: the first pixel reaches from 0 to 1."""
    numbers, values = compact(plane)
    for number, box in enumerate(ndi.find_objects(numbers), 1):
        inside = np.pad(numbers[box] == number, 1)
        shift = np.array([box[1].start, box[0].start]) - 1 + 0.5
        yield int(values[number]), [line[:-1, ::-1] + shift for line in find_contours(inside.astype(float), 0.5)]


def _roi(name: str, outlines: list[npt.NDArray[Any]], position: dict[str, int]) -> bytes:
    if len(outlines) == 1:
        return bytes(ImagejRoi.frompoints(outlines[0], name=name, **position).tobytes())
    points = np.concatenate(outlines)
    roi = ImagejRoi.frompoints(points, name=name, **position)
    roi.left, roi.top = (int(n) for n in np.floor(points.min(0)))
    roi.right, roi.bottom = (int(n) for n in np.ceil(points.max(0)))
    roi.roitype, roi.options = ROI_TYPE.RECT, roi.options & ~ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    roi.integer_coordinates = roi.subpixel_coordinates = None
    roi.n_coordinates = 0
    steps = [np.column_stack([np.r_[MOVE, np.full(len(line) - 1, LINE)], line]).ravel() for line in outlines]
    roi.multi_coordinates = np.concatenate([part for line in steps for part in (line, [CLOSE])]).astype(np.float32)
    roi.shape_roi_size = len(roi.multi_coordinates)
    return bytes(roi.tobytes())


def _position(labels: Stack, n_channels: int, t: int, z: int) -> dict[str, int]:
    """Where ImageJ shows it: a plain stack has one position, a hyperstack one each for depth and time."""
    n_t, _, n_z, _, _ = labels.shape
    if (n_channels > 1) + (n_z > 1) + (n_t > 1) > 1:
        return {"z": z, "t": t}
    return {"position": max(t, z)} if max(n_t, n_z) > 1 else {}


def _plane_words(labels: Stack, t: int, z: int) -> str:
    n_t, _, n_z, _, _ = labels.shape
    return (f" z{z}" if n_z > 1 else "") + (f" t{t}" if n_t > 1 else "")

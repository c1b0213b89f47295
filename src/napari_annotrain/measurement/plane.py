"""The objects of one plane, measured some at a time, so that one may stop in between."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import regionprops

from napari_annotrain.measurement.columns import INTENSITIES, intensity_names
from napari_annotrain.measurement.table import CELLS, Kind

#: So many objects are measured before others get their turn.
GROUP = 100
#: Less than this, an ellipse is a disc and has no long axis.
ROUND = 1e-6
#: Height and width of a pixel in micrometres.
PixelSize = tuple[float, float]
Row = dict[str, Any]
Rows = dict[str, npt.NDArray[Any]]


def compact(labels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
    """Number the labels of a plane from 1 on, 0 staying 0, and the label that belongs to each number."""
    largest = int(labels.max())
    if largest > labels.size:  # few labels, far apart
        values, numbers = np.unique(np.append(labels, 0), return_inverse=True)
        return numbers[:-1].reshape(labels.shape).astype(np.int32), values
    used = np.zeros(largest + 1, bool)
    used[labels] = used[0] = True
    return (np.cumsum(used, dtype=np.int32) - 1)[labels], np.flatnonzero(used)


def measure_objects(
    labels: npt.NDArray[Any],
    image: npt.NDArray[Any],
    channels: Sequence[str],
    kind: Kind = CELLS,
    size_um: PixelSize | None = None,
) -> Iterator[Rows]:
    """Measure the objects of a plane, `GROUP` of them at a time: columns by name (see `measurement.columns`).

    Sizes and shapes are those of `skimage.measure.regionprops`. Intensities are those of the finite pixels.

    Parameters
    ----------
    labels
        (Y, X) whole numbers, 0 is background. All pixels of one value are one object, wherever they lie.
    image
        (C, Y, X).
    channels
        Their names, for those of the columns.
    kind
        Of classes, what makes sense for a single cell only is left out.
    size_um
        Without it, only pixels are counted.
    """
    numbers, values = compact(labels)
    regions = regionprops(numbers)
    square = size_um is None or size_um[0] == size_um[1]
    stretched = regions if square else regionprops(numbers, spacing=size_um)
    for start in range(0, len(regions), GROUP):
        rows = []
        for i in range(start, min(start + GROUP, len(regions))):
            row = _measure(int(values[regions[i].label]), regions[i], stretched[i], image.shape[1:], kind, size_um)
            rows.append(row | _intensities(image[:, *regions[i].slice][:, regions[i].image], channels))
            regions[i] = stretched[i] = None  # which hold pixels
        yield {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _measure(
    label: int, region: Any, stretched: Any, shape: tuple[int, ...], kind: Kind, size_um: PixelSize | None
) -> Row:
    area, (y, x) = int(region.area), region.centroid
    top, left, bottom, right = region.bbox
    row: Row = {"label": label, "area_px": area, "perimeter_px": region.perimeter}
    row |= {"centroid_y_px": y, "centroid_x_px": x}
    if size_um is not None:
        high, wide = size_um
        row["area_um2"] = area * high * wide
        row["perimeter_um"] = region.perimeter * high if high == wide else np.nan
        row |= {"centroid_y_um": y * high, "centroid_x_um": x * wide}
    if kind == CELLS:
        height, width = shape
        row["touches_border"] = top == 0 or left == 0 or bottom == height or right == width
        row |= _shape(region, stretched, size_um)
    else:
        row["area_percent"] = 100 * area / (shape[0] * shape[1])
    return row


def _shape(region: Any, stretched: Any, size_um: PixelSize | None) -> Row:
    eccentricity = float(stretched.eccentricity)
    row: Row = {
        "equivalent_diameter_px": region.equivalent_diameter_area,
        "major_axis_px": region.axis_major_length,
        "minor_axis_px": region.axis_minor_length,
        "eccentricity": eccentricity,
        "solidity": region.area / max(region.area_convex, region.area),  # no hull around a single line of pixels
        "orientation_deg": _angle(stretched.orientation) if eccentricity > ROUND else np.nan,
    }
    if size_um is not None:
        high, wide = size_um
        row["equivalent_diameter_um"] = region.equivalent_diameter_area * (high * wide) ** 0.5
        factor = high if stretched is region else 1.0
        row |= {"major_axis_um": stretched.axis_major_length * factor}
        row |= {"minor_axis_um": stretched.axis_minor_length * factor}
    return row


def _angle(orientation: float) -> float:
    r"""From the angle to the rows' axis, as scikit-image has it, to the one to the horizontal, as ImageJ has it.

    ::

        90          45            0          135
         |          /          -----           \
    """
    return float(np.degrees(orientation) - 90) % 180


def _intensities(values: npt.NDArray[Any], channels: Sequence[str]) -> Row:
    """Of pixels (C, N)."""
    row: Row = {}
    for channel, own in zip(channels, values, strict=True):
        if values.dtype.kind == "f":
            own = own[np.isfinite(own)]
        names = intensity_names(channel)
        known = (own.mean(dtype=float), own.min(), own.max(), own.sum(dtype=float)) if own.size else ()
        row |= dict(zip(names, map(float, known or [np.nan] * len(INTENSITIES)), strict=True))
    return row

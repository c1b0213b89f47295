"""Which annotated pixels are one cell, and how large the annotated cells are."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from skimage import measure

from napari_annotrain.data.annotation import BACKGROUND, NOT_ANNOTATED, Labels

#: What has no more pixels than this is a crumb where cells are `TIMES_CRUMB` times as large.
CRUMB_PX, TIMES_CRUMB = 20, 10
#: Fewer cells say little of how small cells can be: then what is smaller than this share of them is no cell.
ENOUGH, CRUMB = 50, 0.025


@dataclass(frozen=True)
class CellSizes:
    """How large the annotated cells are, crumbs left out.

    Attributes
    ----------
    n
        How many there are; one that lies in several areas counts several times.
    diameter_px
        Median diameter, of the disc of equal area.
    usual_px
        5th and 95th percentile of the diameters.
    least_px
        An area well below that of the smallest ones.
    """

    n: int
    diameter_px: float
    usual_px: tuple[float, float]
    least_px: int

    @classmethod
    def of(cls, labels: Iterable[Labels]) -> "CellSizes":
        """Measure the cells of annotated areas."""
        return cls.of_counted(pixels_of_cells(area) for area in labels)

    @classmethod
    def of_counted(cls, cells_px: Iterable[npt.NDArray[np.intp] | None]) -> "CellSizes":
        """The same where the pixels of each cell are counted (`pixels_of_cells`)."""
        areas = np.concatenate([counts for counts in cells_px if counts is not None])
        areas = areas[~_are_crumbs(areas)]
        typical = float(np.median(areas))
        low, median, high = 2 * np.sqrt(np.percentile(areas, (5, 50, 95)) / np.pi)
        least = float(np.percentile(areas, 2)) / 3
        if len(areas) < ENOUGH:
            least = min(least, CRUMB * typical)
        return cls(len(areas), float(median), (float(low), float(high)), int(least))


def pixels_of_cells(labels: Labels) -> npt.NDArray[np.intp]:
    """Pixels of each cell in an annotation."""
    return np.unique(labels[labels > BACKGROUND], return_counts=True)[1]


def separate(labels: Labels) -> Labels:
    """Make a cell of each piece of a value that does not touch the others, even at a corner, where that is known.

    A cell may be cut by another one or by the plane, one value may stand for all cells, or for two by mistake. Crumbs
    stay with the largest piece of their value. So do pieces with a neighbour that is not annotated: strokes in one
    cell, between which it may go on.

    Parameters
    ----------
    labels
        (Y, X) annotation, one value a cell. The values of cells are new in the result.
    """
    pieces = measure.label(np.where(labels > BACKGROUND, labels, 0), connectivity=2)
    sizes = np.bincount(pieces.ravel())
    value = np.zeros(len(sizes), np.int64)
    value[pieces] = labels
    by_value = np.lexsort((sizes, value))
    largest = by_value[np.searchsorted(value, value, "right", by_value) - 1]
    known = np.ones(len(sizes), bool)
    known[pieces[ndi.binary_dilation(labels == NOT_ANNOTATED, np.ones((3, 3)))]] = False
    alone = known & known[largest] & ~_are_crumbs(sizes, 1)
    cells = np.where(alone, np.arange(len(sizes)), largest)
    made = np.asarray(cells[pieces] + BACKGROUND, np.int32)
    return np.where(labels > BACKGROUND, made, labels)


def _are_crumbs(sizes: npt.NDArray[np.integer], first: int = 0) -> npt.NDArray[np.bool_]:
    """Which of all objects are no cells; half of all their pixels are in objects of a cell's size or larger.

    `first` is the index of the first object; what stands before is none.
    """
    ordered = np.sort(sizes[first:])
    filled = np.cumsum(ordered)
    cell = ordered[np.searchsorted(filled, filled[-1] / 2)] if len(ordered) else 0
    return np.asarray((sizes <= CRUMB_PX) & (TIMES_CRUMB * sizes < cell))

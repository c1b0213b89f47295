"""How cells are told apart: what the user says, what the annotation says, and what is seen where neither does."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_annotrain.objects.basins import GRID_PX

Ints = npt.NDArray[np.int64]

#: In units of the typical cell's radius and area: smoothing of the landscape, the largest hole that is closed, and what
#: is a crumb. Chosen as the other measures of `instances`.
SMOOTHING, LARGEST_HOLE, CRUMB = 0.1, 0.25, 0.025
#: Least probability that counts as a cell, with a predicted cell distance.
THRESHOLD = 0.6
#: Cells are as large as those that were annotated while their diameters differ by less than this factor; fewer objects
#: than so many tell nothing. Chosen on training images of the same sets, after ten cells of one of them.
ALIKE, FEW = 1.5, 5


@dataclass(frozen=True)
class Expected:
    """How large the annotated cells were: diameter of a typical one in px, and least area in pixels, where known."""

    diameter_px: float
    min_size: float | None = None


@dataclass(frozen=True)
class CellRules:
    """How cells are told apart: the parameters of `label_cells`, and what follows where one of them is None.

    Attributes
    ----------
    expected
        What holds where no diameter is given and the cells of the image are about as large; else these are measured.
    """

    min_size: float | None = None
    cell_diameter_px: float | None = None
    smoothing_px: float | None = None
    largest_hole_px: float | None = None
    threshold: float = 0.5
    expected: Expected | None = None

    def seeing(self, sizes: Ints) -> "CellRules":
        """The rules for a plane in which objects of these sizes, in pixels, are seen."""
        if self.area is not None or self.expected is None:
            return self
        seen = radius_of(typical_area(sizes)) * 2 / self.expected.diameter_px
        if len(sizes) >= FEW and not 1 / ALIKE <= seen <= ALIKE:
            return self
        least = self.expected.min_size if self.min_size is None else self.min_size
        return replace(self, min_size=least, cell_diameter_px=self.expected.diameter_px)

    @property
    def area(self) -> float | None:
        """Pixels of a typical cell, where its diameter is known."""
        return float(np.pi / 4 * self.cell_diameter_px**2) if self.cell_diameter_px else None

    def largest_hole(self, area: float) -> float:
        """Area of the largest hole that is closed, for typical cells of this area."""
        return LARGEST_HOLE * area if self.largest_hole_px is None else self.largest_hole_px

    def sigma(self, area: float) -> float:
        """Of the smoothing of the landscape."""
        return max(SMOOTHING * radius_of(area) if self.smoothing_px is None else self.smoothing_px, GRID_PX)

    def least(self, area: float) -> float:
        """Area of the smallest cell."""
        return max(1, CRUMB * area if self.min_size is None else self.min_size)


def threshold_of(threshold: float | None, with_distance: bool) -> float:
    """Least probability of a cell: as given, or what fits scores with a predicted distance or without."""
    return threshold if threshold is not None else THRESHOLD if with_distance else 0.5


def typical_area(sizes: Ints) -> float:
    """Median size of objects, crumbs left out: those below a tenth of the size that half of the foreground has."""
    objects = np.sort(sizes[sizes > 0])
    filled = np.cumsum(objects)
    half = objects[np.searchsorted(filled, filled[-1] / 2)]
    return float(np.median(objects[objects >= 0.1 * half]))


def radius_of(area: float) -> float:
    """Of a disc."""
    return float(np.sqrt(area / np.pi))

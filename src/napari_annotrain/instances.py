"""From foreground to cells: connected components, touching ones split where the shape has a neck."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from skimage.segmentation import watershed

Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

# In units of the typical cell's radius and area. Chosen on nuclei (BBBC039, DSB 2018) and on long, irregular whole
# cells in phase contrast (T98G): flat optima between splitting too little of the first and too much of the second.
#: Smoothing of the distance transform, and the depth of a neck that parts two cells.
SMOOTHING, NECK_DEPTH = 0.1, 0.12
#: A smaller piece is no cell of its own, a smaller hole no gap between cells, and a smaller object a crumb.
SMALLEST_PIECE, LARGEST_HOLE, CRUMB = 0.35, 0.25, 0.025
#: Below this many pixels, smoothing and necks are matters of the grid, not of shape.
GRID_PX = 0.5
#: With a predicted cell distance: least probability that counts as a cell, and least depth of its deepest place. Chosen
#: on images of DSB 2018, BBBC039 and T98G that base weights were not trained on.
THRESHOLD, SHALLOW = 0.6, 0.5


def label_cells(
    foreground: npt.ArrayLike,
    distance: npt.ArrayLike | None = None,
    *,
    threshold: float | None = None,
    min_size: float | None = None,
    cell_diameter_px: float | None = None,
    smoothing_px: float | None = None,
    largest_hole_px: float | None = None,
) -> Labels:
    """Label the cells of one plane.

    The distance to the background, times the squared probability, makes a landscape with a hill for each cell. A
    watershed from every summit (Vincent & Soille 1991, IEEE PAMI 13:583) cuts it into too many basins; basins are
    joined again, highest pass first, unless the pass lies well below both summits and both sides are large enough
    for a cell. Necks are thus compared with the cells' own size, and a long cell stays whole.

    With the cell distance that the network predicts, cells are dropped that are nowhere deep inside: debris, blurred
    cells out of focus, a network's doubt where nothing was annotated. Seeds from that distance (Scherr et al. 2020,
    PLoS ONE 15:e0243219) were tried and split irregular cells too often.

    Parameters
    ----------
    foreground
        Probability of being inside a cell, 0 to 1, or a mask, (Y, X).
    distance
        How deep inside its cell each pixel lies as the network sees it, 0 to 1, (Y, X).
    threshold
        Least probability that counts as a cell; None: 0.5, with a distance 0.6.
    min_size
        Smaller objects are dropped, in pixels; None: 2.5 % of the typical cell's area.
    cell_diameter_px
        Diameter of a typical cell; None: measured, as that of the median object, crumbs left out.
    smoothing_px
        Sigma of the smoothing of the landscape; None: 10 % of the typical cell's radius.
    largest_hole_px
        Holes of up to this area are closed; None: a quarter of the typical cell's area.

    Returns
    -------
    (Y, X): 0 background, 1, 2, ... one value a cell. Pixels that touch only at a corner are not connected.
    """
    certainty = np.array(foreground, np.float32)
    if threshold is None:
        threshold = 0.5 if distance is None else THRESHOLD
    mask = certainty >= threshold
    if not mask.any() or mask.all():
        return mask.astype(np.int32)
    area = _disc(cell_diameter_px) if cell_diameter_px else _typical_area(_sizes(ndi.label(mask)[0]))
    largest_hole = LARGEST_HOLE * area if largest_hole_px is None else largest_hole_px
    if largest_hole > 0:
        holes = _small_holes(mask, largest_hole)
        mask |= holes
        certainty[holes] = 1
    radius = np.sqrt(area / np.pi)
    sigma = SMOOTHING * radius if smoothing_px is None else smoothing_px
    basins = _Basins.of(_landscape(mask, certainty, sigma), mask)
    if cell_diameter_px is None:
        # the components may have been clumps; what they fall into gives a better measure
        area = _typical_area(_sizes(basins.merge(NECK_DEPTH * radius)))
        radius = np.sqrt(area / np.pi)
    labels = basins.merge(NECK_DEPTH * radius, SMALLEST_PIECE * area, area)
    if distance is not None:
        labels = _without_shallow(labels, np.asarray(distance, np.float32))
    return _without_small(labels, CRUMB * area if min_size is None else min_size)


def _without_shallow(labels: Labels, distance: Floats) -> Labels:
    """Drop cells whose deepest place does not look deep to the network."""
    deepest = np.zeros(labels.max() + 1, np.float32)
    inside = labels > 0
    np.maximum.at(deepest, labels[inside], distance[inside])
    return np.where((deepest >= SHALLOW)[labels], labels, 0)


def label_classes(
    classes: npt.ArrayLike,
    background: int = 0,
    *,
    min_size: float | None = None,
    cell_diameter_px: float | None = None,
    smoothing_px: float | None = None,
    largest_hole_px: float | None = 0,
) -> Labels:
    """Label the objects of each class of one plane, as `label_cells` does; no id occurs in two classes.

    Parameters
    ----------
    classes
        Class values, (Y, X).
    background
        The value that holds no objects.
    min_size, cell_diameter_px, smoothing_px
        See `label_cells`.
    largest_hole_px
        See `label_cells`; a hole that another class has filled with an object of its own stays that object's.

    Returns
    -------
    (Y, X): 0 background, 1, 2, ... first all objects of the lowest class, then of the next.
    """
    values = np.asarray(classes)
    labels = np.zeros(values.shape, np.int32)
    for value in np.setdiff1d(values, background):
        own = label_cells(
            values == value,
            min_size=min_size,
            cell_diameter_px=cell_diameter_px,
            smoothing_px=smoothing_px,
            largest_hole_px=largest_hole_px,
        )
        free = (own > 0) & ((values == value) | (values == background)) & (labels == 0)
        labels[free] = own[free] + labels.max()
    return labels


def typical_diameter(labels: npt.NDArray[np.integer], background: int = 0) -> float | None:
    """Median diameter of the objects of one plane, in pixels: of the disc of equal area; None without objects.

    Parameters
    ----------
    labels
        One value an object, (Y, X).
    background
        This value and those below are no objects: 0 in a prediction, 1 in an annotation.
    """
    sizes = np.unique(labels[labels > background], return_counts=True)[1]
    return float(np.sqrt(4 * np.median(sizes) / np.pi)) if len(sizes) else None


@dataclass(frozen=True)
class _Basins:
    """Basins of a watershed and the passes between them.

    Attributes
    ----------
    labels
        Basin of each pixel, (Y, X), 0 outside.
    summits
        Height of the summit of each basin; entry 0 is the outside.
    areas
        Pixels of each basin.
    passes
        (basin, basin, height), highest first.
    """

    labels: Labels
    summits: Floats
    areas: Ints
    passes: list[tuple[int, int, float]]

    @classmethod
    def of(cls, heights: Floats, mask: Mask) -> "_Basins":
        """Flood the landscape from each of its summits; neighbours share an edge, so no component lacks one."""
        cross = ndi.generate_binary_structure(2, 1)
        summits = mask & (heights == ndi.maximum_filter(heights, footprint=cross))
        seeds, n = ndi.label(summits, cross)
        labels = watershed(-heights, seeds, mask=mask).astype(np.int32)
        top = np.zeros(n + 1, np.float32)
        top[seeds[summits]] = heights[summits]
        return cls(labels, top, _sizes(labels), list(_passes(labels, heights, n + 1)))

    def merge(self, neck_depth: float, piece_area: float = 0, cell_area: float = 0) -> Labels:
        """Join basins until every pass that is left parts two cells.

        It does when it lies at least `neck_depth` (never less than `GRID_PX`) below the lower summit, each side
        has `piece_area`, and the two together have `cell_area`.
        """
        parent = list(range(len(self.areas)))
        summits, areas = self.summits.tolist(), self.areas.tolist()

        def root(basin: int) -> int:
            while parent[basin] != basin:
                parent[basin] = basin = parent[parent[basin]]
            return basin

        for a, b, height in self.passes:
            low, high = sorted((root(a), root(b)), key=lambda basin: summits[basin])
            shallow = summits[low] - height < max(neck_depth, GRID_PX)
            small = min(areas[low], areas[high]) < piece_area or areas[low] + areas[high] < cell_area
            if low != high and (shallow or small):
                parent[low] = high
                areas[high] += areas[low]
        return np.array([root(basin) for basin in parent], np.int32)[self.labels]


def _passes(labels: Labels, heights: Floats, n: int) -> Iterator[tuple[int, int, float]]:
    """Highest pass between each two neighbouring basins, highest first."""
    keys, saddles = [], []
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        edge = (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
        a, b = labels[here][edge].astype(np.int64), labels[there][edge]
        keys.append(np.minimum(a, b) * n + np.maximum(a, b))
        saddles.append(np.minimum(heights[here][edge], heights[there][edge]))
    key, saddle = np.concatenate(keys), np.concatenate(saddles)
    falling = np.lexsort((key, -saddle))
    key, saddle = key[falling], saddle[falling]
    first = np.sort(np.unique(key, return_index=True)[1])
    yield from zip((key[first] // n).tolist(), (key[first] % n).tolist(), saddle[first].tolist(), strict=True)


def _landscape(mask: Mask, certainty: Floats, sigma: float) -> Floats:
    """Smoothed distance to the background, lower where the network is less certain; 0 outside."""
    heights = ndi.distance_transform_edt(mask).astype(np.float32) * np.where(mask, certainty, 0) ** 2
    return np.where(mask, ndi.gaussian_filter(heights, max(sigma, GRID_PX)), np.float32(0))


def _small_holes(mask: Mask, largest: float) -> Mask:
    """Background components of at most `largest` pixels that do not reach the border of the image."""
    holes, _ = ndi.label(~mask, np.ones((3, 3)))
    small = _sizes(holes) <= largest
    small[[0, *np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))]] = False
    return np.asarray(small[holes])


def _without_small(labels: Labels, min_size: float) -> Labels:
    """Drop small objects and number the others 1, 2, ..."""
    sizes = _sizes(labels)
    kept = (sizes > 0) & (sizes >= min_size)
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[labels]


def _sizes(labels: Labels) -> Ints:
    """Pixels of each id, 0 included."""
    return np.bincount(labels.ravel())


def _typical_area(sizes: Ints) -> float:
    """Median size of the objects, crumbs left out: those below a tenth of the size that half of the foreground has."""
    objects = np.sort(sizes[1:][sizes[1:] > 0])
    filled = np.cumsum(objects)
    half = objects[np.searchsorted(filled, filled[-1] / 2)]
    return float(np.median(objects[objects >= 0.1 * half]))


def _disc(diameter: float) -> float:
    return float(np.pi / 4 * diameter**2)

"""From foreground to cells: connected components, touching ones split where the shape has a neck."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.objects.basins import Basins, depths
from napari_annotrain.objects.rules import CellRules, radius_of, threshold_of, typical_area

Labels = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]

# In units of the typical cell's radius and area. Chosen on nuclei (BBBC039, DSB 2018) and on long, irregular whole
# cells in phase contrast (T98G): flat optima between splitting too little of the first and too much of the second.
#: The depth of a neck that parts two cells, and the smallest piece that is a cell of its own.
NECK_DEPTH, SMALLEST_PIECE = 0.12, 0.35
#: Least depth, as the network sees it, of the deepest place of a cell. Chosen on images of DSB 2018, BBBC039 and T98G
#: that base weights were not trained on.
SHALLOW = 0.6
#: The distance lowers the landscape no further than to this share.
SHALLOWEST = 0.02
#: A cell whose mean probability lies below so much of the way from the threshold to 1 is the network's doubt.
DOUBT = 0.4


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

    With the cell distance that the network predicts, the landscape is lower where that is small, which parts cells
    that the network sees touch, however small they are beside others (fragments of a nucleus). Cells are dropped that
    are nowhere deep inside, or of which the network is in doubt on the whole: debris, blurred cells out of focus,
    places like none that was annotated. Seeds from that distance (Scherr et al. 2020, PLoS ONE 15:e0243219) were tried
    and split irregular cells too often.

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
    threshold = threshold_of(threshold, distance is not None)
    rules = CellRules(min_size, cell_diameter_px, smoothing_px, largest_hole_px, threshold)
    return cells_of(foreground, distance, rules=rules)


def cells_of(foreground: npt.ArrayLike, distance: npt.ArrayLike | None = None, *, rules: CellRules) -> Labels:
    """Label the cells of one plane as `label_cells` does."""
    certainty = np.array(foreground, np.float32)
    mask = certainty >= rules.threshold
    if not mask.any() or mask.all():
        return mask.astype(np.int32)
    sizes = _sizes(ndi.label(mask)[0])[1:]
    rules = rules.seeing(sizes)
    area = rules.area or typical_area(sizes)
    if (largest := rules.largest_hole(area)) > 0:
        holes = _small_holes(mask, largest)
        mask |= holes
        certainty[holes] = 1
    depth = None if distance is None else np.asarray(distance, np.float32)
    basins = find_basins(mask, certainty, depth, rules.sigma(area))
    if rules.area is None:  # the components may have been clumps; what they fall into gives a better measure
        pieces = basins.areas_of(pieces_of(basins, area))[1:]
        pieces = pieces[pieces > 0]
        rules = rules.seeing(pieces)
        area = rules.area or typical_area(pieces)
    return choose_cells(basins, certainty, depth, area, rules)


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
    rules = CellRules(min_size, cell_diameter_px, smoothing_px, largest_hole_px)
    return cells_of_classes(classes, rules, background)


def cells_of_classes(classes: npt.ArrayLike, rules: CellRules, background: int = 0) -> Labels:
    """Label the objects of each class of one plane as `label_classes` does."""
    values = np.asarray(classes)
    labels = np.zeros(values.shape, np.int32)
    for value in np.setdiff1d(values, background):
        own = cells_of(values == value, rules=rules)
        free = (own > 0) & ((values == value) | (values == background)) & (labels == 0)
        labels[free] = own[free] + labels.max()
    return labels


def find_basins(mask: Mask, certainty: Floats, depth: Floats | None, sigma: float) -> Basins:
    """Find the basins of the landscape.

    It is the smoothed distance to the background, lower where the network is less certain or sees no depth; 0 outside.
    """
    heights = depths(mask) * np.where(mask, certainty, 0) ** 2
    if depth is not None:
        heights *= np.sqrt(np.clip(depth, SHALLOWEST, 1))
    return Basins.of(np.where(mask, ndi.gaussian_filter(heights, sigma), np.float32(0)), mask, depth)


def pieces_of(basins: Basins, area: float) -> Ints:
    """What the foreground falls into at its necks, for typical cells of about this area; see `Basins.merge`."""
    return basins.merge(NECK_DEPTH * radius_of(area))


def choose_cells(
    basins: Basins, certainty: Floats, depth: Floats | None, area: float, rules: CellRules, among: Mask | None = None
) -> Labels:
    """Join basins to cells and drop what is none, for typical cells of this area; `among` some of the basins only."""
    cells = basins.merge(NECK_DEPTH * radius_of(area), SMALLEST_PIECE * area, area)
    kept = basins.areas_of(cells) >= rules.least(area)
    if depth is not None:
        kept &= _is_deep(basins, cells, depth) & _is_certain(basins, cells, certainty, rules.threshold)
    kept[0] = False
    if among is not None:
        kept &= among
    return np.where(kept, np.cumsum(kept), 0).astype(np.int32)[cells].take(basins.labels)


def _is_deep(basins: Basins, cells: Ints, depth: Floats) -> Mask:
    """Of each cell, whether the network sees a cell's depth somewhere inside."""
    deep = np.zeros(len(cells), bool)
    deep[cells[basins.labels[depth >= SHALLOW]]] = True
    return deep


def _is_certain(basins: Basins, cells: Ints, certainty: Floats, threshold: float) -> Mask:
    """Of each cell, whether its mean probability lies well above the threshold."""
    a_basin = np.bincount(basins.labels.ravel(), certainty.ravel(), len(cells))
    total = np.bincount(cells, a_basin, len(cells))
    return np.asarray(total >= (threshold + DOUBT * (1 - threshold)) * basins.areas_of(cells))


def _small_holes(mask: Mask, largest: float) -> Mask:
    """Background components of at most `largest` pixels that do not reach the border of the image."""
    holes, _ = ndi.label(~mask, np.ones((3, 3)))
    small = _sizes(holes) <= largest
    small[[0, *np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))]] = False
    return np.asarray(small[holes])


def _sizes(labels: Labels) -> Ints:
    """Pixels of each id, 0 included."""
    return np.bincount(labels.ravel())

"""Annotation as a person would paint it, from true labels: for demos, docs and tests."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi
from skimage.draw import line
from skimage.segmentation import find_boundaries

from napari_annotrain.data.annotation import BACKGROUND, NOT_ANNOTATED

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint16]


def strokes(labels: npt.NDArray[np.integer], n_cells: int = 6, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Annotate a plane the way a hurried person does: a few strokes, none wrong, the rest left open.

    Strokes are 3 or 5 pixels wide. They lie inside some cells, in the open background, and along the narrow gaps
    between cells, which are what a network must learn to keep apart.

    Parameters
    ----------
    labels
        True cells, (Y, X), 0 the background.
    n_cells
        Cells that get a stroke; as many strokes are drawn in the background and at most as many in gaps.

    Returns
    -------
    Annotation for the target ``classes``, (Y, X): 0 not annotated, 1 background, 2 cell.
    """
    rng = np.random.default_rng(seed)
    annotation = np.full(labels.shape, NOT_ANNOTATED, np.uint8)
    inner = _distance(_touching_apart(labels)) > 2
    ids = np.unique(labels[inner])
    for cell in rng.permutation(ids)[:n_cells]:
        area = np.argwhere(inner & (labels == cell))
        stroke = _brush(rng, labels.shape, rng.choice(area, min(3, len(area)), replace=False))
        annotation[stroke & (labels == cell)] = BACKGROUND + 1
    far = _distance(labels == 0) > 3
    starts = np.argwhere(far)
    for start in rng.choice(starts, min(n_cells, len(starts)), replace=False):
        step = rng.normal(0, 0.04 * min(labels.shape), 2)
        bent = step + rng.normal(0, 0.015 * min(labels.shape), 2)
        stroke = _brush(rng, labels.shape, np.stack([start, start + step, start + step + bent]))
        annotation[stroke & far] = BACKGROUND
    gaps, n_gaps = ndi.label(_gaps(labels), np.ones((3, 3)))
    chosen = rng.permutation(np.arange(1, n_gaps + 1))[:n_cells]
    annotation[ndi.binary_dilation(np.isin(gaps, chosen), np.ones((3, 3))) & (labels == 0)] = BACKGROUND
    return annotation


def painted_cells(labels: npt.NDArray[np.integer], n: int = 10, seed: int = 0) -> Labels:
    """Annotate a plane cell by cell: some neighbours painted whole, with a ring of background around them.

    Parameters
    ----------
    labels
        True cells, (Y, X), 0 the background.
    n
        Cells to paint.

    Returns
    -------
    Annotation for the target ``cells``, (Y, X): 0 not annotated, 1 background, 2, 3, ... one value a cell.
    """
    rng = np.random.default_rng(seed)
    annotation = np.full(labels.shape, NOT_ANNOTATED, np.uint16)
    ids = np.setdiff1d(labels, 0)
    if len(ids) == 0:
        return annotation
    centres = np.array(ndi.center_of_mass(labels > 0, labels, ids))
    nearest = np.argsort(np.linalg.norm(centres - centres[rng.integers(len(ids))], axis=1), kind="stable")
    for value, cell in enumerate(ids[nearest[:n]], BACKGROUND + 1):
        annotation[labels == cell] = value
    ring = (_distance(annotation == NOT_ANNOTATED) <= 5) & (labels == 0)
    annotation[ring] = BACKGROUND
    return annotation


def _distance(mask: Mask) -> Floats:
    """Distance in pixels to the nearest pixel outside of the mask; infinite where there is none."""
    return np.asarray(ndi.distance_transform_edt(mask)) if not mask.all() else np.full(mask.shape, np.inf)


def _touching_apart(labels: npt.NDArray[np.integer]) -> Mask:
    return np.asarray((labels > 0) & ~find_boundaries(labels, mode="inner"))


def _gaps(labels: npt.NDArray[np.integer]) -> Mask:
    """Background pixels halfway between two cells that lie at most about 8 pixels apart."""
    distance, (y, x) = ndi.distance_transform_edt(labels == 0, return_indices=True)
    return np.asarray(find_boundaries(labels[y, x], mode="inner") & (labels == 0) & (distance <= 4))


def _brush(rng: np.random.Generator, shape: tuple[int, ...], points: Floats) -> Mask:
    """Draw a line through (y, x) points, 3 or 5 pixels wide, cut to (Y, X)."""
    path = np.zeros(shape, bool)
    corners = np.clip(np.round(points).astype(int), 0, np.array(shape) - 1)
    for start, end in pairwise(corners):
        path[line(*start, *end)] = True
    return np.asarray(
        ndi.binary_dilation(path, ndi.generate_binary_structure(2, 1), iterations=int(rng.integers(1, 3)))
    )

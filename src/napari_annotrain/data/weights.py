"""Annotation to what the network learns: a target class and a weight for every annotated pixel."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.data.annotation import BACKGROUND, NOT_ANNOTATED, Labels
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import Target, WeightSpec

#: Target of a pixel that is not annotated; the loss ignores it.
IGNORE = -1
TargetMap = npt.NDArray[np.int16]
WeightMap = npt.NDArray[np.float32]
DistanceMap = npt.NDArray[np.float32]
#: The extra weight is taken as 0 where d1 + d2 exceeds this many sigma (exp(-4.5) = 0.01).
FAR_SIGMAS = 3.0
#: Deeper inside a cell than this, in px, the distance to its border counts as complete.
DEEP_PX = 10.0
#: More annotation values than this are cells, not classes.
MOST_CLASSES = 255


def annotated_values(labels: Iterable[Labels], target: Target) -> list[int]:
    """Annotation values that occur, ascending.

    Raises
    ------
    AnnotrainError
        They are too many for classes.
    """
    values = sorted({int(v) for area in labels for v in np.unique(area)} - {NOT_ANNOTATED})
    if target != "cells" and len(values) > MOST_CLASSES:
        raise AnnotrainError(
            f"The annotation has {len(values)} different values: to learn separate cells choose the target cells."
        )
    return values


def target_and_borders(
    labels: Labels, target: Target, values: Sequence[int], spec: WeightSpec
) -> tuple[TargetMap, WeightMap]:
    """What is learnt at every pixel, and its border weight.

    Parameters
    ----------
    labels
        (Y, X) annotation.
    values
        Annotation values of the classes, ascending; not used for cells.
    """
    if target == "cells":
        goal = cell_targets(labels)
        return goal, cell_borders(labels, goal, spec)
    goal = class_targets(labels, values)
    return goal, class_borders(goal, len(values), spec)


def class_targets(labels: Labels, values: Sequence[int]) -> TargetMap:
    """Index of each pixel's class in `values` (annotation values, ascending); IGNORE where not annotated."""
    index = np.minimum(np.searchsorted(values, labels), len(values) - 1)
    return np.where(np.asarray(values)[index] == labels, index, IGNORE).astype(np.int16)


def cell_targets(labels: Labels) -> TargetMap:
    """0 for background, 1 inside cells, IGNORE where not annotated; between touching cells one pixel is background.

    The gap follows the preparation of the training masks of Ronneberger et al. 2015 (section 3): touching cells
    are told apart by a thin ridge of background, which the border weights then make the network learn.
    """
    target = np.where(labels > BACKGROUND, 1, 0).astype(np.int16)
    target[labels == NOT_ANNOTATED] = IGNORE
    for axis in (0, 1):
        here, there = _neighbours(labels, axis)
        touching = (here != there) & (here > BACKGROUND) & (there > BACKGROUND)
        _neighbours(target, axis)[0][touching] = 0
    return target


def cell_distances(labels: Labels, target: TargetMap) -> DistanceMap:
    """How deep inside its cell each pixel lies: 0 outside, 1 at the deepest place of a small cell or `DEEP_PX` deep.

    The cell distance of Scherr et al. 2020 (PLoS ONE 15:e0243219) is divided by its maximum over the cell, so that
    cells of any size have an equally high summit. Here it also saturates: a large cell of changing width would
    otherwise have a summit at each of its wide places.

    Parameters
    ----------
    labels
        (Y, X) annotation, one value a cell.
    target
        Of `cell_targets`: where 1, inside a cell and not between two that touch.
    """
    inside = target == 1
    if inside.all():  # nothing there to be near to
        return np.ones(labels.shape, np.float32)
    depth = np.asarray(ndi.distance_transform_edt(inside), np.float32)
    _, ids = np.unique(labels, return_inverse=True)
    ids = ids.reshape(labels.shape)
    deepest = np.zeros(ids.max() + 1, np.float32)
    np.maximum.at(deepest, ids[inside], depth[inside])
    return np.where(inside, np.minimum(depth / np.clip(deepest, 1, DEEP_PX)[ids], 1), 0).astype(np.float32)


def border_weights(
    objects: npt.NDArray[np.integer],
    where: npt.NDArray[np.bool_],
    spec: WeightSpec,
    known: npt.NDArray[np.bool_] | None = None,
) -> WeightMap:
    """Extra weight of the gaps: w0 exp(-(d1 + d2)^2 / (2 sigma^2)), equation 2 of Ronneberger et al. 2015.

    Parameters
    ----------
    objects
        (Y, X) object ids, 0 for none.
    where
        (Y, X) pixels that may have a weight: annotated, and not inside an object.
    spec
        `border` is w0, `sigma_px` sigma.
    known
        (Y, X) annotated pixels; given, only those count between two objects that see both across annotation alone:
        two strokes in one cell are no two objects.

    Returns
    -------
    (Y, X) float32; d1 and d2 are the distances in px to the nearest and the second nearest object.
    """
    if spec.border == 0 or not where.any():
        return np.zeros(objects.shape, np.float32)
    far = FAR_SIGMAS * spec.sigma_px
    first = np.full(objects.shape, np.inf, np.float32)
    second = first.copy()
    reach = int(np.ceil(far))
    for index, box in enumerate(ndi.find_objects(objects), 1):
        if box is None:
            continue
        wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
        distance = ndi.distance_transform_edt(objects[wide] != index).astype(np.float32)
        nearer, near = first[wide], second[wide]
        np.minimum(near, np.maximum(nearer, distance), out=near)
        np.minimum(nearer, distance, out=nearer)
    both = np.where(where, first + second, np.inf)
    if known is not None and not known.all():
        both[second > ndi.distance_transform_edt(known)] = np.inf
    weight = spec.border * np.exp(-(both**2) / (2 * spec.sigma_px**2))
    return np.where(both <= far, weight, 0).astype(np.float32)


def class_borders(target: TargetMap, n_classes: int, spec: WeightSpec) -> WeightMap:
    """Border weights between the separate pieces of every class, seen from the pixels of the other classes.

    Only where everything around is annotated (complete regions, dense ground truth) are pieces known to be separate.
    """
    weight = np.zeros(target.shape, np.float32)
    known = target != IGNORE
    for index in range(n_classes):
        pieces, _ = ndi.label(target == index)
        np.maximum(weight, border_weights(pieces, known & (target != index), spec, known), out=weight)
    return weight


def cell_borders(labels: Labels, target: TargetMap, spec: WeightSpec) -> WeightMap:
    """Border weights between cells, seen from the annotated background."""
    cells = np.where(target == 1, labels - BACKGROUND, 0)
    ids, cells = np.unique(cells, return_inverse=True)
    cells = cells.reshape(labels.shape) + (0 if ids[0] == 0 else 1)
    return border_weights(cells, target == 0, spec)


def balance_classes(counts: Sequence[int], spec: WeightSpec) -> npt.NDArray[np.float32]:
    """Weight w_c of each class from its number of annotated pixels; the mean over the pixels is 1.

    With `balance` 0 all are 1, with 1 every class counts the same in all.
    """
    n = np.maximum(np.asarray(counts, np.float64), 1)
    weight = (n.sum() / (len(n) * n)) ** spec.balance
    mean: float = (weight * n).sum() / n.sum()
    return np.asarray(weight / mean, np.float32)


def _neighbours(a: npt.NDArray[np.integer], axis: int) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
    """Each pixel and the next one along an axis of a plane, as views."""
    return (a[:-1], a[1:]) if axis == 0 else (a[:, :-1], a[:, 1:])

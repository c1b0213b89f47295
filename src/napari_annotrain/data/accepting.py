"""A prediction becomes annotation: predicted value n is annotation value n + 1, and nothing painted is changed."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.data.annotation import BACKGROUND, NOT_ANNOTATED

Labels = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]
EVERYWHERE = np.ones((3, 3), bool)
#: Width of the ring of background around one accepted object, in px: as wide as a careful brush stroke. It tells the
#: network where the object ends, and is too thin to claim much of what nobody has looked at.
RING_PX = 3


def accept_classes(annotation: Labels, predicted: Labels, where: Mask) -> npt.NDArray[np.int64]:
    """Annotate with predicted classes, background included.

    Parameters
    ----------
    annotation
        (Y, X) annotation values; only what is 0 there is changed.
    predicted
        (Y, X) predicted classes, 0 the background.
    where
        (Y, X) the part that is accepted.

    Returns
    -------
    The new annotation, (Y, X).
    """
    open_ = where & (annotation == NOT_ANNOTATED)
    return np.where(open_, predicted.astype(np.int64) + 1, annotation.astype(np.int64))


def accept_cells(annotation: Labels, predicted: Labels, where: Mask, next_id: int) -> npt.NDArray[np.int64]:
    """Annotate with predicted cells, background included.

    What the user has painted is respected, and understood::

        predicted       painted        accepted
        5 5 5 5 5       . . . . .      9 9 9 9 9     nothing painted: the next free id
        5 5 5 5 5       . 2 2 . .      2 2 2 2 2     one cell painted in it: the rest of it
        5 5 6 6 6       2 2 2 . .      2 2 2 9 9     which spills into the next: that is a cell of its own
        5 5 5 5 5       . 2 . 3 .      . 2 . 3 .     two cells: the model is wrong, the rest stays open
        5 5 5 5 5       . . 1 . .      9 9 1 10 10   cut in two by background: two cells

    A painted cell spills where more of it lies elsewhere, in another predicted cell or on what is predicted as
    background; but where it fills half of a predicted cell or more, the rest is no cell of its own, and joins it.

    Parameters
    ----------
    annotation
        (Y, X) cell ids, 1 the background; only what is 0 there is changed.
    predicted
        (Y, X) predicted cells, 0 the background.
    where
        (Y, X) the part that is accepted. What lies around it helps to tell which cell is painted already.
    next_id
        Above all ids of the annotation.

    Returns
    -------
    The new annotation, (Y, X).
    """
    accepted = annotation.astype(np.int64)
    open_ = annotation == NOT_ANNOTATED
    accepted[where & open_ & (predicted == 0)] = BACKGROUND
    at_home = _at_home(annotation, predicted)
    lowest = int(predicted[predicted > 0].min(initial=np.iinfo(np.int32).max))
    for number, box in enumerate(ndi.find_objects(np.maximum(predicted.astype(np.int64) - (lowest - 1), 0))):
        if box is None:
            continue
        cell = predicted[box] == number + lowest
        free = cell & where[box] & open_[box]
        if not free.any():
            continue
        painted, n_px = np.unique(annotation[box][cell & (annotation[box] > BACKGROUND)], return_counts=True)
        if len(painted) > 1:
            continue
        if len(painted) and ((int(painted[0]), number + lowest) in at_home or 2 * n_px[0] >= cell.sum()):
            accepted[box][free] = painted[0]
        else:
            pieces, n = ndi.label(free, EVERYWHERE)
            accepted[box][free] = pieces[free] + (next_id - 1)
            next_id += n
    return accepted


def _at_home(annotation: Labels, predicted: Labels) -> set[tuple[int, int]]:
    """Painted cells with that predicted cell, or 0, which holds the most of them; with several that hold as much."""
    painted = annotation > BACKGROUND
    ids, which = np.unique(annotation[painted], return_inverse=True)
    numbers, where = np.unique(predicted[painted], return_inverse=True)
    pairs, n_px = np.unique(which * len(numbers) + where, return_counts=True)
    which, where = np.divmod(pairs, max(len(numbers), 1))
    most = np.zeros(len(ids), int)
    np.maximum.at(most, which, n_px)
    home = n_px == most[which]
    return set(zip(ids[which[home]].tolist(), numbers[where[home]].tolist(), strict=True))


def accept_object(
    annotation: Labels, predicted: Labels, seed: tuple[int, int], cells: bool, next_id: int
) -> npt.NDArray[np.int64]:
    """Annotate with one predicted object, and with a thin ring of background around it (`RING_PX`).

    Parameters
    ----------
    predicted
        (Y, X) predicted cells or classes; of classes the object is what hangs together around `seed`.
    seed
        (y, x) of a pixel of the object, in px.

    Returns
    -------
    The new annotation, (Y, X); the same where there is no object at `seed`.
    """
    value = predicted[seed]
    if value == 0:
        return annotation.astype(np.int64)
    whole = predicted == value
    if not cells:
        parts, _ = ndi.label(whole, EVERYWHERE)
        whole = parts == parts[seed]
    ring = ndi.binary_dilation(whole, EVERYWHERE, iterations=RING_PX) & (predicted == 0)
    accept = accept_cells(annotation, predicted, whole, next_id) if cells else None
    accepted = accept_classes(annotation, predicted, whole) if accept is None else accept
    accepted[ring & (annotation == NOT_ANNOTATED)] = BACKGROUND
    return accepted

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
        5 5 5 5 5       . 2 . 3 .      . 2 . 3 .     two cells: the model is wrong, the rest stays open
        5 5 5 5 5       . . 1 . .      9 9 1 10 10   cut in two by background: two cells

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
    lowest = int(predicted[predicted > 0].min(initial=np.iinfo(np.int32).max))
    for number, box in enumerate(ndi.find_objects(np.maximum(predicted.astype(np.int64) - (lowest - 1), 0))):
        if box is None:
            continue
        cell = predicted[box] == number + lowest
        free = cell & where[box] & open_[box]
        if not free.any():
            continue
        painted = np.unique(annotation[box][cell & (annotation[box] > BACKGROUND)])
        if len(painted) == 1:
            accepted[box][free] = painted[0]
        elif len(painted) == 0:
            pieces, n = ndi.label(free, EVERYWHERE)
            accepted[box][free] = pieces[free] + (next_id - 1)
            next_id += n
    return accepted


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

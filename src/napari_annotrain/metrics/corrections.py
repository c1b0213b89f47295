"""How much of what somebody looked at had to be corrected: a model measured where it was not trained."""

import numpy as np
import numpy.typing as npt

from napari_annotrain.metrics.overlaps import count_overlaps

#: Annotation values: what is not annotated, and background. A class or cell n has the value n + 1.
NOT_ANNOTATED, BACKGROUND = 0, 1
Labels = npt.NDArray[np.integer]


def count_corrections(before: Labels, now: Labels, predicted: Labels, cells: bool) -> tuple[int, int]:
    """Count the pixels that are newly annotated, and those of them at which a prediction was wrong.

    Parameters
    ----------
    before, now
        Annotation of one place when the model that predicted was trained, and now; equal shapes.
    predicted
        What the model predicted there: 0 background, n class or cell n.
    cells
        Each annotated cell is compared with the predicted one that covers it best, each of them at most once; what
        lies in others was wrongly split, merged or left out. Else classes are compared pixel by pixel.

    Returns
    -------
    Newly annotated pixels, and the wrong ones among them.
    """
    new = (now != before) & (now != NOT_ANNOTATED)
    n_new = int(new.sum())
    if not n_new:
        return 0, 0
    annotated, predicted = now[new].astype(np.int64) - BACKGROUND, predicted[new].astype(np.int64)
    if not cells:
        return n_new, int((annotated != predicted).sum())
    n_right = int(((annotated == 0) & (predicted == 0)).sum())
    found, true, n, found_ids, true_ids = count_overlaps(predicted, annotated)
    taken: tuple[set[int], set[int]] = (set(), set())
    for i in np.argsort(-n, kind="stable"):
        pair = int(found[i]), int(true[i])
        if found_ids[pair[0]] == 0 or true_ids[pair[1]] == 0 or pair[0] in taken[0] or pair[1] in taken[1]:
            continue
        taken[0].add(pair[0])
        taken[1].add(pair[1])
        n_right += int(n[i])
    return n_new, n_new - n_right

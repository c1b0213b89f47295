from pathlib import Path
from typing import Any

import numpy as np

from napari_annotrain import metrics
from napari_annotrain.api.sources import Source, is_path, one_stack
from napari_annotrain.data.pairs import pair_files, stem
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Note, OnEvent


def evaluate(
    prediction: Source, truth: Source, kind: str = "cells", min_size: int = 0, on_event: OnEvent | None = None
) -> dict[str, Any]:
    """Compare predicted labels with ground truth (0 = background).

    Parameters
    ----------
    prediction, truth
        Label arrays of equal shape, paths of files, or folders whose stems match.
    kind
        ``"cells"``: objects. ``"classes"``: pixels.
    min_size
        Objects of fewer pixels are ignored on both sides (cells only).
    on_event
        Called with a `Note` on files that have no partner.

    Returns
    -------
    ``{"images": {name: scores}, "mean": scores, "pooled": scores}``, see `napari_annotrain.metrics`.

    Raises
    ------
    AnnotrainError
        Shapes differ, a file cannot be read, nothing matches, or the kind is not known.
    """
    if kind not in ("cells", "classes"):
        raise AnnotrainError(f"'{kind}' cannot be compared: choose cells or classes.")
    if min_size < 0:
        raise AnnotrainError("The least size of objects is negative: give 0 or more pixels.")
    if is_path(prediction) and is_path(truth):
        files, notes = pair_files(prediction, truth, ("prediction", "truth"))
        pairs = [(stem(p), p, t) for p, t in files]
        tell = on_event or (lambda event: None)
        for text in notes:
            tell(Note(text))
    else:
        pairs = [("image", prediction, truth)]
    return metrics.summarise({name: _compare(name, p, t, kind, min_size) for name, p, t in pairs})


def _compare(name: str, prediction: Source, truth: Source, kind: str, min_size: int) -> Any:
    a, b = (_labels(source) for source in (prediction, truth))
    if a.shape != b.shape:
        raise AnnotrainError(
            f"The prediction of {name} is {' x '.join(map(str, a.shape))} but its truth is "
            f"{' x '.join(map(str, b.shape))}: compare images of equal size."
        )
    return metrics.count_cells(a, b, min_size) if kind == "cells" else metrics.count_classes(a, b)


def _labels(source: Source) -> np.ndarray[Any, np.dtype[Any]]:
    stack = one_stack(Path(source) if is_path(source) else source, None, "labels")
    return np.asarray(stack.array[...])

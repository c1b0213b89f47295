from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_annotrain import metrics
from napari_annotrain.api.failures import Failures, left_out
from napari_annotrain.api.sources import Source, is_path, one_stack
from napari_annotrain.data.ctc import slice_index
from napari_annotrain.data.pairs import pair_files, stem
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Note, OnEvent


def evaluate(
    prediction: Source, truth: Source, kind: str = "cells", min_size: int = 0, on_event: OnEvent | None = None
) -> dict[str, Any]:
    """Compare predicted labels (0 = background) or images with ground truth.

    Parameters
    ----------
    prediction, truth
        Label or image arrays of equal shape, paths of files, or folders whose stems match. Results and truth of the
        Cell Tracking Challenge match by their frame numbers (see `data.ctc`).
    kind
        ``"cells"``: objects. ``"classes"``: pixels. ``"image"``: PSNR (dB), SSIM, MAE and MSE.
    min_size
        Objects of fewer pixels are ignored on both sides (cells only).
    on_event
        Called with a `Note` on files that have no partner, or cannot be compared with it.

    Returns
    -------
    ``{"images": {name: scores}, "mean": scores, "pooled": scores}``, see `napari_annotrain.metrics`.

    Raises
    ------
    AnnotrainError
        Shapes differ, a file cannot be read, nothing matches, or the kind is not known.
    PartlyDone
        In folders, the same for some of the files; `result` holds the scores of the others.
    """
    if kind not in ("cells", "classes", "image"):
        raise AnnotrainError(f"'{kind}' cannot be compared: choose cells, classes or image.")
    if min_size < 0:
        raise AnnotrainError("The least size of objects is negative: give 0 or more pixels.")
    if not (is_path(prediction) and is_path(truth)):
        return metrics.summarise({"image": _compare("image", prediction, truth, kind, min_size)})

    def note(text: str) -> None:
        if on_event:
            on_event(Note(text))

    pairs, notes = pair_files(prediction, truth, ("prediction", "truth"))
    for text in notes:
        note(text)
    if len(pairs) == 1:
        return metrics.summarise({_name(*pair): _compare(_name(*pair), *pair, kind, min_size) for pair in pairs})
    return _compare_all(pairs, kind, min_size, note)


def _compare_all(
    pairs: Sequence[tuple[Path, Path]], kind: str, min_size: int, note: Callable[[str], None]
) -> dict[str, Any]:
    failures = Failures(note)
    counts = {}
    for prediction, truth in pairs:
        name = _name(prediction, truth)
        with failures.noting(prediction.name):
            counts[name] = _compare(name, prediction, truth, kind, min_size)
    sentence = left_out(failures.names, len(pairs), "pairs could not be compared")
    if not counts:
        raise AnnotrainError(sentence)
    scores = metrics.summarise(counts)
    if failures.names:
        raise PartlyDone(sentence, scores)
    return scores


def _name(prediction: Path, truth: Path) -> str:
    """Name of a pair among the scores; a stack can be compared with several slices of truth."""
    z = slice_index(truth)
    return stem(prediction) if z is None else f"{stem(prediction)} slice {z}"


def _compare(name: str, prediction: Source, truth: Source, kind: str, min_size: int) -> Any:
    if kind == "image":
        return _compare_images(name, prediction, truth)
    found, true = (_labels(source) for source in (prediction, truth))
    z = slice_index(truth) if is_path(truth) else None
    if z is not None and len(found.shape) == len(true.shape) + 1:
        if z >= found.shape[0]:
            raise AnnotrainError(
                f"The prediction of {name} has only {found.shape[0]} slices, counted from 0: "
                "choose the truth of the same stack."
            )
        found = found[z]
    if found.shape != true.shape:
        raise AnnotrainError(
            f"The prediction of {name} is {' x '.join(map(str, found.shape))} but its truth is "
            f"{' x '.join(map(str, true.shape))}: compare images of equal size."
        )
    a, b = (np.asarray(array[...]) for array in (found, true))
    return metrics.count_cells(a, b, min_size) if kind == "cells" else metrics.count_classes(a, b)


def _compare_images(name: str, prediction: Source, truth: Source) -> metrics.ImageCounts:
    found, true = (one_stack(source, None, name) for source in (prediction, truth))
    if tuple(found.array.shape) == tuple(true.array.shape):
        found = Stack(found.array, true.axes, found.name)
    if found.shape != true.shape:
        raise AnnotrainError(
            f"The prediction of {name} is {' x '.join(map(str, found.array.shape))} but its truth is "
            f"{' x '.join(map(str, true.array.shape))}: compare images of equal size."
        )
    whole = tuple(slice(0, n) for n in true.shape[2:])
    pairs = ((found.read(t, whole), true.read(t, whole)) for t in range(true.shape[0]))  # type: ignore[arg-type]
    a, b = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
    return metrics.count_images(a, b)


def _labels(source: Source) -> Any:
    stack = one_stack(source, None, "labels", labels=True)
    if is_path(source) and stack.axes.endswith("C") and stack.n_channels > 1:
        raise AnnotrainError(
            f"{source} has {stack.n_channels} channels: save it as a label image with one value a pixel."
        )
    return stack.array

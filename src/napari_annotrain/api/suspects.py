from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from napari_annotrain.api.outcome import result_of
from napari_annotrain.api.piecewise import measure_normalisation
from napari_annotrain.api.prediction import predict_spec
from napari_annotrain.api.sources import Source, annotated_image
from napari_annotrain.api.sureness import Window, classes_of, iter_probabilities, windows_of
from napari_annotrain.data.annotation import NOT_ANNOTATED, AnnotatedImage, Labels
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.events import Done, Event, OnEvent, Searched
from napari_annotrain.inference.segment import check_channels
from napari_annotrain.metrics.suspects import AGAINST, Suspect, judge, pieces
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec
from napari_annotrain.store.models import load_model

#: So many are given.
MOST_SUSPECTS = 20


def find_suspects(
    model: Model | str | Path,
    image: Source,
    annotation: Source,
    target: str = "classes",
    most: int = MOST_SUSPECTS,
    device: str = "auto",
    axes: str | None = None,
    on_event: OnEvent | None = None,
) -> list[Suspect]:
    """Find what was painted and a model disagrees with most: slips of the brush, or what it has yet to learn.

    Strokes are what hangs together in one value in a plane; their score is the mean cross-entropy of the model on
    their pixels (labels ranked by loss, as in Northcutt, Jiang and Chuang 2021). Large ones are judged in pieces
    (`metrics.suspects.pieces`), and what reaches out of a window of 1024 px in its parts.

    Parameters
    ----------
    model
        A `Model`, the path of a model file, or the name of a shipped one.
    image, annotation
        Arrays or files.
    target
        ``"classes"`` or ``"cells"``: what the values of the annotation are.
    most
        So many at most.
    device, axes, on_event
        As in `predict`.

    Returns
    -------
    Those to which the model gives less than one half on (geometric) average, worst first.

    Raises
    ------
    AnnotrainError
        Bad input, or a model that knows only one class.
    """
    known = model if isinstance(model, Model) else load_model(model)
    painted = annotated_image(image, annotation, axes, dense=False)
    run = iter_suspects(known, painted, target == "cells", spec=predict_spec(device=device), most=most)
    found: list[Suspect] = result_of(run, on_event) or []
    return found


def iter_suspects(
    model: Model,
    annotated: AnnotatedImage,
    cells: bool,
    *,
    spec: PredictSpec | None = None,
    normalisation: Normalisation | None = None,
    most: int = MOST_SUSPECTS,
) -> Generator[Event]:
    """Search as `find_suspects` does: `Searched` after each window with the worst so far, then `Done` with all.

    What a complete region leaves unpainted counts as nothing here: nobody painted it.
    """
    stack = annotated.stack
    check_channels(model, stack)
    painted = replace(annotated, regions=())
    windows = list(_painted_windows(painted))
    known = normalisation or measure_normalisation(model, stack)
    values = classes_of(model)
    worst: list[Suspect] = []
    n_t, _, n_z, _, _ = stack.shape
    with closing(iter_probabilities(model, stack, known, spec or PredictSpec(), windows)) as found:
        for done, ((t, z, box), probabilities) in enumerate(found, 1):
            labels = _read(painted, (t, z, box))
            for value, inner, mask in pieces(labels, cells):
                index = _index(value, values, cells or model.card.target == "cells")
                if index is None:
                    continue
                loss, seen, share = judge(mask, probabilities[(slice(None), *inner)], index)
                if loss > AGAINST:
                    y, x = (slice(b.start + i.start, b.start + i.stop) for b, i in zip(box, inner, strict=True))
                    worst.append(Suspect(t, z, (y, x), value, mask, loss, values[seen], share, n_z, n_t))
            worst = sorted(worst, key=lambda one: -one.disagreement)[:most]
            yield Searched(done, len(windows), tuple(worst))
    yield Done(worst)


def _index(value: int, values: tuple[int, ...], single_cells: bool) -> int | None:
    """Channel of an annotation value; None for a class that the model does not know."""
    if single_cells:  # any cell is inside of cells: all a model says of one
        value = min(value, 2)
    return values.index(value) if value in values else None


def _painted_windows(painted: AnnotatedImage) -> Iterator[Window]:
    n_t, _, n_z, height, width = painted.stack.shape
    for t in range(n_t):
        for z in range(n_z):
            if painted.may_be_annotated(t, z):
                yield from _around_paint(painted, t, z, (height, width))


def _around_paint(painted: AnnotatedImage, t: int, z: int, shape: tuple[int, int]) -> Iterator[Window]:
    """The windows of a plane in which something is painted, cut to that."""
    for box in windows_of(shape):
        used = _read(painted, (t, z, box)) != NOT_ANNOTATED
        rows, columns = used.any(1).nonzero()[0], used.any(0).nonzero()[0]
        if rows.size:
            y, x = (
                slice(int(s.start + i[0]), int(s.start + i[-1]) + 1) for s, i in zip(box, (rows, columns), strict=True)
            )
            yield t, z, (y, x)


def _read(painted: AnnotatedImage, window: Window) -> Labels:
    t, z, box = window
    return painted.plane(t, z, box)

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.api.outcome import result_of
from napari_annotrain.api.piecewise import measure_normalisation
from napari_annotrain.api.prediction import predict_spec
from napari_annotrain.api.sources import Source, annotated_image, one_stack
from napari_annotrain.api.sureness import WINDOW_PX, Window, coarse_order, iter_probabilities, windows_of
from napari_annotrain.data.annotation import NOT_ANNOTATED, AnnotatedImage
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Event, OnEvent, Searched
from napari_annotrain.inference.segment import check_channels
from napari_annotrain.metrics.doubt import BLOCK_PX, Blocks, Doubt, worst_apart
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec
from napari_annotrain.store.models import load_model

#: So many pixels are looked at, in a coarse order, where an image has more: half a minute on a laptop.
MOST_PIXELS = 64 * WINDOW_PX**2
#: So many places are kept of each plane while the search goes on, and given in the end.
KEPT, MOST_PLACES = 60, 20


def where_next(
    model: Model | str | Path,
    image: Source,
    annotation: Source = None,
    most: int = MOST_PLACES,
    most_pixels: int = MOST_PIXELS,
    device: str = "auto",
    axes: str | None = None,
    on_event: OnEvent | None = None,
) -> list[Doubt]:
    """Find the places where painting teaches a model most: where it is in doubt and nothing is painted.

    Uncertainty sampling: mean entropy of the class probabilities over blocks of 64 px (Lewis and Gale 1994; entropy as
    in Settles 2009, section 3.1).

    Parameters
    ----------
    model
        A `Model`, the path of a model file, or the name of a shipped one.
    image, annotation
        Arrays or files; without an annotation nothing is painted.
    most
        So many places at most, no two beside each other.
    most_pixels
        Of a larger image, windows spread evenly over it are looked at.
    device, axes, on_event
        As in `predict`.

    Returns
    -------
    The places, most doubtful first; ``str(place)`` says why.

    Raises
    ------
    AnnotrainError
        Bad input, or a model that knows only one class.
    """
    known = model if isinstance(model, Model) else load_model(model)
    stack = one_stack(image, axes)
    annotated = None if annotation is None else annotated_image(stack, annotation, axes, dense=False)
    run = iter_where_next(known, stack, annotated, spec=predict_spec(device=device), most=most, most_pixels=most_pixels)
    found: list[Doubt] = result_of(run, on_event) or []
    return found


def iter_where_next(
    model: Model,
    stack: Stack,
    annotated: AnnotatedImage | None = None,
    *,
    spec: PredictSpec | None = None,
    normalisation: Normalisation | None = None,
    start: tuple[int, int] = (0, 0),
    most: int = MOST_PLACES,
    most_pixels: int = MOST_PIXELS,
) -> Generator[Event]:
    """Search as `where_next` does: `Searched` after each window, with the places so far, then `Done` with all.

    Parameters
    ----------
    start
        (t, z) of the plane to begin with.
    """
    check_channels(model, stack)
    known = normalisation or measure_normalisation(model, stack)
    windows = _windows(stack, start, most_pixels)
    best: list[Doubt] = []
    n_t, _, n_z, height, width = stack.shape
    with closing(iter_probabilities(model, stack, known, spec or PredictSpec(), windows)) as found:
        for done, ((t, z, box), probabilities) in enumerate(found, 1):
            blocks = Blocks((height, width))
            blocks.add(box, probabilities)
            places = blocks.places(_painted_blocks(annotated, t, z, box, (height, width)), t, z, n_t, n_z)
            best = worst_apart([*best, *places], KEPT)
            yield Searched(done, len(windows), tuple(best[:most]))
    yield Done(best[:most])


def is_painted(annotated: AnnotatedImage | None, place: Doubt) -> bool:
    """Whether something was painted at a place since."""
    return annotated is not None and bool((annotated.plane(place.t, place.z, place.box) != NOT_ANNOTATED).any())


def _windows(stack: Stack, start: tuple[int, int], most_pixels: int) -> list[Window]:
    """What is looked at: of planes in a coarse order the first window, then the second, ..., as far as allowed."""
    n_t, _, n_z, height, width = stack.shape
    planes = [divmod(i, n_z) for i in coarse_order(n_t * n_z, start[0] * n_z + start[1])]
    parts = windows_of((height, width))
    order = [(t, z, parts[i]) for i in coarse_order(len(parts)) for t, z in planes]
    chosen: list[Window] = []
    left = max(most_pixels, 1)
    for window in order:
        if left <= 0:
            break
        chosen.append(window)
        y, x = window[2]
        left -= (y.stop - y.start) * (x.stop - x.start)
    return chosen


def _painted_blocks(
    annotated: AnnotatedImage | None, t: int, z: int, box: tuple[slice, slice], shape: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """One value a block of the plane: whether something in it is annotated; looked at in and around a box only."""
    painted = np.zeros([-(-n // BLOCK_PX) for n in shape], bool)
    if annotated is None or not annotated.may_be_annotated(t, z):
        return painted
    wide: Any = tuple(
        slice(max(s.start // BLOCK_PX - 1, 0) * BLOCK_PX, min((-(-s.stop // BLOCK_PX) + 1) * BLOCK_PX, n))
        for s, n in zip(box, shape, strict=True)
    )
    used = annotated.plane(t, z, wide, cells=True) != NOT_ANNOTATED
    edges = [np.arange(0, n, BLOCK_PX) for n in used.shape]
    blocks = np.logical_or.reduceat(np.logical_or.reduceat(used, edges[0], 0), edges[1], 1)
    y, x = (slice(s.start // BLOCK_PX, s.start // BLOCK_PX + n) for s, n in zip(wide, blocks.shape, strict=True))
    painted[y, x] = blocks
    return painted

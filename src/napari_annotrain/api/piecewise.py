"""Prediction piece by piece, as a generator of events."""

from collections.abc import Callable, Generator
from contextlib import closing

from napari_annotrain.data.normalise import Normalisation, is_flat, measure
from napari_annotrain.data.record import Finished
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Event, Region
from napari_annotrain.inference import segment as segmenting
from napari_annotrain.inference.nearest import Look
from napari_annotrain.inference.planes import KeptPlanes
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec


def iter_prediction(
    model: Model,
    stack: Stack,
    *,
    spec: PredictSpec | None = None,
    region: Region | None = None,
    normalisation: Normalisation | None = None,
    kept: KeptPlanes | None = None,
    finished: Finished = segmenting.NOTHING,
    focus: Callable[[], Look] = lambda: None,
    write: segmenting.Write | None = None,
) -> Generator[Event]:
    """Predict as `predict` does, as a generator of events: `Started`, `TileDone`s, `Done`.

    Parameters
    ----------
    region
        (T, Z, Y, X) slices inside the image, in px; None for all of it. The values are those the whole image has.
    normalisation
        From `measure_normalisation`, to measure it once for several regions of an image.
    kept
        Where planes are kept, to tell cells apart again with other `spec.cells` without running the network.
    finished
        Pieces to leave out (`inference.segment.segment`).
    focus
        Where somebody looks, (t, z, y, x) in px: what is there comes first. Asked before every tile.
    write
        Called in another thread with each `TileDone` before it comes; whatever ends the generator, with all that is
        computed.
    """
    if normalisation is None:
        normalisation = measure_normalisation(model, stack)
    settings = segmenting.exact_for(model.card, spec or PredictSpec())
    run = segmenting.segment(model, stack, normalisation, settings, region, kept, finished, focus=focus, write=write)
    with closing(run) as events:
        yield from events
    yield Done(None)


def measure_normalisation(model: Model, stack: Stack) -> Normalisation:
    """Intensity range of an image for a model: measured over all its planes, or that of the training images."""
    card = model.card
    if card.normalise.scope == "training" and card.training_range:
        low, high = zip(*card.training_range, strict=True)
        return Normalisation(low, high, is_flat(stack))
    return measure(stack, card.normalise)

"""What looks through an image with a model, in a thread."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.predict.pieces import Measured
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Event
from napari_annotrain.specs import NetChoices, PredictSpec, TrainSpec
from napari_annotrain.tiles.grid import Box

InUse = Callable[[], bool]


def doubts(
    model: Any,
    stack: Stack,
    annotated: AnnotatedImage | None,
    spec: PredictSpec,
    measured: Measured,
    start: tuple[int, int],
    in_use: InUse,
) -> Iterator[Event]:
    """Look for the places where a model is most in doubt, beginning with a plane (t, z)."""
    api = engine.load()
    try:
        known = measured.of(api, model, stack)
        run = api.iter_where_next(model, stack, annotated, spec=spec, normalisation=known, start=start)
        with closing(api.leave_a_core(run, in_use)) as events:
            yield from events
    finally:
        api.release_memory()


def rate_search(
    images: Sequence[AnnotatedImage],
    target: str,
    preset: str,
    base: Any,
    spec: TrainSpec,
    in_use: InUse,
    net: NetChoices | None = None,
) -> Iterator[Event]:
    """Look for a learning rate, and give the memory back however it ends."""
    api = engine.load()
    try:
        run = api.iter_finding(images, target=target, preset=preset, base=base, spec=spec, net=net)
        with closing(api.leave_a_core(run, in_use)) as events:
            yield from events
    finally:
        api.release_memory()


def suspicions(
    model: Any, annotated: AnnotatedImage, cells: bool, spec: PredictSpec, measured: Measured, in_use: InUse
) -> Iterator[Event]:
    """Look for what was painted and a model disagrees with."""
    api = engine.load()
    try:
        known = measured.of(api, model, annotated.stack)
        run = api.iter_suspects(model, annotated, cells, spec=spec, normalisation=known)
        with closing(api.leave_a_core(run, in_use)) as events:
            yield from events
    finally:
        api.release_memory()


def inside_of(
    model: Any, stack: Stack, spec: PredictSpec, measured: Measured, t: int, z: int, box: Box
) -> Iterator[Event]:
    """Look at the feature maps of a part of a plane: what was looked at, they and the first filters are the result."""
    api = engine.load()
    try:
        known = measured.of(api, model, stack)
        seen, maps = api.look_inside(model, stack, t, z, box, spec, known)
        for level in maps:
            _ = level.most_varied_first  # takes long enough to be felt in the window
        yield Done((seen, maps, api.first_filters(model)))
    finally:
        api.release_memory()

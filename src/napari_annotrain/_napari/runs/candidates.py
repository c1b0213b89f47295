"""What a comparison of networks does in a thread: train them all, and predict the view with each."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.models.comparison import predicted_in
from napari_annotrain._napari.predict.pieces import Measured
from napari_annotrain._napari.runs.events import Made
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Event, Region
from napari_annotrain.specs import PredictSpec


def comparing(
    images: Sequence[AnnotatedImage] | Sequence[PairedImage],
    specs: Mapping[str, Any],
    settings: Mapping[str, Any],
    in_use: Callable[[], bool],
) -> Iterator[Event]:
    """Train all candidates, and give the memory back however it ends."""
    api = engine.load()
    try:
        with closing(api.leave_a_core(api.iter_comparison(images, specs, **settings), in_use)) as events:
            yield from events
    finally:
        api.release_memory()


def predicting(
    models: Mapping[int, Any],
    stack: Stack,
    region: Region,
    spec: PredictSpec,
    measured: Measured,
    in_use: Callable[[], bool],
) -> Iterator[Event]:
    """Predict a region with the model of each candidate, by its number."""
    api = engine.load()

    def run() -> Generator[Event]:
        for k, model in models.items():
            result = yield from predicted_in(model, stack, region, spec, measured)
            yield Made(k, api.output_of(model, spec.output)[0], result)
        yield Done(None)

    try:
        with closing(api.leave_a_core(run(), in_use)) as events:
            yield from events
    finally:
        api.release_memory()

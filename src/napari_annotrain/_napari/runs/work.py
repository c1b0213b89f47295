import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from napari_annotrain._napari import engine
from napari_annotrain._napari.predict.pieces import Piece
from napari_annotrain._napari.runs.events import Advanced, Found, LeftOut, Opened, Previewed, Ready, Weighed
from napari_annotrain._napari.runs.one_image import one_image
from napari_annotrain._napari.viewer import colours
from napari_annotrain._qt.job import sentence
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.border_map import border_map
from napari_annotrain.data.feed import Feed
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import BlockDone, Computed, Done, Event, Note, Region, Step, TileDone
from napari_annotrain.session.export import export_session
from napari_annotrain.session.writer import SessionWriter
from napari_annotrain.specs import NetSpec, PredictSpec, Target, TrainSpec, WeightSpec

#: Longest wait until all of a session is on the disk, before it is packed.
EXPORT_SECONDS = 60.0
log = logging.getLogger("napari_annotrain")
#: A model, what it should predict, and how.
Request = tuple[Any, Sequence[Piece], PredictSpec]


def warm_up() -> Iterator[Event]:
    """Import torch and compile the colours in the background, while the user still looks at the image."""
    api = engine.load()
    api.warm_up()
    colours.warm_up()
    yield Ready(list(api.list_devices()), list(api.base_models()), api.why_no_gpu())


def training(
    images: Sequence[AnnotatedImage] | Sequence[PairedImage],
    target: str,
    preset: str,
    base: Any,
    spec: TrainSpec,
    class_names: Mapping[int, str],
    requests: deque[Request],
    in_use: Callable[[], bool],
    feed: Feed,
    net: NetSpec | None = None,
) -> Iterator[Event]:
    """Train, and give the memory back however it ends; between two steps, predict what is asked for meanwhile.

    Parameters
    ----------
    requests
        Where the window puts what it wants predicted; at most one waits.
    in_use
        Whether somebody works in the window, who is left a core.
    feed
        Brings what is painted meanwhile.
    net
        The network, where it is neither the preset's nor that of the base.
    """
    api = engine.load()

    def run() -> Generator[Event]:
        events = api.iter_training(
            images,
            target=target,
            preset=preset,
            base=base,
            spec=spec,
            class_names=dict(class_names),
            feed=feed,
            net=net,
        )
        with closing(events):
            for event in events:
                yield event
                if requests and isinstance(event, Step):
                    yield from _preview(api, requests.pop(), event.seconds)

    try:
        with closing(api.leave_a_core(run(), in_use)) as events:
            yield from events
    finally:
        api.release_memory()


def _preview(api: Any, request: Request, seconds: float) -> Iterator[Event]:
    """Predict in the middle of a training, which goes on whatever becomes of it."""
    began = time.perf_counter()
    try:
        for event in _pieces(api, *request):
            if isinstance(event, Advanced):
                yield event
    except Exception as error:  # the training goes on
        if not isinstance(error, AnnotrainError):
            log.exception("What the window shows could not be predicted while training.")
            api.release_memory()
        yield Note(f"What you see could not be predicted while training: {sentence(error)}")
    yield Previewed(seconds, time.perf_counter() - began)


def prediction(
    model: Any, pieces: Sequence[Piece], spec: PredictSpec, kept: Any, in_use: Callable[[], bool]
) -> Iterator[Event]:
    """Predict some images one after the other, writing each finished region where it belongs.

    Of several images, one that cannot be predicted is left out. What the network makes of cells is kept in `kept`, and
    taken from there where it is there. Somebody who works in the window (`in_use`) is left a core.
    """
    api = engine.load()
    try:
        with closing(api.leave_a_core(_pieces(api, model, pieces, spec, kept), in_use)) as events:
            yield from events
        for piece in pieces:
            piece.reached.forget(piece.asked(model, spec))
        yield Done(None)
    finally:
        api.release_memory()


def _pieces(api: Any, model: Any, pieces: Sequence[Piece], spec: PredictSpec, kept: Any = None) -> Generator[Event]:
    count = api.output_of(model, spec.output)[0] == "cells"
    n_cells = n_failed = 0
    for i, piece in enumerate(pieces):
        last_id = 0  # of this image: every one starts again from 1
        try:
            for event in one_image(api, i, piece, model, spec, kept):
                match event:
                    case Found():
                        last_id = event.n_cells or 0
                        n_cells, count = n_cells + last_id, count and event.n_cells is not None
                    case TileDone() if count:  # of cells a whole plane, so that none is in two of them
                        ids = np.unique(event.result)
                        n_cells += int(np.count_nonzero(ids))
                    case BlockDone() if count:  # written where nobody sees it; ids run on
                        n_cells, last_id = n_cells + event.last_id - last_id, event.last_id
                if not isinstance(event, TileDone | BlockDone | Computed):
                    yield event
                    continue
                found = n_cells if count else None
                yield Advanced(i, len(pieces), event.done, event.total, found, _written(event))
        except AnnotrainError as error:
            n_failed += 1
            if n_failed == len(pieces):
                raise
            yield LeftOut(i, piece.stack.name, str(error))


def _written(event: TileDone | BlockDone | Computed) -> Region | None:
    match event:
        case TileDone():
            return event.write
        case BlockDone():
            return event.block
    return None


def opening(models: Sequence[tuple[str, Path]]) -> Iterator[Event]:
    """Read the models of a session; one whose file is not there was never written, as the process was killed."""
    api = engine.load()
    for file, path in models:
        if not path.exists():
            continue
        try:
            yield Opened(file, api.load_model(path))
        except AnnotrainError as error:
            yield Note(str(error))
    yield Done(None)


def exporting(writer: SessionWriter, out: Path) -> Iterator[Event]:
    """Pack a session, once all of it is on the disk."""
    if not writer.wait(EXPORT_SECONDS):
        raise AnnotrainError("The session cannot be written at the moment: make room on the disk, then export it.")
    export_session(writer.folder, out, lambda path: engine.load().load_model(path).card.model_dump(mode="json"))
    yield Done(out)


def seam_check(model: Any, stack: Stack, spec: PredictSpec, t: int, z: int) -> Iterator[Event]:
    """Look for seams in one plane; what was found is the result, a sentence."""
    api = engine.load()
    try:
        yield Done(str(api.check_seams(model, stack, spec, t, z)))
    finally:
        api.release_memory()


def border_weights(
    pieces: Sequence[tuple[AnnotatedImage, Sequence[tuple[int, int]]]], target: Target, spec: WeightSpec
) -> Iterator[Event]:
    """Weigh the (t, z) planes of some images, one after the other."""
    for i, (image, planes) in enumerate(pieces):
        for t, z in planes:
            yield Weighed(i, border_map(image, t, z, target, spec))
    yield Done(None)


def augmentation(
    image: AnnotatedImage,
    target: Target,
    spec: TrainSpec,
    plane: tuple[int, int] | None,
    colours: Sequence[tuple[int, int, int]],
) -> Iterator[Event]:
    """Deform an annotated place as training would; the pictures are the result."""
    yield Done(engine.load().preview_deformed(image, target, spec, plane=plane, colours=colours))

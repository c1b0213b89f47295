"""Prediction on a cluster, cut into blocks."""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import product
from math import prod
from pathlib import Path

from platformdirs import user_cache_path

from napari_annotrain.api.under_way import UnderWay, begin, identity, ids_of
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.record import Finished, piece_of
from napari_annotrain.data.stack import Stack, take
from napari_annotrain.events import BlockDone, Done, Event, Region, TileDone
from napari_annotrain.inference.distributed import Work, check_address, run_blocks
from napari_annotrain.inference.segment import NOTHING
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: Side of the blocks, about.
BLOCK_PX = 2048


def iter_on_cluster(
    model: Model,
    stack: Stack,
    *,
    spec: PredictSpec,
    normalisation: Normalisation | None = None,
    finished: Finished = NOTHING,
) -> Generator[Event]:
    """Predict on the cluster `spec.scheduler`, as a generator of events: `Started`, `TileDone`s, `Done`.

    Blocks pass through the user's cache folder, which the workers must see; those that are `finished` are left out.
    """
    check_address(spec.scheduler)
    run = identity(model, stack, spec)
    place = user_cache_path("napari-annotrain", ensure_exists=True)
    with tempfile.TemporaryDirectory(prefix="blocks-", dir=place, ignore_cleanup_errors=True) as folder:
        way = begin(run, model, stack, spec, Path(folder) / "result.zarr", False, normalisation)
        way.filling.finished = finished
        with closing(_run_blocks(way)) as events:
            for event in events:
                if isinstance(event, BlockDone):
                    values = take(way.filling.level, way.filling.axes, event.block)
                    event = TileDone(event.block, values, event.done, event.total)
                yield event
    yield Done(None)


def iter_blocks(way: UnderWay) -> Generator[Event]:
    """Predict on a cluster, whose workers write: `Started`, `BlockDone`s, each of which is noted."""
    with closing(_run_blocks(way)) as events:
        for event in events:
            if isinstance(event, BlockDone):
                way.filling.note(event.block, event.last_id)
            yield event


def _run_blocks(way: UnderWay) -> Generator[Event]:
    """The events of the blocks that are not finished."""
    n_t, _, n_z, *plane = way.stack.shape
    ids = ids_of(plane) if way.cells else 0
    side = max(plane) if way.by_plane else _block_side(int(way.spec.tile))
    finished = way.filling.finished.pieces
    todo = (block for block in _blocks((n_t, n_z, plane[0], plane[1]), side) if piece_of(block) not in finished)
    total = n_t * n_z * prod(-(-n // side) for n in plane)
    store = way.filling.store.absolute()
    work = Work(way.model, way.stack, way.normalisation, way.spec, store, way.filling.axes, ids, way.filling.path)
    return run_blocks(way.spec.scheduler, work, todo, total, len(finished))


def _blocks(shape: tuple[int, int, int, int], side: int) -> Iterator[Region]:
    """Regions of at most `side` pixels along Y and X that make up a (T, Z, Y, X) result."""
    n_t, n_z, height, width = shape
    for t, z, y, x in product(range(n_t), range(n_z), range(0, height, side), range(0, width, side)):
        yield slice(t, t + 1), slice(z, z + 1), slice(y, min(y + side, height)), slice(x, min(x + side, width))


def _block_side(core: int) -> int:
    """Side of a block of whole tiles, about `BLOCK_PX`."""
    return core * max(1, round(BLOCK_PX / core))

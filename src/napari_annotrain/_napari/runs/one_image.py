"""One image is predicted into its canvas in the memory, or onto the disk, from where an interrupted run stopped."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy.typing as npt
from platformdirs import user_data_path

from napari_annotrain._napari.annotate.cell_ids import Write
from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.predict.pieces import Piece
from napari_annotrain._napari.runs.events import Found, Measuring
from napari_annotrain.data.record import Finished
from napari_annotrain.events import BlockDone, Done, Event, Region, TileDone
from napari_annotrain.specs import PredictSpec

#: Measuring the intensity range of more pixels takes long enough to be told.
LARGE_IMAGE = 1 << 24


def predictions_folder() -> Path:
    """Where results lie that are too large for the memory."""
    return user_data_path("napari-annotrain") / "predictions"


def one_image(api: Any, index: int, piece: Piece, model: Any, spec: PredictSpec, kept: Any) -> Iterator[Event]:
    """Predict the image of a piece, and write; the events of the engine without the last one, after `Found`."""
    if piece.on_disk:
        if kept is not None:
            kept.gave_up = True  # it would not fit
        yield from _onto_disk(api, index, piece, model, spec)
    else:
        yield from _into_memory(api, index, piece, model, spec, kept)


def _into_memory(api: Any, index: int, piece: Piece, model: Any, spec: PredictSpec, kept: Any) -> Iterator[Event]:
    yield from _measuring(piece, model)
    known = piece.measured.of(api, model, piece.stack)
    cells = api.output_of(model, spec.output)[0] == "cells"
    asked = piece.asked(model, spec)
    finished = piece.reached.finished(asked) if piece.lasting else Finished()
    if finished.pieces:
        n_cells = None if spec.scheduler else piece.reached.n_cells(asked)
        yield Found(index, _regions(finished), words(finished, piece.canvas.shape), n_cells=n_cells)
    on_cluster = spec.scheduler and piece.region is None
    with _writing(piece, cells) as write:

        def put(event: TileDone) -> None:
            write(event.write, event.result)
            if piece.lasting:
                piece.reached.add(asked, event.write, int(event.result.max()) if cells else 0)
            else:
                piece.reached.overwrite(event.write)

        how = {"spec": spec, "normalisation": known, "finished": finished}
        if on_cluster:
            if kept is not None:
                kept.gave_up = True  # what the network made of it stays with the workers
            run = api.iter_on_cluster(model, piece.stack, **how)
        else:
            how |= {"kept": kept, "focus": piece.focus, "write": put}
            run = api.iter_prediction(model, piece.stack, region=piece.region, **how)
        with closing(run) as events:
            for event in events:
                if on_cluster and isinstance(event, TileDone):
                    put(event)
                if not isinstance(event, Done):
                    yield event


def _onto_disk(api: Any, index: int, piece: Piece, model: Any, spec: PredictSpec) -> Iterator[Event]:
    canvas = piece.canvas
    assert isinstance(canvas, Growing)
    stored = api.find_stored(model, piece.stack, spec, predictions_folder())
    canvas.follow(stored.path)
    piece.reached.overwrite(piece.box)  # what lay over it is gone
    finished = stored.finished
    n_cells = None if spec.scheduler else finished.last_id
    yield Found(index, _regions(finished), words(finished, canvas.shape), stored.path, stored.complete, n_cells)
    known = None
    if not (stored.begun or stored.complete):
        yield from _measuring(piece, model)
        known = piece.measured.of(api, model, piece.stack)
    how = {"resume": True, "overwrite": True, "normalisation": known, "focus": piece.focus}
    run = api.iter_stream(model, piece.stack, spec, stored.path, **how)
    try:
        with closing(run) as events:
            for event in events:
                match event:
                    case TileDone():
                        canvas.changed(event.write)
                    case BlockDone():
                        canvas.changed(event.block)
                if not isinstance(event, Done):
                    yield event
    finally:
        canvas.changed()
        if api.output_of(model, spec.output)[0] == "cells":
            # a plane may be finished of which no event has told
            piece.ids.take_over(canvas, api.last_id_of(stored.path))


def _measuring(piece: Piece, model: Any) -> Iterator[Event]:
    if prod(piece.stack.array.shape) > LARGE_IMAGE and not piece.measured.holds(model, piece.stack):
        yield Measuring(piece.stack.name)


@contextmanager
def _writing(piece: Piece, cells: bool) -> Iterator[Write]:
    def write(box: Region, values: npt.NDArray[Any]) -> None:
        piece.canvas[(..., *box)] = values

    if not cells:
        yield write
        return
    with piece.ids.writing(piece.canvas, piece.region) as write_cells:
        yield write_cells


def words(finished: Finished, shape: tuple[int, ...]) -> str:
    """How much of a (..., T, Z, Y, X) result was finished before, in a sentence; empty where that is nothing."""
    if not finished.pieces:
        return ""
    n_planes, plane = prod(shape[-4:-2]), (slice(0, shape[-2]), slice(0, shape[-1]))
    whole = sum(finished.has(t, z, plane) for t, z in {(piece[0], piece[2]) for piece in finished.pieces})
    if whole and n_planes > 1:
        return f"Going on: {whole:,} of {n_planes:,} planes were finished before."
    area = sum((piece[5] - piece[4]) * (piece[7] - piece[6]) for piece in finished.pieces)
    return f"Going on: {max(1, 100 * area // prod(shape[-4:]))} % was finished before."


def _regions(finished: Finished) -> list[Region]:
    return [tuple(slice(*piece[i : i + 2]) for i in range(0, 8, 2)) for piece in finished.pieces]  # type: ignore[misc]

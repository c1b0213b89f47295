"""Prediction of stacks and regions, plane by plane."""

import dataclasses
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.record import Finished
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Computed, Event, Note, Region, Started, TileDone
from napari_annotrain.inference.behind import iter_behind
from napari_annotrain.inference.cells import CellDecoder
from napari_annotrain.inference.nearest import Look, nearest_first
from napari_annotrain.inference.planes import KeptPlanes, Place, PlaneCollector, Values
from napari_annotrain.inference.predictor import Predictor, Scores, ready_predictor
from napari_annotrain.inference.rescale import Rescaled, rescale
from napari_annotrain.inference.results import Results, output_of
from napari_annotrain.inference.schedule import iter_scores
from napari_annotrain.inference.tile_size import choose_core, choose_window, tiles_budget
from napari_annotrain.inference.views import how_of, in_words, precision_of
from napari_annotrain.net.device import choose_device, describe
from napari_annotrain.net.model import Card, Model
from napari_annotrain.specs import PredictSpec
from napari_annotrain.tiles.geometry import Geometry
from napari_annotrain.tiles.grid import Tile, cut

NOTHING = Finished()
#: Writes a result.
Write = Callable[[TileDone], None]


def check_channels(model: Model, stack: Stack) -> None:
    """Refuse an image with other channels than the model reads.

    Raises
    ------
    AnnotrainError
        It has.
    """
    if stack.n_channels != model.card.channels:
        raise AnnotrainError(
            f"{stack.name} has {stack.n_channels} channels but the model reads {model.card.channels}: "
            "choose another model, or give the axes of the image if they were misread."
        )


def segment(
    model: Model,
    stack: Stack,
    normalisation: Normalisation,
    spec: PredictSpec,
    region: Region | None = None,
    kept: KeptPlanes | None = None,
    finished: Finished = NOTHING,
    predictor: Predictor | None = None,
    focus: Callable[[], Look] = lambda: None,
    write: Write | None = None,
) -> Generator[Event]:
    """Predict a stack, or a region of it, plane by plane; a generator of events that can be closed at any moment.

    `Started`, then a `TileDone` for every finished tile (for cells: `Computed` for every tile, and a `TileDone` for
    every finished plane of the region), and `Note` where something should be said. Ids of cells run on from plane to
    plane, so that they are unique in the region.

    Parameters
    ----------
    stack
        As many channels as the model.
    normalisation
        Of the whole image, measured once (`data.normalise.measure`).
    region
        (T, Z, Y, X) slices inside the image; None for all of it.
    kept
        What the network made of planes, so that it need not run when only `spec.cells` has changed: used where it
        holds all that is asked for, and added to. The network is kept ready then, too.
    finished
        Pieces that an earlier run has finished, with the same tiles; they are left out. Ids run on from theirs.
    predictor
        Of this model and these settings, to use it for several regions.
    focus
        Where somebody looks, in pixels of the image: what is there comes first (`nearest.nearest_first`).
    write
        Called in another thread with each `TileDone` before it comes; whatever ends the generator, with all that is
        computed.
    """
    card = model.card
    kind, _, _ = output_of(card, spec.output)
    check_channels(model, stack)
    t_range, z_range, *box = region or tuple(slice(0, n) for n in stack.shape[:1] + stack.shape[2:])
    planes = [(t, z) for t in range(t_range.start, t_range.stop) for z in range(z_range.start, z_range.stop)]
    scaled = rescale(card, stack, spec, (box[0], box[1]))
    cells = None
    if kind == "cells":
        cells = CellDecoder(card, spec.cells, scaled.diameter_px, choose_window(spec), finished.last_id)
    results = Results(card, kind, scaled.scale != 1, cells, normalisation)
    places = [Place(model, stack, t, z, scaled.box, (spec.precision, scaled.scale, how_of(spec))) for t, z in planes]
    make = Predictor if kept is None else ready_predictor  # who keeps planes predicts again and again
    job = _Job(model, stack.name, normalisation, scaled, results, places, finished, predictor, make, focus)
    if cells is None or kept is None:
        yield from _predict(job, spec, KeptPlanes(0), write)
    elif (found := kept.find(places)) is not None:
        yield from _finish(job, found, write)
    else:
        yield from _predict(job, spec, kept, write)


@dataclass(frozen=True)
class _Job:
    """What is predicted, and what of it."""

    model: Model
    name: str
    normalisation: Normalisation
    scaled: Rescaled
    results: Results
    places: list[Place]
    finished: Finished
    predictor: Predictor | None
    make: Callable[[Model, PredictSpec], Predictor]
    focus: Callable[[], Look]

    @property
    def whole_planes(self) -> bool:
        """Whether results come as planes instead of tiles."""
        return self.results.cells is not None or self.results.smooth

    def tiles_of(self, core: int, shape: Geometry) -> Callable[[int, int], list[Tile]]:
        """What gives the tiles of a plane (t, z) that are not finished."""
        tiles, box = cut(self.scaled.seen, core, shape), self.scaled.box

        def of(t: int, z: int) -> list[Tile]:
            if self.whole_planes:
                return [] if self.finished.has(t, z, box) else list(tiles)
            return [tile for tile in tiles if not self.finished.has(t, z, tile.write)]

        return of

    def plane_done(self, plane: "_Collected") -> TileDone:
        """The result of a plane, of what the network made of it."""
        result = self.results.of_plane(lambda part: self.scaled.back(plane.values, part), self.scaled.shape)
        return TileDone(_place(plane.t, plane.z, self.scaled.box), result, plane.done, plane.total)

    def look(self) -> Look:
        """Where somebody looks, in pixels of what the network sees."""
        look, scale = self.focus(), self.scaled.scale
        return None if look is None else (*look[:2], scale * look[2], scale * look[3])


def exact_for(card: Card, spec: PredictSpec) -> PredictSpec:
    """The same settings, with 32 bits for images where the precision is automatic: fewer are seen as steps in them."""
    if card.target != "image" or spec.precision != "auto":
        return spec
    return spec.model_copy(update={"precision": "float32"})


def plan_tiles(model: Model, stack: Stack, spec: PredictSpec) -> tuple[PredictSpec, bool]:
    """Decide what is automatic, so that the same tiles can be computed again; and whether results come as planes."""
    device = choose_device(spec.device)
    precision = precision_of(spec, device)
    kind, _, _ = output_of(model.card, spec.output)
    y, x = stack.shape[-2:]
    scaled = rescale(model.card, stack, spec, (slice(0, y), slice(0, x)))
    budget = tiles_budget(spec, device, scaled.shape if kind == "cells" and stack.n_planes > 1 else None)
    core = choose_core(spec, model.card.net, scaled.seen, budget, precision)
    decided = {"tile": core, "precision": str(precision).removeprefix("torch.")}
    return spec.model_copy(update=decided), kind == "cells" or scaled.scale != 1


@dataclass(frozen=True, eq=False)
class _Collected:
    """A plane of which the network has seen all."""

    t: int
    z: int
    values: Values = dataclasses.field(repr=False)
    done: int
    total: int


def _predict(job: _Job, spec: PredictSpec, kept: KeptPlanes, write: Write | None) -> Iterator[Event]:
    """Cells are told apart, and results written, while the network sees what comes next."""

    def finish(found: _Collected | TileDone) -> Event:
        event = job.plane_done(found) if isinstance(found, _Collected) else found
        if write is not None:
            write(event)
        return event

    def computed() -> Generator[Event | _Collected]:
        with closing(_compute(job, spec, kept)) as events:
            for event in events:
                if isinstance(event, _Collected) and torch.get_num_threads() == 1:  # there is no core for it
                    yield job.plane_done(event)
                else:
                    yield event

    kinds = _Collected if write is None else (_Collected, TileDone)
    with closing(computed()) as events, closing(iter_behind(events, kinds, finish, "annotrain-behind")) as passed_on:
        yield from passed_on


def _compute(job: _Job, spec: PredictSpec, kept: KeptPlanes) -> Generator[Event | _Collected]:
    scaled, results, seen = job.scaled, job.results, job.scaled.seen
    predictor = job.predictor or job.make(job.model, spec)
    budget = tiles_budget(spec, predictor.device, scaled.shape if results.cells and len(job.places) > 1 else None)
    core = choose_core(spec, job.model.card.net, seen, budget, predictor.precision)
    total = len(cut(seen, core, predictor.geometry)) * len(job.places)
    precision = str(predictor.precision).removeprefix("torch.")
    yield Started("prediction", total, None, describe(predictor.device), precision)
    if job.normalisation.is_constant:
        yield Note(results.words_of_constant(job.name))
    if scaled.words:
        yield Note(scaled.words)
    if words := in_words(spec):
        yield Note(words)
    tiles_of = job.tiles_of(core, predictor.geometry)
    done = total - sum(len(tiles_of(p.t, p.z)) for p in job.places) if job.finished.pieces else 0
    n_invalid = 0
    places = {(place.t, place.z): place for place in job.places}
    by_plane = PlaneCollector(seen) if job.whole_planes else None
    tiles = nearest_first(list(places), tiles_of, job.look, job.whole_planes)
    for scores in iter_scores(predictor, scaled.stack, job.normalisation, tiles, core, results.decoding):
        if not isinstance(scores, Scores):
            yield scores
            continue
        done += 1
        total = max(total, done)
        n_invalid += 0 if scores.invalid is None else int(scores.invalid.sum())
        if job.normalisation.is_constant and results.kind != "image":
            scores = _all_background(scores)
        values = results.clean(scores)
        if by_plane is None:
            yield TileDone(_place(scores.t, scores.z, scores.write), results.of(values), done, total)
            continue
        if (collected := by_plane.add(scores.write, values)) is not None:
            kept.keep(places[scores.t, scores.z], collected)
            yield _Collected(scores.t, scores.z, collected, done, total)  # first, so that no end comes between
        yield Computed(done, total)
    if n_invalid:
        yield Note(_invalid_words(job.name, n_invalid, results.kind))


def _finish(job: _Job, found: list[Values], write: Write | None) -> Iterator[Event]:
    """Events of a prediction whose planes the network has seen before."""
    yield Started("prediction", len(found), None, "", "")
    for done, (place, values) in enumerate(zip(job.places, found, strict=True), 1):
        event = job.plane_done(_Collected(place.t, place.z, values, done, len(found)))
        if write is not None:
            write(event)
        yield event


def _invalid_words(name: str, n: int, kind: str) -> str:
    what = f"1 pixel of {name} is not a number" if n == 1 else f"{n:,} pixels of {name} are not numbers"
    became = "NaN" if kind == "image" else "background"
    return f"{what} (NaN or infinite): {'it' if n == 1 else 'they'} became {became}."


def _all_background(scores: Scores) -> Scores:
    return dataclasses.replace(scores, invalid=np.ones(scores.values.shape[-2:], bool))


def _place(t: int, z: int, box: tuple[slice, slice]) -> Region:
    return slice(t, t + 1), slice(z, z + 1), *box

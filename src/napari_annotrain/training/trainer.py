import copy
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

import torch

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.growth import Growth
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.errors import is_out_of_memory
from napari_annotrain.events import Checkpoint, Event, Grown, Note, Started, Step, Validated
from napari_annotrain.net.device import describe, free_memory, keep_freed_memory, release_memory
from napari_annotrain.objects.rules import THRESHOLD
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.training import validate
from napari_annotrain.training.anchor import Anchor
from napari_annotrain.training.batches import Batches
from napari_annotrain.training.image_loss import ImageLoss
from napari_annotrain.training.kept import Kept, total_score
from napari_annotrain.training.learner import Learner
from napari_annotrain.training.pace import doubts_about
from napari_annotrain.training.parts import choose_parts
from napari_annotrain.training.past import Past
from napari_annotrain.training.patch import patch_sizes
from napari_annotrain.training.preparation import prepare
from napari_annotrain.training.progress import Progress
from napari_annotrain.training.sampler import FRESH_STEPS
from napari_annotrain.training.shown import Blocks, Shown
from napari_annotrain.training.state import TrainingState, Weights, copy_optimiser, copy_weights
from napari_annotrain.training.threshold import choose_threshold

#: A checkpoint comes so often.
SECONDS_BETWEEN_CHECKPOINTS = 2.0
#: The threshold of cells takes as long as a validation, and is looked for so often and at the end.
SECONDS_BETWEEN_THRESHOLDS = 10.0
#: A shipped model is compared with what is annotated in so many batches.
BATCHES_OF_AGREEMENT = 2


def fit(
    dataset: AnnotatedDataset | PairedDataset,
    net: NetSpec,
    spec: TrainSpec,
    *,
    start: Weights | None = None,
    state: TrainingState | None = None,
    anchor: Anchor | None = None,
    growth: Growth | None = None,
) -> Generator[Event]:
    """Train a network on what is annotated, or on images; a generator of events that can be closed at any moment.

    Every `Checkpoint` carries in `model` the weights that are kept (`Kept`; without validation the moving average of
    the latest) and in `state` a `TrainingState` to go on from. Batches hang on the seed and the
    step's number only, so a resumed run takes the same steps as one that was never interrupted. The last event is a
    `Checkpoint`.

    With `growth`, what is painted meanwhile is learnt from the next step on, and is seen more often for a while
    (`sampler.Sampler.grown`); every time a `Grown` tells of it. Where nothing is painted, the steps are the same ones.

    Parameters
    ----------
    dataset
        What to learn from.
    net, spec
        The network and the training settings; `spec.steps` and `spec.seconds` count from the very first step.
    start
        Weights to start from (a base model); those whose shape does not fit are drawn anew.
    state
        Where an earlier run stopped.
    anchor
        A shipped model to keep a share of in every result.
    growth
        Where new annotation comes from, and whether the training goes on beyond its limit.
    """
    keep_freed_memory()
    learner = _prepare(dataset, net, spec, start, state, anchor)
    progress = Progress(spec, feed=growth.feed if growth is not None else None)
    if state is not None:
        progress.seconds = progress.validated = state.seconds
        progress.kept = Kept(state.best, state.best_score, state.highest)
    patch, target_crop = patch_sizes(net, spec.patch)
    free = free_memory(learner.device)
    learner.parts = choose_parts(net, learner.n_weights, patch, spec.batch, learner.precision, free)
    shown = Shown.of(dataset, net, spec)
    yield from _beginning(learner, dataset, free)
    yield from (Note(text) for text in doubts_about(spec, progress.endless, shown.held_out is not None))
    with closing(Batches(dataset, spec, patch, learner.device, target_crop.start)) as batches:
        if anchor is not None and isinstance(dataset, AnnotatedDataset):
            learner.anchor = _trusted(anchor, learner, batches, target_crop, dataset, 0)
        while progress.goes_on(learner.step):
            if growth is not None and progress.growth_is_due():
                shown = yield from _grow(learner, progress, batches, shown, growth, target_crop)
            taken = _take_step(learner, progress, batches, target_crop)
            yield taken
            if isinstance(taken, Note):
                continue
            if not progress.has_checkpoint:  # whoever stops from now on has a model
                yield _checkpoint(learner, progress, shown)
            if shown.held_out is not None and progress.validation_is_due(learner.step):
                yield _validate(learner, progress, shown.held_out)
                learner.pace = learner.pace.after(spec, progress.score)
            if progress.seconds - progress.checkpointed >= SECONDS_BETWEEN_CHECKPOINTS:
                yield _checkpoint(learner, progress, shown)
    scheduled = progress.kept  # a resumed run must not see the extra validation at this run's end
    if shown.held_out is not None and progress.validated_step != learner.step:
        yield _validate(learner, progress, shown.held_out)
    yield _checkpoint(learner, progress, shown, scheduled)


def _prepare(
    dataset: AnnotatedDataset | PairedDataset,
    net: NetSpec,
    spec: TrainSpec,
    start: Weights | None,
    state: TrainingState | None,
    anchor: Anchor | None,
) -> Learner:
    """A learner with the loss of what is learnt."""
    learner = prepare(net, spec, start, state, anchor)
    if isinstance(dataset, PairedDataset):
        learner.other_loss = ImageLoss(spec.image)
        if dataset.residual and start is None and state is None:
            learner.start_at_zero()
    else:
        learner.past = Past.of(learner.average)
        if state is not None and state.past is not None and state.n_annotated == dataset.n_annotated:
            learner.past.network.load_state_dict(state.past)
            learner.past.since = state.past_since
        else:
            learner.past.forget(learner.step)
    return learner


def _beginning(learner: Learner, dataset: AnnotatedDataset | PairedDataset, free: float) -> Iterator[Event]:
    """What is told before the first step."""
    spec, precision = learner.spec, str(learner.precision).removeprefix("torch.")
    yield Started("training", spec.steps, spec.seconds, describe(learner.device), precision)
    yield from (Note(text) for text in dataset.notes)
    if learner.parts > 1:
        yield Note(f"Only {free / 1e9:.1f} GB of memory are free: {_in_parts(learner, spec)}.")


def _take_step(learner: Learner, progress: Progress, batches: Batches, crop: slice) -> Step | Note:
    """Learn from the next batch; a note where that must be tried again with less memory."""
    began, spec = time.perf_counter(), progress.spec
    try:
        images, maps = batches.get(learner.step)
        rate = learner.pace.rate(spec, learner.step, progress.part(learner.step))
        loss = learner.learn(images, maps[..., crop, crop], rate)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or learner.parts >= spec.batch:
            raise
        learner.parts *= 2
        release_memory(search=True)
        return Note(f"Memory ran out: {_in_parts(learner, spec)} from now on.")
    progress.seconds += time.perf_counter() - began
    return Step(learner.step, loss, progress.seconds, progress.told(learner.step))


def _grow(
    learner: Learner, progress: Progress, batches: Batches, shown: Shown, growth: Growth, crop: slice
) -> Generator[Event, None, Shown]:
    """Learn from now on also from what was painted in the meantime."""
    began, before = time.perf_counter(), shown.dataset
    assert isinstance(before, AnnotatedDataset)
    grown = growth.take(before)
    if grown is None:
        return shown
    shown = replace(shown, dataset=grown.dataset)
    if grown.fresh and grown.can_be_learnt:
        shown = Shown.of(grown.dataset, learner.network.spec, learner.spec)
        batches.grow(grown, learner.step)
        learner.pace = learner.pace.afresh()
        if learner.past is not None:
            learner.past.forget(learner.step)
        if learner.anchor is not None:
            n_cells = _n_cells(grown.dataset)
            known = learner.anchor.is_known_after(n_cells)
            held = learner.anchor.after(n_cells) if known else None
            unhurried = learner.step + FRESH_STEPS  # by then no more is learnt of what is new than of the rest
            learner.anchor = held or _trusted(learner.anchor, learner, batches, crop, grown.dataset, unhurried)
    progress.growth_cost = time.perf_counter() - began
    progress.seconds += progress.growth_cost
    progress.grown = progress.seconds
    yield Grown(learner.step, grown.dataset, progress.seconds, len(grown.fresh))
    yield from (Note(text) for text in grown.notes)
    return shown


def _n_cells(dataset: AnnotatedDataset) -> int:
    """How many cells tell whether an anchor can be trusted; at least one, where cells are not counted."""
    return max(1, dataset.sizes.n) if dataset.sizes is not None else 1


def _trusted(
    anchor: Anchor, learner: Learner, batches: Batches, crop: slice, dataset: AnnotatedDataset, first: int
) -> Anchor:
    """Keep of an anchor what its agreement with the annotation of some batches allows, from number `first` on."""
    return anchor.trusted(_agreement(learner, batches, crop, len(dataset.classes), first), _n_cells(dataset))


def _agreement(learner: Learner, batches: Batches, crop: slice, n_classes: int, first: int) -> float:
    """Mean intersection over union of the anchor's classes with the annotation of these batches."""
    assert learner.teacher is not None
    network, tables = learner.teacher.network, []
    for step in range(first, first + BATCHES_OF_AGREEMENT):
        images, maps = (tensor.cpu() for tensor in batches.get(step))
        target, at_once = maps[:, 0, crop, crop].long() - 1, -(-len(images) // learner.parts)
        shown = validate.ValidationSet(images, target, slice(0, target.shape[-1]), n_classes)
        tables.append(validate.score(network, shown, learner.device, learner.precision, at_once)[0].sum(0))
    return validate.mean_iou(torch.stack(tables).sum(0)).item()


def _validate(learner: Learner, progress: Progress, held_out: Blocks) -> Validated:
    began = time.perf_counter()
    result = learner.result()
    tables, loss = held_out.score(result, learner.device, learner.precision, progress.spec.batch)
    progress.kept, kept = progress.kept.after(tables, lambda: copy_weights(result))
    progress.validation_cost = time.perf_counter() - began
    progress.seconds += progress.validation_cost
    progress.validated, progress.validated_step = progress.seconds, learner.step
    progress.score = score = total_score(tables)
    return Validated(learner.step, score, loss, progress.seconds, kept, held_out.measure, tables)


def _find_threshold(learner: Learner, progress: Progress, annotated: validate.ValidationSet) -> None:
    began = time.perf_counter()
    network = copy.deepcopy(learner.average)
    network.load_state_dict(learner.result().state_dict() if progress.kept.weights is None else progress.kept.weights)
    batch = -(-progress.spec.batch // learner.parts)
    found = choose_threshold(network, annotated, learner.device, learner.precision, batch)
    progress.threshold = found if learner.anchor is None else round(learner.anchor.between(found, THRESHOLD), 3)
    progress.seconds += time.perf_counter() - began
    progress.threshold_found = progress.seconds


def _checkpoint(
    learner: Learner,
    progress: Progress,
    shown: Shown,
    scheduled: Kept | None = None,
) -> Checkpoint:
    """What is kept; `scheduled`, of the last one, is what a resumed run should know of."""
    waited = progress.has_checkpoint and progress.seconds - progress.threshold_found >= SECONDS_BETWEEN_THRESHOLDS
    due = scheduled is not None or waited
    if shown.cells is not None and due:
        _find_threshold(learner, progress, shown.cells)
    progress.checkpointed = progress.seconds
    to_go_on = scheduled or progress.kept
    state = TrainingState(
        learner.step,
        progress.seconds,
        copy_weights(learner.network),
        copy_weights(learner.average),
        copy_optimiser(learner.optimiser, learner.network),
        to_go_on.weights,
        to_go_on.score,
        to_go_on.highest,
        learner.pace,
        copy_weights(learner.past.network) if learner.past is not None else None,
        learner.past.since if learner.past is not None else 0,
        shown.dataset.n_annotated if isinstance(shown.dataset, AnnotatedDataset) else (),
    )
    given = copy_weights(learner.result()) if progress.kept.weights is None else progress.kept.weights
    return Checkpoint(learner.step, given, state, progress.threshold)


def _in_parts(learner: Learner, spec: TrainSpec) -> str:
    return f"{-(-spec.batch // learner.parts)} of the {spec.batch} patches of a step are learnt from at a time"

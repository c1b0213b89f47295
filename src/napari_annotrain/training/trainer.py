import time
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import torch

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Checkpoint, Event, Note, Started, Step, Validated
from napari_annotrain.net.device import (
    autocast,
    choose_device,
    choose_precision,
    describe,
    is_out_of_memory,
    keep_freed_memory,
    release_memory,
)
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.tiles.geometry import geometry, output_size
from napari_annotrain.training import augment, validate
from napari_annotrain.training.loss import weighted_cross_entropy
from napari_annotrain.training.sampler import Sampler
from napari_annotrain.training.state import (
    TrainingState,
    Weights,
    copy_optimiser,
    copy_weights,
    restore_optimiser,
)

#: With a limit in steps, validation comes every so many steps, so that a resumed run validates at the same ones.
STEPS_BETWEEN_VALIDATIONS = 25
#: With a limit in seconds, validation takes at most this share of the time, and comes this often at most.
VALIDATION_SHARE = 0.05
SECONDS_BETWEEN_VALIDATIONS = 2.0
SECONDS_BETWEEN_CHECKPOINTS = 2.0
#: The learning rate rises to its value over these first steps, while the optimiser's momenta settle.
WARM_UP_STEPS = 10


@dataclass
class _Run:
    """The moving parts of one training run; a batch goes through the network in so many `parts`."""

    network: UNet
    average: UNet
    optimiser: torch.optim.Optimizer
    device: torch.device
    precision: torch.dtype
    scaler: torch.amp.GradScaler
    step: int = 0
    seconds: float = 0.0
    best: Weights | None = None
    best_score: float = -1.0
    validated_step: int = -1
    parts: int = 1
    last: dict[str, float] = field(default_factory=lambda: {"validation": 0.0, "checkpoint": -1e9})


def fit(
    dataset: AnnotatedDataset,
    net: NetSpec,
    spec: TrainSpec,
    *,
    start: Weights | None = None,
    state: TrainingState | None = None,
) -> Generator[Event]:
    """Train a network on what is annotated; a generator of events that can be closed at any moment.

    Every `Checkpoint` carries in `model` the best weights so far (by validation score; without validation the moving
    average of the latest) and in `state` a `TrainingState` to go on from. Batches hang on the seed and the
    step's number only, so a resumed run takes the same steps as one that was never interrupted. The last event is a
    `Checkpoint`.

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
    """
    keep_freed_memory()
    device = choose_device(spec.device)
    run = _prepare(net, spec, device, start, state)
    patch, target_crop = _patch_sizes(net, spec.patch)
    window = augment.window_size(spec.augment, patch)
    sampler = Sampler(dataset, patch, window)
    held_out = validate.collect(dataset, geometry(net), net.padding == "same")
    yield Started("training", spec.steps, spec.seconds, describe(device), str(run.precision).removeprefix("torch."))
    yield from (Note(text) for text in dataset.notes)
    while _fraction(run, spec) < 1:
        began = time.perf_counter()
        try:
            images, maps = _draw_batch(run, spec, sampler, patch)
            loss = _take_step(run, spec, images, maps[..., target_crop, target_crop])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or run.parts >= spec.batch:
                raise
            run.parts *= 2
            release_memory()
            at_once = -(-spec.batch // run.parts)
            yield Note(f"Not enough memory for {spec.batch} patches at once: went on with {at_once} at a time.")
            continue
        run.seconds += time.perf_counter() - began
        yield Step(run.step, loss, run.seconds, min(1.0, _fraction(run, spec)))
        if held_out is not None and _validation_is_due(run, spec):
            yield _validate(run, held_out, spec)
        if run.seconds - run.last["checkpoint"] >= SECONDS_BETWEEN_CHECKPOINTS:
            yield _checkpoint(run)
    scheduled = run.best, run.best_score  # a resumed run must not see the extra validation at this run's end
    if held_out is not None and run.validated_step != run.step:
        yield _validate(run, held_out, spec)
    yield _checkpoint(run, scheduled)


def _draw_batch(run: _Run, spec: TrainSpec, sampler: Sampler, patch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches and their maps for this step, on the device; they hang on the seed and the step alone."""
    rng = np.random.default_rng((spec.seed, run.step))
    windows = sampler.draw(rng, spec.batch)
    drawn = augment.draw(rng, spec.augment, spec.batch, patch)
    images, maps = (torch.from_numpy(a).to(run.device) for a in (windows.images, windows.maps))
    return augment.apply(drawn, spec.augment, patch, images, maps)


def _prepare(
    net: NetSpec, spec: TrainSpec, device: torch.device, start: Weights | None, state: TrainingState | None
) -> _Run:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        network, average = UNet(net), UNet(net)
    if start is not None:
        _load_fitting(network, start)
    if state is not None:
        network.load_state_dict(state.weights)
    average.load_state_dict(network.state_dict() if state is None else state.average)
    network, average = (n.to(device, memory_format=torch.channels_last) for n in (network, average))  # type: ignore[call-overload]
    network.train()
    average.eval().requires_grad_(False)
    precision = choose_precision(spec.precision, device)
    optimiser = _make_optimiser(network, spec)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    run = _Run(network, average, optimiser, device, precision, scaler)
    if state is not None:
        restore_optimiser(optimiser, network, state.optimiser)
        run.step, run.seconds, run.best, run.best_score = state.step, state.seconds, state.best, state.best_score
        run.last["validation"] = run.seconds
    return run


def _make_optimiser(network: UNet, spec: TrainSpec) -> torch.optim.Optimizer:
    if spec.optimiser == "sgd":  # section 3: high momentum, so that many earlier patches determine the update
        return torch.optim.SGD(network.parameters(), spec.learning_rate, momentum=spec.momentum)
    return torch.optim.AdamW(network.parameters(), spec.learning_rate, weight_decay=spec.weight_decay)


def _take_step(run: _Run, spec: TrainSpec, images: torch.Tensor, maps: torch.Tensor) -> float:
    rate = spec.learning_rate * min(1.0, (run.step + 1) / WARM_UP_STEPS)
    for group in run.optimiser.param_groups:
        group["lr"] = rate
    if run.network.spec.dropout:  # the only random layer; tied to the step so that resuming repeats it
        torch.manual_seed((spec.seed * 1_000_003 + run.step) % 2**63)
    run.optimiser.zero_grad(set_to_none=True)
    total, value = maps[:, 1].sum().clamp(min=1e-6), 0.0
    for some, known in zip(images.chunk(run.parts), maps.chunk(run.parts), strict=True):
        with autocast(run.device, run.precision):
            scores = run.network(some.contiguous(memory_format=torch.channels_last))
        # the gradients of the parts add up to that of the batch
        share = known[:, 1].sum() / total
        loss = weighted_cross_entropy(scores, known[:, 0].long() - 1, known[:, 1]) * share
        run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        value += loss.item()
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.step += 1
    if not np.isfinite(value):
        raise AnnotrainError(
            "Training went astray (the loss is not a number): lower the learning rate and train again."
        )
    _average(run, min(spec.averaging, (1 + run.step) / (10 + run.step)))
    return value


@torch.no_grad()
def _average(run: _Run, decay: float) -> None:
    """Move the averaged weights towards the latest; the decay grows with the steps so that the start is forgotten."""
    ours, theirs = run.average.state_dict(), run.network.state_dict()
    for name, tensor in ours.items():
        if tensor.is_floating_point():
            tensor.lerp_(theirs[name], 1 - decay)
        else:
            tensor.copy_(theirs[name])


def _fraction(run: _Run, spec: TrainSpec) -> float:
    """How much of the limit is used up; steps win over seconds where both are given."""
    return run.step / spec.steps if spec.steps is not None else run.seconds / (spec.seconds or 1.0)


def _validation_is_due(run: _Run, spec: TrainSpec) -> bool:
    if spec.steps is not None:
        return run.step % STEPS_BETWEEN_VALIDATIONS == 0
    wait = max(SECONDS_BETWEEN_VALIDATIONS, run.last.get("cost", 0.0) / VALIDATION_SHARE)
    return run.seconds - run.last["validation"] >= wait


def _validate(run: _Run, held_out: validate.ValidationSet, spec: TrainSpec) -> Validated:
    began = time.perf_counter()
    score, loss = validate.score(run.average, held_out, run.device, run.precision, spec.batch)
    best = score >= run.best_score
    if best:
        run.best, run.best_score = copy_weights(run.average), score
    cost = time.perf_counter() - began
    run.seconds += cost
    run.last |= {"cost": cost, "validation": run.seconds}
    run.validated_step = run.step
    return Validated(run.step, score, loss, run.seconds, best)


def _checkpoint(run: _Run, scheduled: tuple[Weights | None, float] | None = None) -> Checkpoint:
    run.last["checkpoint"] = run.seconds
    average = copy_weights(run.average)
    state = TrainingState(
        run.step,
        run.seconds,
        copy_weights(run.network),
        average,
        copy_optimiser(run.optimiser, run.network),
        *(scheduled or (run.best, run.best_score)),
    )
    return Checkpoint(run.step, average if run.best is None else run.best, state)


def _patch_sizes(net: NetSpec, patch: int) -> tuple[int, slice]:
    """Side of the network's input for patches of this side, and where its output lies in it."""
    if net.padding == "same":
        size = geometry(net).round_up(patch)
        return size, slice(0, size)
    size = geometry(net).read_size(patch)
    lost = (size - (output_size(net, size) or 0)) // 2
    return size, slice(lost, size - lost)


def _load_fitting(network: UNet, start: Weights) -> None:
    own = network.state_dict()
    network.load_state_dict(own | {k: v for k, v in start.items() if k in own and own[k].shape == v.shape})

"""How large patches and batches may be on this computer: measured, in a few steps each."""

import itertools
import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from statistics import median

import torch

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.events import Done, Event, Searched, Started
from napari_annotrain.net.device import describe, free_memory, keep_freed_memory, release_memory
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.training.batches import Batches
from napari_annotrain.training.learner import Learner
from napari_annotrain.training.parts import choose_parts, step_memory
from napari_annotrain.training.patch import patch_sizes
from napari_annotrain.training.preparation import prepare

#: Sides of patches, in px, and patches a step that are tried.
PATCHES, BATCHES = (64, 128, 256), (2, 4, 8, 16)
#: Steps of each; the first one, in which memory is taken and kernels are chosen, does not count.
STEPS = 4
#: As fast as the fastest is what learns at least this share of its pixels in a second.
AS_FAST = 0.9


@dataclass(frozen=True)
class StepCost:
    """What a training step of one size takes.

    Attributes
    ----------
    patch, batch
        Side of the patches in px, and patches a step.
    seconds
        Of one step, the median of three.
    memory
        Bytes: on a GPU the most that was taken, measured; on a processor reckoned (`parts.step_memory`), as what a
        process took before cannot be told from what a step takes.
    measured
        Whether the memory was measured.
    """

    patch: int
    batch: int
    seconds: float
    memory: int
    measured: bool

    @property
    def pixels_a_second(self) -> float:
        """Pixels learnt from in a second."""
        return self.batch * self.patch**2 / self.seconds

    def __str__(self) -> str:
        how = "" if self.measured else "about "
        return (
            f"{self.batch} patches of {self.patch} px: {self.seconds:.3g} s a step, "
            f"{self.pixels_a_second / 1e6:.2g} million px a second, {how}{self.memory / 1e9:.2g} GB"
        )


@dataclass(frozen=True)
class BatchSizes:
    """What steps of some sizes cost on this computer.

    Attributes
    ----------
    costs
        Of the sizes that fit into the free memory.
    proposed
        Of those as fast as the fastest, in pixels a second, the one nearest to the settings; None where nothing fits.
        How far around a pixel a patch should reach hangs on the image, and is not measured.
    """

    costs: tuple[StepCost, ...]
    proposed: StepCost | None


def iter_costs(
    dataset: AnnotatedDataset,
    net: NetSpec,
    spec: TrainSpec,
    patches: Sequence[int] = PATCHES,
    batches: Sequence[int] = BATCHES,
) -> Generator[Event]:
    """Take a few steps of each size that fits into the free memory.

    Yields
    ------
    `Started`, a `Searched` for each size, and `Done` with `BatchSizes`.
    """
    keep_freed_memory()
    sizes = list(itertools.product(sorted(patches), sorted(batches)))
    found: list[StepCost] = []
    for done, (patch, batch) in enumerate(sizes, 1):
        own = spec.model_copy(update={"patch": patch, "batch": batch})
        learner = prepare(net, own)
        size, crop = patch_sizes(net, patch)
        if done == 1:
            precision = str(learner.precision).removeprefix("torch.")
            yield Started("measurement", len(sizes), None, describe(learner.device), precision)
        free = free_memory(learner.device)
        if choose_parts(net, learner.n_weights, size, batch, learner.precision, free) == 1:
            with closing(Batches(dataset, own, size, learner.device)) as given:
                found.append(_measure(learner, given, size, crop))
        del learner
        release_memory()
        yield Searched(done, len(sizes), tuple(found))
    yield Done(BatchSizes(tuple(found), _propose(found, spec)))


def _propose(costs: Sequence[StepCost], spec: TrainSpec) -> StepCost | None:
    most = max((cost.pixels_a_second for cost in costs), default=0.0)
    fast = [cost for cost in costs if cost.pixels_a_second >= AS_FAST * most]

    def apart(cost: StepCost) -> float:
        return abs(math.log2(cost.patch / spec.patch)) + abs(math.log2(cost.batch / spec.batch))

    return min(fast, key=apart, default=None)


def _measure(learner: Learner, batches: Batches, size: int, crop: slice) -> StepCost:
    device, spec, times = learner.device, learner.spec, []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    for step in range(STEPS):
        began = time.perf_counter()
        images, maps = batches.get(step)
        learner.learn(images, maps[..., crop, crop])  # waits for a GPU
        times.append(time.perf_counter() - began)
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(device)
    else:
        memory = int(step_memory(learner.network.spec, learner.n_weights, size, spec.batch, learner.precision))
    return StepCost(spec.patch, spec.batch, median(times[1:]), memory, device.type == "cuda")

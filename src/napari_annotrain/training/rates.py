"""Which learning rate suits: one training in which it grows from step to step."""

import math
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.events import Done, Event, Started, Step
from napari_annotrain.net.device import describe, free_memory, keep_freed_memory
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.training.batches import Batches
from napari_annotrain.training.learner import WentAstray, prepare
from napari_annotrain.training.parts import choose_parts
from napari_annotrain.training.patch import patch_sizes
from napari_annotrain.training.state import Weights

#: The first and the last learning rate, and in how many steps it grows from one to the other.
LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
#: Weight of what came before in the loss that is looked at: single batches jump.
SMOOTHING = 0.9
#: The search ends where the loss is so many times its lowest.
ASTRAY = 4.0
#: Proposed is this part of the rate at which the loss was lowest, where it is about to rise.
SAFE = 0.1


@dataclass(frozen=True)
class RateCurve:
    """The loss of a training whose learning rate grew (Smith 2017, section 3.3), and the rate that it speaks for.

    Attributes
    ----------
    rates, losses
        Of every step: the learning rate, and the smoothed loss of the batches up to it.
    rate
        A tenth of that at which the loss was lowest.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    rate: float

    def __str__(self) -> str:
        return f"learning rate {self.rate:.2g}: a tenth of {self.rate / SAFE:.2g}, where the loss was lowest"


def iter_rates(
    dataset: AnnotatedDataset, net: NetSpec, spec: TrainSpec, start: Weights | None = None, steps: int = STEPS
) -> Generator[Event]:
    """Train while the learning rate grows by the same factor each step; `Started`, `Step`s, `Done` with a `RateCurve`.

    The search ends early where the loss grows far above its lowest or is no number any more. What is trained is
    thrown away.

    Parameters
    ----------
    start
        Weights to start from, as in `trainer.fit`.
    steps
        How many at most.
    """
    keep_freed_memory()
    learner = prepare(net, spec, start)
    size, crop = patch_sizes(net, spec.patch)
    free = free_memory(learner.device)
    learner.parts = choose_parts(net, learner.n_weights, size, spec.batch, learner.precision, free)
    yield Started("training", steps, None, describe(learner.device), str(learner.precision).removeprefix("torch."))
    rates: list[float] = []
    losses: list[float] = []
    began, sums = time.perf_counter(), 0.0
    with closing(Batches(dataset, spec, size, learner.device)) as batches:
        for i in range(steps):
            rate = LOWEST * (HIGHEST / LOWEST) ** (i / max(1, steps - 1))
            images, maps = batches.get(i)
            try:
                loss = learner.learn(images, maps[..., crop, crop], rate)
            except WentAstray:
                break
            sums = SMOOTHING * sums + (1 - SMOOTHING) * loss
            rates.append(rate)
            losses.append(sums / (1 - SMOOTHING ** (i + 1)))
            yield Step(i + 1, loss, time.perf_counter() - began, (i + 1) / steps)
            if losses[-1] > ASTRAY * min(losses):
                break
    yield Done(RateCurve(tuple(rates), tuple(losses), _proposed(rates, losses)))


def _proposed(rates: list[float], losses: list[float]) -> float:
    """With two digits, as nobody needs more."""
    if not rates:
        return LOWEST
    rate = SAFE * rates[losses.index(min(losses))]
    return round(rate, 1 - math.floor(math.log10(rate)))

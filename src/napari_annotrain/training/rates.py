"""Which learning rate suits: one training in which it grows from step to step."""

import math
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from statistics import mean

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.events import Done, Event, Started, Step
from napari_annotrain.net.device import describe, free_memory, keep_freed_memory
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.training.batches import Batches
from napari_annotrain.training.learner import WentAstray
from napari_annotrain.training.parts import choose_parts
from napari_annotrain.training.patch import patch_sizes
from napari_annotrain.training.preparation import prepare
from napari_annotrain.training.state import Weights

#: The first and the last learning rate, and in how many steps it grows from one to the other.
LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
#: Weight of what came before in the loss by which the search ends: single batches jump.
SMOOTHING = 0.9
#: It ends where that is so many times its lowest.
ASTRAY = 4.0
#: Of the curve, the mean is taken over this share of the steps to either side.
WINDOW = 0.05


@dataclass(frozen=True)
class RateCurve:
    """The loss of a training whose learning rate grew (Smith 2017, section 3.3), and the rate that it speaks for.

    Attributes
    ----------
    rates, losses
        Of every step: the learning rate, and the mean loss of the batches around it.
    rate
        At which the loss had made half of its way from the start to its lowest: there it falls fastest, far from where
        it rises again.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    rate: float

    def __str__(self) -> str:
        return f"learning rate {self.rate:.2g}: there the loss had made half of its way down"


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
    began, sums, lowest = time.perf_counter(), 0.0, math.inf
    with closing(Batches(dataset, spec, size, learner.device)) as batches:
        for i in range(steps):
            rate = LOWEST * (HIGHEST / LOWEST) ** (i / max(1, steps - 1))
            images, maps = batches.get(i)
            try:
                loss = learner.learn(images, maps[..., crop, crop], rate)
            except WentAstray:
                break
            rates.append(rate)
            losses.append(loss)
            yield Step(i + 1, loss, time.perf_counter() - began, (i + 1) / steps)
            sums = SMOOTHING * sums + (1 - SMOOTHING) * loss
            smooth = sums / (1 - SMOOTHING ** (i + 1))
            lowest = min(lowest, smooth)
            if smooth > ASTRAY * lowest:
                break
    smooth_losses = _smoothed(losses, max(1, int(steps * WINDOW)))
    yield Done(RateCurve(tuple(rates), tuple(smooth_losses), _proposed(rates, smooth_losses)))


def _smoothed(losses: list[float], reach: int) -> list[float]:
    """Mean over so many steps to either side: unlike one over those before, it does not lag behind."""
    return [mean(losses[max(0, i - reach) : i + reach + 1]) for i in range(len(losses))]


def _proposed(rates: list[float], losses: list[float]) -> float:
    """With two digits, as nobody needs more."""
    if not rates:
        return LOWEST
    half = (losses[0] + min(losses)) / 2
    rate = next(rate for rate, loss in zip(rates, losses, strict=True) if loss <= half)
    return round(rate, 1 - math.floor(math.log10(rate)))

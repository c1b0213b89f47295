"""How fast is learnt: the learning rate from step to step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from napari_annotrain.specs import TrainSpec

#: The learning rate rises to its value over these first steps, while the optimiser's momenta settle.
WARM_UP_STEPS = 10
#: One cycle begins with this part of the learning rate, and is at its height after this share of the training.
CYCLE_START, CYCLE_RISE = 0.04, 0.3
#: The part of the learning rate that is left at the end of a cosine or of a cycle.
LAST = 1e-3
#: What is left of the learning rate when the validation score has stayed on a plateau.
PLATEAU_FACTOR = 0.5
#: Below any score.
NO_SCORE = -1e30


@dataclass(frozen=True)
class Pace:
    """The learning rate's way through a training, and what it hangs on besides the step.

    ::

        constant  ______    cosine  --._      one-cycle   .-.       plateau  --.__
                 /                /    `.              _.'   `._            /     `--.__
        (warm-up in all but one-cycle; all but plateau and constant end near 0 at the limit, in steps or seconds)

    Attributes
    ----------
    best, since
        Highest validation score so far, and how many validations have come since; for ``plateau``.
    factor
        What ``plateau`` has left of the learning rate.
    """

    best: float = NO_SCORE
    since: int = 0
    factor: float = 1.0

    def rate(self, spec: TrainSpec, step: int, done: float | None) -> float:
        """Learning rate of a step.

        Parameters
        ----------
        step
            Steps taken before it.
        done
            Share of the limit (steps or seconds) used up before it, 0 to 1; None where nobody knows the end.
        """
        warm = spec.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS)
        if spec.schedule == "plateau":
            return warm * self.factor
        if done is None or spec.schedule == "constant":
            return warm
        if spec.schedule == "cosine":  # Loshchilov and Hutter 2017, equation 5, without restarts
            return warm * _ease(1.0, LAST, done)
        if done < CYCLE_RISE:  # Smith and Topin 2019, of which the learning rate only
            return spec.learning_rate * _ease(CYCLE_START, 1.0, done / CYCLE_RISE)
        return spec.learning_rate * _ease(1.0, LAST, (done - CYCLE_RISE) / (1 - CYCLE_RISE))

    def after(self, spec: TrainSpec, score: float) -> "Pace":
        """The pace after a validation with this score; higher is better."""
        if spec.schedule != "plateau":
            return self
        if score > self.best:
            return replace(self, best=score, since=0)
        if self.since + 1 < spec.patience:
            return replace(self, since=self.since + 1)
        return replace(self, since=0, factor=self.factor * PLATEAU_FACTOR)

    def afresh(self) -> "Pace":
        """The pace when other pixels are scored from now on."""
        return Pace(factor=self.factor)


def doubts_about(spec: TrainSpec, endless: bool, validates: bool) -> Iterator[str]:
    """What stands against a schedule, in sentences."""
    if endless and spec.schedule in ("cosine", "one-cycle"):
        yield (
            f"Training goes on until it is stopped, so that the learning rate stays as it is: {spec.schedule} needs "
            "an end."
        )
    if not validates and spec.schedule == "plateau":
        yield "Nothing is held out for validation, so that the learning rate stays as it is: plateau follows the score."


def _ease(start: float, stop: float, part: float) -> float:
    """From start to stop along half a cosine."""
    return stop + (start - stop) * (1 + math.cos(math.pi * min(1.0, max(0.0, part)))) / 2

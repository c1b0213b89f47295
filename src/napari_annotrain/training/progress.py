from dataclasses import dataclass, field

from napari_annotrain.data.feed import Feed
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training.kept import Kept

#: With a limit in steps, validation comes every so many steps, so that a resumed run validates at the same ones.
STEPS_BETWEEN_VALIDATIONS = 25
#: With a limit in seconds, validation takes at most this share of the time, and comes this often at most.
VALIDATION_SHARE = 0.05
SECONDS_BETWEEN_VALIDATIONS = 2.0
#: Reading what was painted meanwhile takes at most this share of the time.
GROWTH_SHARE = 0.2


@dataclass
class Progress:
    """How far a run has come, and the weights that are kept; times in seconds of training."""

    spec: TrainSpec
    seconds: float = 0.0
    feed: Feed | None = None
    kept: Kept = field(default_factory=Kept)
    score: float = 0.0
    validated_step: int = -1
    validated: float = 0.0
    validation_cost: float = 0.0
    checkpointed: float = -1e9
    threshold: float | None = None
    threshold_found: float = 0.0
    grown: float = -1e9
    growth_cost: float = 0.0

    def fraction(self, step: int) -> float:
        """How much of the limit is used up; steps win over seconds where both are given."""
        spec = self.spec
        return step / spec.steps if spec.steps is not None else self.seconds / (spec.seconds or 1.0)

    @property
    def has_checkpoint(self) -> bool:
        """Whether this run has given its first checkpoint."""
        return self.checkpointed >= 0

    def validation_is_due(self, step: int) -> bool:
        """Whether it is time to look at what was kept for validation."""
        if self.spec.steps is not None:
            return step % STEPS_BETWEEN_VALIDATIONS == 0
        wait = max(SECONDS_BETWEEN_VALIDATIONS, self.validation_cost / VALIDATION_SHARE)
        return self.seconds - self.validated >= wait

    def told(self, step: int) -> float:
        """The fraction as others see it: 0 where nobody knows how long it will go on."""
        return 0.0 if self.endless else min(1.0, self.fraction(step))

    def part(self, step: int) -> float | None:
        """The fraction for whoever plans ahead; None where nobody knows how long it will go on."""
        return None if self.endless else min(1.0, self.fraction(step))

    def goes_on(self, step: int) -> bool:
        """Whether there is another step to take."""
        return self.endless or self.fraction(step) < 1

    @property
    def endless(self) -> bool:
        """Whether nobody knows how long it will go on."""
        return self.feed is not None and self.feed.endless

    def growth_is_due(self) -> bool:
        """Whether something was painted, and it is time to look at it."""
        waiting = self.feed is not None and self.feed.waiting
        return waiting and self.seconds - self.grown >= self.growth_cost / GROWTH_SHARE

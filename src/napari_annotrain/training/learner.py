import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.device import answer
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training.anchor import Anchor
from napari_annotrain.training.averaging import move_mean
from napari_annotrain.training.label_loss import label_loss
from napari_annotrain.training.loss import weighted_smooth_l1
from napari_annotrain.training.other_sizes import resize
from napari_annotrain.training.pace import Pace
from napari_annotrain.training.past import Past
from napari_annotrain.training.teacher import (
    HOLD,
    LEAST_SAY,
    PULL,
    Teacher,
    as_in_prediction,
    ask,
    differ,
)

#: How much the distance maps count against the classes.
DISTANCE_SHARE = 5.0


class WentAstray(AnnotrainError):
    """The loss is not a number any more."""


@dataclass
class Learner:
    """A network, the moving average of its weights and their optimiser, one step after the other.

    Attributes
    ----------
    anchor
        What every result keeps a share of; None for nothing.
    teacher
        The same model, asked for what is not annotated while that counts enough; till then weights are pulled to it.
    past
        The mean of what the network was, asked for what is not annotated where the teacher is not; None: nobody is.
    step
        Steps taken so far.
    parts
        A batch goes through the network in so many parts, whose gradients are added up.
    pace
        What the learning rate hangs on besides the step.
    other_loss
        Of a network whose maps are no classes: from them and the known maps (`image_loss.ImageLoss`).
    """

    network: UNet
    average: UNet
    optimiser: torch.optim.Optimizer
    spec: TrainSpec
    device: torch.device
    precision: torch.dtype
    scaler: torch.amp.GradScaler
    anchor: Anchor | None = None
    teacher: Teacher | None = None
    past: Past | None = None
    step: int = 0
    parts: int = 1
    pace: Pace = field(default_factory=Pace)
    other_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None

    @property
    def n_weights(self) -> int:
        """Trainable numbers of the network."""
        return sum(p.numel() for p in self.network.parameters())

    def learn(self, images: torch.Tensor, maps: torch.Tensor, rate: float | None = None) -> float:
        """Take one step; the loss of the batch before it.

        Parameters
        ----------
        images
            (B, C, Y, X) float32 on the device.
        maps
            (B, 2 or more, Y', X') float32 on the device: class index + 1 (0: not annotated, -1: not to be learnt here),
            weight, distance map or target images.
        rate
            Learning rate; None: that of a training without an end (`Pace`).

        Raises
        ------
        WentAstray
            The loss is not a number.
        """
        spec = self.spec
        rate = self.pace.rate(spec, self.step, None) if rate is None else rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        if self.network.spec.dropout:  # the only random layer; tied to the step so that resuming repeats it
            torch.manual_seed((spec.seed * 1_000_003 + self.step) % 2**63)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._gradients(images, maps)
        if self._is_taught:
            self._stay_near(rate)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.step += 1
        if not np.isfinite(loss):
            raise WentAstray(
                "Training went astray (the loss is not a number): lower the learning rate and train again."
            )
        decay = min(spec.averaging, (1 + self.step) / (10 + self.step))  # grows: the start is forgotten
        move_mean(self.average, self.network, 1 - decay)
        if self.past is not None:
            self.past.follow(self.average, self.step)
        return loss

    @torch.no_grad()
    def start_at_zero(self) -> None:
        """Let the network make nothing at first: of one whose maps are added to the image, the best beginning."""
        for network in (self.network, self.average):
            last = [network.head, *(network.merge if network.spec.skips == "scores" else [])]
            for p in (p for part in last for p in part.parameters()):
                p.zero_()

    def result(self) -> UNet:
        """The network to give to the user now: the moving average, between the latest steps and the anchor."""
        if self.anchor is None:
            return self.average
        result = copy.deepcopy(self.average)
        result.load_state_dict(self.anchor.hold(self.average.state_dict()))
        return result

    def _gradients(self, images: torch.Tensor, maps: torch.Tensor) -> float:
        """The gradients of a step; those of its parts add up to those of the batch."""
        total, free, resized = maps[:, 1].sum().clamp(min=1e-6), maps[:, 0] == 0, images[:0]
        if self._is_taught:
            resized = resize(images, np.random.default_rng((self.spec.seed, self.step, 1)))
        # a few pixels left open do not count as much as a batch of them
        n_asked = (free.sum() + len(resized) * free[0].numel()).clamp(min=free.numel() / 2)
        asked, n_classes = self._asked, self.network.spec.outputs - (maps.shape[1] - 2)
        if asked is not None and not len(resized) and not free.any():
            asked = None
        value = forgotten = torch.zeros((), device=self.device)
        for some, known, unknown in zip(*(of.chunk(self.parts) for of in (images, maps, free)), strict=True):
            kept = ask(asked[0], some, self.precision) if asked is not None else None  # before the memory is full
            scores = answer(self.network, some, self.precision)
            loss = (self.other_loss or self._loss)(scores, known) * (known[:, 1].sum() / total)
            value = value + loss.detach()
            if asked is not None and kept is not None:
                far = asked[1] * differ(scores, kept, unknown, n_classes, DISTANCE_SHARE) / n_asked
                forgotten, loss = forgotten + far.detach(), loss + far
            self._backward(loss)
        if asked is not None and len(resized):
            at_once = -(-len(images) // self.parts)
            with as_in_prediction(self.network):
                for some in resized.chunk(-(-len(resized) // at_once)):
                    kept, scores = ask(asked[0], some, self.precision), answer(self.network, some, self.precision)
                    everywhere = torch.ones_like(scores[:, 0], dtype=torch.bool)
                    far = asked[1] * differ(scores, kept, everywhere, n_classes, DISTANCE_SHARE) / n_asked
                    self._backward(far)
                    forgotten = forgotten + far.detach()
        return (value + 0 * forgotten).item()  # what is forgotten is not told, unless it is not a number

    def _stay_near(self, rate: float) -> None:
        """Keep near to the anchor, however long the training; a user's model keeps what it has learnt since."""
        assert self.anchor is not None
        assert self.teacher is not None
        if self.anchor.is_start:
            self.teacher.pull(self.network, min(1.0, PULL * rate * self.anchor.say))

    def _backward(self, loss: torch.Tensor) -> None:
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]

    @property
    def _is_taught(self) -> bool:
        heard = self.anchor is not None and self.anchor.say >= LEAST_SAY
        return heard and self.teacher is not None and self.other_loss is None

    @property
    def _asked(self) -> tuple[UNet, float] | None:
        """Which network is asked where nothing is annotated, and how much it counts: a trusted one before the past."""
        if self._is_taught:
            assert self.anchor is not None
            assert self.teacher is not None
            return self.teacher.network, HOLD * self.anchor.say
        if self.past is None or self.past.say(self.step) < LEAST_SAY:
            return None
        return self.past.network, HOLD * self.past.say(self.step)

    def _loss(self, scores: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        target, weight, distances = maps[:, 0].long() - 1, maps[:, 1], maps[:, 2:]
        n_classes = scores.shape[1] - distances.shape[1]
        loss = label_loss(scores[:, :n_classes], target, weight, self.spec.loss)
        for i in range(distances.shape[1]):
            loss = loss + DISTANCE_SHARE * weighted_smooth_l1(scores[:, n_classes + i], distances[:, i], weight)
        return loss

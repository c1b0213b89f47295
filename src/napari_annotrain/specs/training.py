from typing import Literal

from pydantic import model_validator

from napari_annotrain.specs.device import Device, Precision
from napari_annotrain.specs.losses import ImageSpec, LossSpec, WeightSpec
from napari_annotrain.specs.patches import AugmentSpec, NormaliseSpec
from napari_annotrain.specs.spec import Spec, setting

Target = Literal["classes", "cells", "image"]
Schedule = Literal["constant", "cosine", "one-cycle", "plateau"]
Freeze = Literal["none", "encoder", "all but the last layer"]


class TrainSpec(Spec):
    """The training loop."""

    seconds: float | None = setting(60.0, "Training time", "Training stops after this.", "s", False, gt=0)
    steps: int | None = setting(None, "Steps", "Training stops after so many steps, whatever the time.", ge=1)
    seed: int = setting(0, "Seed", "Same seed and steps, same result.", ge=0)
    device: Device = setting("auto", "Device", "auto takes a GPU where there is one that works.", advanced=False)
    precision: Precision = setting("auto", "Precision", "auto takes what the device computes fastest.")
    patch: int = setting(128, "Patch", "Side of the training patches.", "px", ge=16, le=2048)
    batch: int = setting(8, "Batch", "Patches a step.", ge=1, le=256)
    optimiser: Literal["adamw", "sgd"] = setting("adamw", "Optimiser", "AdamW, or SGD with momentum as in the paper.")
    learning_rate: float = setting(2e-3, "Learning rate", "Step length of the optimiser.", gt=0, le=1)
    schedule: Schedule = setting(
        "constant",
        "Schedule",
        "constant: any moment is a good one to stop; cosine, one-cycle: falls until the end; plateau: halved when the "
        "validation score stays.",
    )
    patience: int = setting(
        5,
        "Patience",
        "Of plateau: validations without a higher score until the learning rate is halved.",
        ge=1,
        le=1000,
    )
    freeze: Freeze = setting(
        "none", "Frozen", "Kept as it is of the model to start from: its contracting path, or all but the last layer."
    )
    momentum: float = setting(0.99, "Momentum", "Of SGD.", ge=0, lt=1)
    weight_decay: float = setting(1e-4, "Weight decay", "Of AdamW.", ge=0, le=1)
    averaging: float = setting(
        0.995, "Weight averaging", "Decay of the moving average that makes any moment a good one to stop.", ge=0, lt=1
    )
    validation: float = setting(
        0.15, "Validation share", "Share of the annotated blocks kept for validation.", ge=0, le=0.5
    )
    loss: LossSpec = LossSpec()
    augment: AugmentSpec = AugmentSpec()
    weights: WeightSpec = WeightSpec()
    normalise: NormaliseSpec = NormaliseSpec()
    image: ImageSpec = ImageSpec()

    @model_validator(mode="after")
    def _one_limit(self) -> "TrainSpec":
        if self.seconds is None and self.steps is None:
            raise ValueError("give seconds or steps")
        return self

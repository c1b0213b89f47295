import hashlib
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field

from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, NormaliseSpec, Spec, Target


class Card(Spec):
    """What travels with the weights: everything needed to use them, and where they come from.

    Attributes
    ----------
    target
        What the network learned: ``classes``, ``cells``, ``image``.
    classes
        The predicted value of each of the first score maps, ascending (0 is background); none for ``image``.
    class_names
        Their names, by predicted value.
    distances
        Names of the score maps after those of the classes: distances that part touching cells (target ``cells``).
    normalise
        How images are brought to the network's range, once an image.
    training_range
        (low, high) of each channel over the training images; used when `normalise.scope` is ``training``.
    target_range
        (low, high) of each channel of the images it gives, in their units: what 0 and 1 of the network mean; empty
        where that is the range of the image given.
    residual
        What the network gives is added to the image.
    cell_diameter_px
        Typical diameter of the annotated cells, for telling touching ones apart; None when not known.
    cell_diameters_px
        Smallest and largest usual diameter of the cells it has seen, in pixels of the images; None when not known.
    scale
        Pixels the network sees for one of the images.
    threshold
        Least probability that counts as a cell; None: the usual one.
    min_size_px
        Predicted cells smaller than this are dropped; None: chosen from what is found.
    anchor
        Name of the shipped model that models trained from this one keep a share of (`training.anchor`).
    anchor_digest
        `digest` of its weights, which another version may have changed; empty in the shipped model itself.
    starts_at_anchor
        Whether its training began with those weights and nothing else.
    margin_px, grid_px
        What tiling needs (see `tiles.geometry`); kept for other programs.
    released
        Validation blocks that were trained on after all (see `data.validation.keep_validation`).
    pixel_um
        Pixel sizes of the training images by axis letter.
    provenance
        Images, steps, seconds, seed, scores, settings, versions.
    """

    format: int = 1
    target: Target = "classes"
    net: NetSpec
    classes: tuple[int, ...]
    class_names: dict[int, str] = Field(default_factory=dict)
    distances: tuple[str, ...] = ()
    normalise: NormaliseSpec = NormaliseSpec()
    training_range: tuple[tuple[float, float], ...] = ()
    target_range: tuple[tuple[float, float], ...] = ()
    residual: bool = False
    cell_diameter_px: float | None = None
    cell_diameters_px: tuple[float, float] | None = None
    scale: float = Field(default=1.0, gt=0, le=100)
    threshold: float | None = Field(default=None, gt=0, lt=1)
    min_size_px: int | None = 0
    anchor: str | None = None
    anchor_digest: str = ""
    starts_at_anchor: bool = False
    margin_px: int = 0
    grid_px: int = 1
    released: tuple[str, ...] = ()
    pixel_um: dict[str, float] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)

    @property
    def channels(self) -> int:
        """Channels of the images it reads."""
        return self.net.channels


def digest(weights: dict[str, torch.Tensor]) -> str:
    """Twelve letters that tell weights apart."""
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(name.encode() + weights[name].detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network and its card."""

    card: Card
    weights: dict[str, torch.Tensor]

    def network(self, device: torch.device) -> UNet:
        """Build the network for prediction: on the device, channels last, batch statistics frozen."""
        with torch.device("meta"):  # no weights are drawn
            network = UNet(self.card.net)
        network.to_empty(device="cpu").load_state_dict(self.weights)
        network.eval()
        return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

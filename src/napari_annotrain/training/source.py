"""Where the batches come from."""

from typing import Any, Protocol

import numpy as np
import torch

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.growth import GrownDataset
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training import augment
from napari_annotrain.training.paired_source import PairedSource
from napari_annotrain.training.sampler import Sampler, Windows


class Source(Protocol):
    """What gives windows, and makes patches of them."""

    def draw(self, rng: np.random.Generator, batch: int, step: int) -> tuple[Windows, Any]:
        """Windows of a step, and what was drawn of their changes; read on the CPU, in another thread."""

    def apply(self, drawn: Any, images: torch.Tensor, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, C, P, P) images and (B, M, P, P) maps, on the device of the windows.

        The first map is 0 where nothing is known, -1 what is known but not to be learnt, the second is the weight.
        """


class LabelSource:
    """Windows around what is annotated, deformed."""

    def __init__(self, dataset: AnnotatedDataset, spec: TrainSpec, patch: int) -> None:
        self._spec, self._patch = spec.augment, patch
        self._sampler = Sampler(dataset, patch, augment.window_size(spec.augment, patch))

    def draw(self, rng: np.random.Generator, batch: int, step: int) -> tuple[Windows, augment.Augmentation]:
        """As `Source`."""
        windows = self._sampler.draw(rng, batch, step)
        return windows, augment.draw(rng, self._spec, batch, self._patch)

    def apply(
        self, drawn: augment.Augmentation, images: torch.Tensor, maps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Source`."""
        return augment.apply(drawn, self._spec, self._patch, images, maps)

    def grow(self, grown: GrownDataset, step: int) -> None:
        """See `Sampler.grown`."""
        self._sampler = self._sampler.grown(grown.dataset, grown.fresh, step)


def source_of(dataset: AnnotatedDataset | PairedDataset, spec: TrainSpec, patch: int, lost: int = 0) -> Source:
    """The source for a dataset; the network's input is `patch` px wide, of which it loses some on every side."""
    if isinstance(dataset, PairedDataset):
        return PairedSource(dataset, spec, patch, lost)
    return LabelSource(dataset, spec, patch)

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.growth import GrownDataset
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training.source import LabelSource, source_of

#: Images, maps, and what was drawn of their changes.
_Drawn = tuple[torch.Tensor, torch.Tensor, Any]


class Batches:
    """Augmented batches by the number of the step; while one is learnt from, the windows of the next are read.

    Parameters
    ----------
    dataset
        What is learnt from.
    spec
        Size, seed and augmentation of the batches.
    patch
        Side of the network's input, in px.
    device
        Where the batches are augmented and go.
    lost
        Pixels of the input, on every side, that are not in the network's output.
    """

    def __init__(
        self,
        dataset: AnnotatedDataset | PairedDataset,
        spec: TrainSpec,
        patch: int,
        device: torch.device,
        lost: int = 0,
    ) -> None:
        self._spec, self._device = spec, device
        self._source = source_of(dataset, spec, patch, lost)
        self._reader = ThreadPoolExecutor(1, "annotrain-reading")
        self._ahead: tuple[int, Future[_Drawn]] | None = None

    def get(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, C, P, P) images and (B, 2 or more, P, P) maps of this step; they hang on the seed and the step alone."""
        if self._ahead is None or self._ahead[0] != step:
            self._read_ahead(step)
        assert self._ahead is not None
        images, maps, drawn = self._ahead[1].result()
        self._read_ahead(step + 1)
        images, maps = (tensor.to(self._device, non_blocking=True) for tensor in (images, maps))
        return self._source.apply(drawn, images, maps)

    def grow(self, grown: GrownDataset, step: int) -> None:
        """Draw from this step on also from what was painted in the meantime (`Sampler.grown`)."""
        if self._ahead is not None:
            self._ahead[1].cancel() or self._ahead[1].result()  # the sampler reads in one thread at a time
        self._ahead = None
        assert isinstance(self._source, LabelSource)
        self._source.grow(grown, step)

    def close(self) -> None:
        """Read nothing more."""
        self._ahead = None
        self._reader.shutdown(cancel_futures=True)

    def _read_ahead(self, step: int) -> None:
        self._ahead = step, self._reader.submit(self._draw, step)

    def _draw(self, step: int) -> _Drawn:
        rng = np.random.default_rng((self._spec.seed, step))
        windows, drawn = self._source.draw(rng, self._spec.batch, step)
        images, maps = torch.from_numpy(windows.images), torch.from_numpy(windows.maps)
        if self._device.type == "cuda":  # from pinned memory the copy goes on while the GPU computes
            images, maps = images.pin_memory(), maps.pin_memory()
        return images, maps, drawn

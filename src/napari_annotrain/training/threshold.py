"""From which probability on a pixel counts as cell: where the network agrees best with what was annotated."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_annotrain.metrics.jackknife import standard_error
from napari_annotrain.net.device import answer
from napari_annotrain.net.unet import UNet
from napari_annotrain.objects.rules import THRESHOLD
from napari_annotrain.training.validate import ValidationSet

#: Thresholds to choose from.
CHOICES = np.round(np.arange(0.3, 0.81, 0.05), 2)
#: One that is worse than the best by no more than this, or by what may be chance, is as good: then the one nearest to
#: the usual threshold is taken.
AS_GOOD = 0.005
#: Bins of the probabilities.
BINS = 200

Map = npt.NDArray[Any]


@torch.inference_mode()
def choose_threshold(
    network: UNet, blocks: ValidationSet, device: torch.device, precision: torch.dtype, batch: int
) -> float:
    """Choose the threshold with which inside and outside of cells fit the annotation best (intersection over union).

    Of those that are as good but for chance the one nearest to the usual one: few cells say little about what is not
    annotated (the one-standard-error rule of Breiman et al. 1984, as for the weights that are kept, `kept`).

    Parameters
    ----------
    network
        Of the target ``cells``: its first two maps are background and inside.
    blocks
        Annotated blocks (`validate.collect`).
    """
    network.eval()
    found = []
    for i in range(0, len(blocks.images), batch):
        images = blocks.images[i : i + batch].to(device)
        scores = answer(network, images, precision)[:, : blocks.n_classes, blocks.crop, blocks.crop].float().cpu()
        inside, target = scores.softmax(1)[:, 1].numpy(), blocks.target[i : i + batch].numpy()
        found += [_count(*one) for one in zip(inside, target, strict=True)]
    counts = np.stack(found)  # (N, 2, choices) pixels above each choice outside and inside of cells
    n_inside = np.array([(target == 1).sum() for target in blocks.target.numpy()])
    total, n = counts.sum(0), n_inside.sum()
    overlap = _overlap(total, n)
    best = int(overlap.argmax())
    good = CHOICES[overlap >= overlap[best] - np.maximum(AS_GOOD, _standard_error(counts, n_inside, best))]
    return float(good[np.abs(good - THRESHOLD).argmin()])


def _count(inside: Map, target: Map) -> npt.NDArray[np.int64]:
    """(2, choices) pixels above each choice, outside and inside of cells."""
    bins = np.minimum((inside * BINS).astype(np.int64), BINS - 1)
    counts = np.stack([np.bincount(bins[target == value], minlength=BINS) for value in (0, 1)])
    return np.asarray(counts[:, ::-1].cumsum(1)[:, ::-1][:, np.round(CHOICES * BINS).astype(int)])


def _overlap(above: Map, n_inside: Map | int) -> npt.NDArray[np.float64]:
    """Intersection over union with what is annotated inside: of (..., 2, choices) pixels, (..., choices)."""
    return np.asarray(above[..., 1, :] / np.maximum(1, np.expand_dims(n_inside, -1) + above[..., 0, :]))


def _standard_error(counts: Map, n_inside: Map, best: int) -> npt.NDArray[np.float64]:
    """How far each choice differs from the best one by chance: each block left out once (the jackknife, Efron 1982).

    A single block says nothing about that: infinitely far.
    """
    without = _overlap(counts.sum(0) - counts, n_inside.sum() - n_inside)
    gap = without[:, best : best + 1] - without
    return standard_error(gap)

"""From which probability on a pixel counts as cell: where the network agrees best with what was annotated."""

import numpy as np
import torch

from napari_annotrain.net.device import autocast
from napari_annotrain.net.unet import UNet
from napari_annotrain.objects.rules import THRESHOLD
from napari_annotrain.training.validate import ValidationSet

#: Thresholds to choose from.
CHOICES = np.round(np.arange(0.3, 0.81, 0.05), 2)
#: One as good as the best but for this much intersection over union is as good: then the nearest to the usual one.
AS_GOOD = 0.005
#: Bins of the probabilities.
BINS = 200


@torch.inference_mode()
def choose_threshold(
    network: UNet, blocks: ValidationSet, device: torch.device, precision: torch.dtype, batch: int
) -> float:
    """Choose the threshold with which inside and outside of cells fit the annotation best (intersection over union).

    Parameters
    ----------
    network
        Of the target ``cells``: its first two maps are background and inside.
    blocks
        Annotated blocks (`validate.collect`).
    """
    network.eval()
    counts = np.zeros((2, BINS), np.int64)
    for i in range(0, len(blocks.images), batch):
        images = blocks.images[i : i + batch].to(device, memory_format=torch.channels_last)
        with autocast(device, precision):
            scores = network(images)[:, : blocks.n_classes, blocks.crop, blocks.crop].float().cpu()
        inside, target = scores.softmax(1)[:, 1].numpy(), blocks.target[i : i + batch].numpy()
        bins = np.minimum((inside * BINS).astype(np.int64), BINS - 1)
        for value in (0, 1):
            counts[value] += np.bincount(bins[target == value], minlength=BINS)
    above = counts[:, ::-1].cumsum(1)[:, ::-1][:, np.round(CHOICES * BINS).astype(int)]
    overlap = above[1] / np.maximum(1, counts[1].sum() + above[0])
    good = CHOICES[overlap >= overlap.max() - AS_GOOD]
    return float(good[np.abs(good - THRESHOLD).argmin()])

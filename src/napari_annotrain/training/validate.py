"""Scores on the held-out blocks, the same windows every time."""

from dataclasses import dataclass

import numpy as np
import torch

from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.data.validation import BLOCK
from napari_annotrain.net.device import answer
from napari_annotrain.net.unet import UNet
from napari_annotrain.tiles.geometry import Geometry
from napari_annotrain.training.loss import weighted_cross_entropy
from napari_annotrain.training.sampler import read_normalised

#: Blocks scored at most, evenly spread; a validation must stay cheap beside the training step.
MOST_BLOCKS = 24
#: Context around a block for padded networks, in px: fewer than the reach, as in the training patches.
CONTEXT = 32


@dataclass(frozen=True)
class ValidationSet:
    """Normalised windows around held-out blocks.

    Attributes
    ----------
    images
        (N, C, S, S) float32.
    target
        (N, B, B) int64 class index of the block's pixels, negative where not held out or not annotated.
    crop
        Where the block lies in the network's output.
    """

    images: torch.Tensor
    target: torch.Tensor
    crop: slice
    n_classes: int
    measure = "IoU"  # what the score is

    def score(
        self, network: UNet, device: torch.device, precision: torch.dtype, batch: int
    ) -> tuple[torch.Tensor, float]:
        """See the function of this name."""
        return score(network, self, device, precision, batch)


def collect(
    dataset: AnnotatedDataset, geometry: Geometry, padded: bool, everywhere: bool = False
) -> ValidationSet | None:
    """Read the held-out blocks of a dataset, or all that are annotated; None where there is none."""
    chosen = [(area, area.target >= 0 if everywhere else area.held_out) for area in dataset.areas]
    blocks = [(area, of, y, x) for area, of in chosen for y, x in _blocks(of, area.box)]
    blocks = blocks[:: -(-len(blocks) // MOST_BLOCKS) or 1]
    if not blocks:
        return None
    core = geometry.round_up(BLOCK)
    before = -(-CONTEXT // geometry.grid) * geometry.grid if padded else geometry.before
    size = core + 2 * before if padded else geometry.read_size(core)
    images, targets = [], []
    for area, of, y, x in blocks:
        images.append(
            read_normalised(dataset, area, (slice(y - before, y - before + size), slice(x - before, x - before + size)))
        )
        target = np.full((BLOCK, BLOCK), -1, np.int64)
        rows, columns = (slice(max(o, s.start), min(o + BLOCK, s.stop)) for o, s in zip((y, x), area.box, strict=True))
        here = (
            slice(rows.start - area.box[0].start, rows.stop - area.box[0].start),
            slice(columns.start - area.box[1].start, columns.stop - area.box[1].start),
        )
        target[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = np.where(
            of[here], area.target[here], -1
        )
        targets.append(target)
    first = before if padded else 0
    return ValidationSet(
        torch.from_numpy(np.stack(images)),
        torch.from_numpy(np.stack(targets)),
        slice(first, first + BLOCK),
        len(dataset.classes),
    )


@torch.inference_mode()
def score(
    network: UNet, blocks: ValidationSet, device: torch.device, precision: torch.dtype, batch: int
) -> tuple[torch.Tensor, float]:
    """Compare a network's classes with the held-out pixels.

    Returns
    -------
    tables
        (N, K, K) int64: of each block, the pixels of every true class (rows) that were given each class (columns).
    loss
        Cross-entropy over the held-out pixels.
    """
    k = blocks.n_classes
    tables, losses, network_was_training = [], [], network.training
    network.eval()
    for i in range(0, len(blocks.images), batch):
        images = blocks.images[i : i + batch].to(device)
        target = blocks.target[i : i + batch]
        scores = answer(network, images, precision)[:, :k, blocks.crop, blocks.crop].float().cpu()
        known = target >= 0
        losses.append((weighted_cross_entropy(scores, target, known.float()).item(), int(known.sum())))
        pairs = target * k + scores.argmax(1)
        tables += [torch.bincount(p[at], minlength=k * k).view(k, k) for p, at in zip(pairs, known, strict=True)]
    network.train(network_was_training)
    n = sum(count for _, count in losses)
    return torch.stack(tables), sum(loss * count for loss, count in losses) / max(1, n)


def mean_iou(tables: torch.Tensor) -> torch.Tensor:
    """Mean intersection over union over the classes that occur in the truth; (..., K, K) tables of pixels to (...)."""
    seen = tables.sum(-1) > 0
    return (class_iou(tables) * seen).sum(-1) / seen.sum(-1).clamp(min=1)


def class_iou(tables: torch.Tensor) -> torch.Tensor:
    """Intersection over union of each class; (..., K, K) tables of pixels to (..., K), 0 for classes without any."""
    tables = tables.double()
    both = tables.diagonal(dim1=-2, dim2=-1)
    either = tables.sum(-1) + tables.sum(-2) - both
    return both / either.clamp(min=1)


def _blocks(held_out: np.ndarray, box: tuple[slice, slice]) -> list[tuple[int, int]]:
    """(y, x) origins, in the image, of the blocks with held-out pixels."""
    rows, columns = np.nonzero(held_out)
    pairs = np.stack([(rows + box[0].start) // BLOCK, (columns + box[1].start) // BLOCK], axis=1)
    return [(int(y) * BLOCK, int(x) * BLOCK) for y, x in np.unique(pairs, axis=0)]

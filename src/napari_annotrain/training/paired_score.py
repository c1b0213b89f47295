"""How near a network comes to the target on the held-out blocks, the same windows every time."""

from dataclasses import dataclass

import numpy as np
import torch

from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.data.validation import BLOCK, is_validation
from napari_annotrain.net.device import answer
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import TrainSpec
from napari_annotrain.tiles.geometry import Geometry
from napari_annotrain.training.corruption import corrupt
from napari_annotrain.training.image_loss import ImageLoss, finish
from napari_annotrain.training.paired_source import read_pair
from napari_annotrain.training.validate import CONTEXT, MOST_BLOCKS

#: What the score is a signal-to-noise ratio of.
MEASURES = {"pair": "PSNR", "corrupted": "PSNR of restored images", "noise2void": "PSNR of hidden pixels"}


@dataclass(frozen=True)
class PairedBlocks:
    """Normalised windows around held-out blocks.

    Attributes
    ----------
    images
        (N, C, S, S) float32.
    maps
        (N, M, B, B) float32 of the block, see `image_loss.finish`; weight 0 where not held out.
    crop
        Where the block lies in the network's output.
    loss
        Of the training.
    measure
        What the score is.
    """

    images: torch.Tensor
    maps: torch.Tensor
    crop: slice
    loss: ImageLoss
    measure: str

    @torch.inference_mode()
    def score(
        self, network: UNet, device: torch.device, precision: torch.dtype, batch: int
    ) -> tuple[torch.Tensor, float]:
        """Compare what a network makes of the blocks with their targets.

        Returns
        -------
        tables
            (N, 2) float64: summed squared error of each block, and how many values it is summed over.
        loss
            Mean over the blocks.
        """
        tables, losses, network_was_training = [], [], network.training
        network.eval()
        for i in range(0, len(self.images), batch):
            images = self.images[i : i + batch].to(device)
            maps = self.maps[i : i + batch]
            made = answer(network, images, precision)[:, :, self.crop, self.crop].float().cpu()
            found, target = finish(made, maps)
            squared = ((found - target).square() * maps[:, 1:2]).double().sum((1, 2, 3))
            tables.append(torch.stack([squared, maps[:, 1].double().sum((1, 2)) * made.shape[1]], 1))
            losses.append(self.loss(made, maps).item() * len(maps))
        network.train(network_was_training)
        return torch.cat(tables), sum(losses) / len(self.images)


def collect_pairs(dataset: PairedDataset, geometry: Geometry, padded: bool, spec: TrainSpec) -> PairedBlocks | None:
    """Read the held-out blocks of a dataset; None where there is none."""
    blocks = dataset.held_out[:: -(-len(dataset.held_out) // MOST_BLOCKS) or 1]
    if not blocks:
        return None
    core = geometry.round_up(BLOCK)
    before = -(-CONTEXT // geometry.grid) * geometry.grid if padded else geometry.before
    size = core + 2 * before if padded else geometry.read_size(core)
    rim, after = max(before, CONTEXT), max(size - before, BLOCK + CONTEXT)  # read around the block, see `_corrupt`
    n = dataset.images[0].stack.n_channels
    images, maps = [], []
    for b in blocks:
        window = slice(b.y - rim, b.y + after), slice(b.x - rim, b.x + after)
        values = read_pair(dataset, b.image, b.t, b.z, window)
        target = values[n + 1 :] if dataset.images[b.image].target is not None else values[:n]
        known = np.zeros((1, rim + after, rim + after), np.float32)
        shape = dataset.images[b.image].stack.shape[-2:]
        inside = slice(b.y, min(b.y + BLOCK, shape[0])), slice(b.x, min(b.x + BLOCK, shape[1]))
        own = is_validation(dataset.keys[b.image], b.t, b.z, inside, dataset.share, dataset.released)
        rows, columns = (slice(rim, rim + s.stop - s.start) for s in inside)
        known[0, rows, columns] = own * values[n, rows, columns]
        images.append(values[:n])
        maps.append(np.concatenate([known, target]))
    seen, shown = torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(maps))
    seen, weight = _corrupt(seen, shown[:, :1], spec, rim)
    shown = torch.cat([shown[:, :1], weight, shown[:, 1:], *([seen] if dataset.residual else [])], 1)
    shown = shown[..., rim : rim + BLOCK, rim : rim + BLOCK]
    seen = seen[..., rim - before : rim - before + size, rim - before : rim - before + size].contiguous()
    first = before if padded else 0
    crop = slice(first, first + BLOCK)
    return PairedBlocks(seen, shown, crop, ImageLoss(spec.image), MEASURES[spec.image.learn_from])


def _corrupt(images: torch.Tensor, known: torch.Tensor, spec: TrainSpec, rim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Make windows worse; a block, and `CONTEXT` around it, is the same however much a network reads around them.

    So networks with other borders are judged by the same noise and the same hidden pixels.
    """
    generator, near = torch.Generator().manual_seed(spec.seed), slice(rim - CONTEXT, rim + BLOCK + CONTEXT)
    box = (..., near, near)
    inner = corrupt(images[box], known[box], spec.image, generator)
    seen, weight = (one.clone() for one in corrupt(images, known, spec.image, generator))
    seen[box], weight[box] = inner
    return seen, weight


def psnr(tables: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB, for a signal of the target's range; (..., 2) sums to (...)."""
    mean = tables[..., 0].double() / tables[..., 1].clamp(min=1)
    return -10 * torch.log10(mean.clamp(min=1e-12))

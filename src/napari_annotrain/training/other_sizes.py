"""Patches of a batch, enlarged or shrunk, so that cells of other sizes than annotated are not forgotten."""

import numpy as np
import torch
from torch.nn.functional import interpolate, pad

#: Besides a batch, half of its patches are shown again, enlarged or shrunk by a factor between these.
SIZES = (0.5, 4.0)


def n_resized(batch: int) -> int:
    """So many patches of other sizes are shown beside a batch."""
    return -(-batch // 2)


def resize(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Show half of the (B, C, P, P) patches, drawn at random, at another size; mirrored where they become too small.

    Also what is annotated in them: not to ask where the annotation contradicts the shipped model changed little on
    training images of DSB 2018.

    Of Apple's GPUs the processor does this, as older torch cannot smooth there what it shrinks.

    Returns
    -------
    (`n_resized`, C, P, P); the logarithm of the factor is drawn evenly.
    """
    side, made = images.shape[-1], []
    for i in rng.permutation(len(images))[: n_resized(len(images))]:
        factor, patch = float(np.exp(rng.uniform(*np.log(SIZES)))), images[i : i + 1]
        patch = patch.cpu() if images.device.type == "mps" else patch
        if factor < 1:
            edge = int(side * (1 / factor - 1) / 2)  # at most half of the side
            wide = pad(patch, (edge,) * 4, mode="reflect")
            made.append(interpolate(wide, (side, side), mode="bilinear", antialias=True, align_corners=False))
        else:
            part = max(1, int(side / factor))
            y, x = rng.integers(0, side - part + 1, 2)
            narrow = patch[..., y : y + part, x : x + part]
            made.append(interpolate(narrow, (side, side), mode="bicubic", align_corners=False))
    return torch.cat(made).to(images.device)

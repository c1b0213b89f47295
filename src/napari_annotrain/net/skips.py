"""What the expanding path gets from the contracting one."""

import torch
from torch import nn

from napari_annotrain.net.blocks import make_block
from napari_annotrain.net.maps import crop_like
from napari_annotrain.specs import NetSpec


def make_merge(spec: NetSpec, width: int) -> nn.Module:
    """What makes a level's feature maps of those that were joined; for score maps, its own ones of the skip."""
    if spec.skips == "scores":
        return nn.Conv2d(width, spec.outputs, 1)
    return make_block(spec, 2 * width if spec.skips == "concatenate" else width, width)


def merge_skip(how: str, merge: nn.Module, skip: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Join the feature maps of a level, cut to size, with those that come from below.

    Parameters
    ----------
    how
        `NetSpec.skips`.
    merge
        From `make_merge`.
    skip, x
        (B, C, Y', X') and (B, C, Y, X); with ``scores`` the second are the score maps of all deeper levels.
    """
    skip = crop_like(skip, x)
    match how:
        case "scores":
            return merge(skip) + x  # type: ignore[no-any-return]
        case "add":
            x = skip + x
        case "multiply":
            x = skip * x
        case "concatenate":
            x = torch.cat([skip, x], dim=1)
    return merge(x)  # type: ignore[no-any-return]

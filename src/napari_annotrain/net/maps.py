"""Cutting feature maps to size."""

import torch


def crop_like(skip: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Cut the middle out of a map of the contracting path; border pixels were lost in the convolutions below it."""
    y, x = ((a - b) // 2 for a, b in zip(skip.shape[-2:], like.shape[-2:], strict=True))
    return skip[..., y : y + like.shape[-2], x : x + like.shape[-1]]


def trim(x: torch.Tensor, pixels: int) -> torch.Tensor:
    """Cut so many pixels off every side."""
    return x[..., pixels : x.shape[-2] - pixels, pixels : x.shape[-1] - pixels] if pixels else x

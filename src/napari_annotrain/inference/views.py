"""How often an image is looked at for a prediction, and how."""

import torch

from napari_annotrain.net.device import choose_precision
from napari_annotrain.specs import PredictSpec, Views


def views_of(spec: PredictSpec, uncertain: bool) -> Views:
    """Views of an image that are compared: as asked, or all eight where their spread is wanted and none are asked."""
    if uncertain and spec.uncertainty == "augmentation" and spec.augment == "none":
        return "flips and turns"
    return spec.augment


def draws_networks(spec: PredictSpec) -> bool:
    """Whether networks drawn by dropout are compared; then the image is not turned."""
    return spec.output == "uncertainty" and spec.uncertainty == "dropout"


def times_of(spec: PredictSpec) -> int:
    """How often each tile goes through a network."""
    if draws_networks(spec):
        return spec.samples
    return {"none": 1, "flips": 4, "flips and turns": 8}[views_of(spec, spec.output == "uncertainty")]


def precision_of(spec: PredictSpec, device: torch.device) -> torch.dtype:
    """What is computed in; networks drawn by dropout, which are not rewritten for prediction, in 32 bits."""
    return torch.float32 if draws_networks(spec) else choose_precision(spec.precision, device)


def how_of(spec: PredictSpec) -> tuple[object, ...]:
    """What the values of a plane hang on besides model, precision and scale."""
    if draws_networks(spec):
        return spec.uncertainty, spec.samples
    return (spec.augment, *([spec.uncertainty] if spec.output == "uncertainty" else []))


def in_words(spec: PredictSpec) -> str:
    """What it takes that an image is looked at more than once, in a sentence; empty where it is not."""
    times = times_of(spec)
    if times == 1:
        return ""
    if draws_networks(spec):
        return f"{times} networks drawn by dropout look at each tile: it takes {times} times as long, or longer."
    return f"Each tile is predicted {times} times, turned and mirrored: it takes {times} times as long."

"""What of a session goes into the methods of a paper."""

from collections.abc import Mapping, Sequence
from typing import Any

CITATION = (
    "Ronneberger, O., Fischer, P., Brox, T. (2015). U-Net: Convolutional Networks for Biomedical Image Segmentation. "
    "MICCAI, LNCS 9351:234-241."
)


def methods(card: Mapping[str, Any] | None, n_images: int, amount: str, version: str) -> str:
    """One paragraph that says how the segmentation was made, and the work to cite.

    Parameters
    ----------
    card
        Of the model that predicts, as JSON; None without one.
    n_images
        Images that were annotated.
    amount
        What was annotated, in words.
    version
        Of napari-annotrain.
    """
    images = f"{n_images} image{'s' * (n_images != 1)}"
    start = f"Images were annotated in napari with napari-annotrain {version} ({amount} in {images})."
    if card is not None and card.get("target") == "image":
        start = f"Images were computed in napari with napari-annotrain {version}."
    if card is None:
        return f"{start} No network had been trained when this was written.\n\n{CITATION}\n"
    return " ".join([start, *_training(card)]) + f"\n\n{CITATION}\n"


def _training(card: Mapping[str, Any]) -> Sequence[str]:
    net, made = card.get("net", {}), card.get("provenance", {})
    spec = made.get("settings", {})
    kind = {"cells": "single cells", "image": "images"}.get(str(card.get("target")), "classes of pixels")
    said = [
        f"A two-dimensional U-Net (Ronneberger et al. 2015; {net.get('width')} feature maps on the top level, "
        f"{net.get('depth')} levels of pooling) was trained to give {kind}"
        + (f", starting from the model {made['base']}," if made.get("base") else ", starting from random weights,")
        + f" for {made.get('steps', '?')} steps ({made.get('seconds', '?')} s, {made.get('device', 'unknown device')}, "
        f"{made.get('precision', 'unknown precision')}, seed {made.get('seed', spec.get('seed', '?'))})."
    ]
    if made.get("annotated_pixels"):
        said.append(f"It learnt from {sum(made['annotated_pixels'].values()):,} annotated pixels.")
    images = card.get("target") == "image"
    if images:
        said.append(_learnt(spec))
    augment = spec.get("augment", {})
    if augment and not images:
        said.append(
            f"Patches of {spec.get('patch')} px were augmented by elastic deformation (standard deviation "
            f"{augment.get('elastic_px')} px, grid {augment.get('elastic_spacing_px')} px), rotation up to "
            f"{augment.get('rotate_deg')}°, scaling up to {augment.get('scale')}x, and changes of intensity; gaps "
            f"between cells were weighted (w0 = {spec.get('weights', {}).get('border')}, sigma = "
            f"{spec.get('weights', {}).get('sigma_px')} px)."
        )
    if made.get("validation_iou") is not None:
        said.append(
            f"On annotated pixels kept out of training, the mean intersection over union of its classes was "
            f"{made['validation_iou']:.2f}."
        )
    if made.get("validation_psnr_db") is not None:
        what = "hidden pixels" if made.get("learn_from") == "noise2void" else "pixels"
        said.append(
            f"On {what} kept out of training, the signal-to-noise ratio was {made['validation_psnr_db']:.1f} dB."
        )
    said.append("Images of any size were predicted in overlapping tiles whose result equals that of the whole image.")
    versions = ", ".join(f"{name} {number}" for name, number in made.get("versions", {}).items())
    return [*said, f"Software: {versions}."] if versions else said


def _learnt(spec: Mapping[str, Any]) -> str:
    """What a model of images was trained on, in a sentence."""
    image = spec.get("image", {})
    losses = {"mse": "mean squared error", "mae": "mean absolute error", "ssim": "1 - SSIM"}
    parts = " + ".join(f"{image[key]:g} x {name}" for key, name in losses.items() if image.get(key))
    of = {
        "corrupted": f"images alone, restored from noise (sigma {image.get('corrupt_noise')} of the range)",
        "noise2void": "noisy images alone, by hidden pixels (noise2void; Krull, Buchholz, Jug 2019)",
    }.get(str(image.get("learn_from")), "pairs of images")
    turned = "flipped and turned by quarters" if image.get("vary") == "turns" else "deformed elastically"
    return f"It learnt from {of}, with the loss {parts}; patches of {spec.get('patch')} px were {turned}."

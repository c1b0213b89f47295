"""What of a session goes into the methods of a paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from napari_annotrain.specs import NetChoices

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
        f"A two-dimensional {_network(net)} was trained to give {kind}"
        + (f", starting from the model {made['base']}," if made.get("base") else ", starting from random weights,")
        + f" for {made.get('steps', '?')} steps ({made.get('seconds', '?')} s, {made.get('device', 'unknown device')}, "
        f"{made.get('precision', 'unknown precision')}, seed {made.get('seed', spec.get('seed', '?'))})."
    ]
    if made.get("annotated_pixels"):
        said.append(f"It learnt from {sum(made['annotated_pixels'].values()):,} annotated pixels.")
    if _loss(spec):
        said.append(_loss(spec))
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


def _network(net: Mapping[str, Any]) -> str:
    """The network in words: the U-Net of the paper, and what was chosen otherwise."""
    usual = NetChoices().model_dump()
    names = ("block", "activation", "down", "up", "skips")
    other = [f"{NetChoices.model_fields[n].title.lower()} {net[n]}" for n in names if net.get(n, usual[n]) != usual[n]]  # type: ignore[union-attr]
    halved = "no pooling" if net.get("down") == "none" else f"{net.get('depth')} levels of pooling"
    width = f"{net.get('width')} feature maps on the top level, {halved}"
    if other:
        return f"relative of the U-Net (Ronneberger et al. 2015; {width}; {', '.join(other)})"
    return f"U-Net (Ronneberger et al. 2015; {width})"


def _loss(spec: Mapping[str, Any]) -> str:
    """The loss, the learning rate over time, and what was kept, where they are not the usual ones; else empty."""
    loss, said = spec.get("loss", {}), []
    names = {"cross_entropy": "weighted cross-entropy", "dice": "soft Dice", "focal": "focal", "tversky": "Tversky"}
    shares = {key: loss.get(key, 0) for key in names}
    if any(shares[key] for key in ("dice", "focal", "tversky")):
        said.append(
            "the loss was " + " + ".join(f"{shares[key]:g} x {name}" for key, name in names.items() if shares[key])
        )
    if spec.get("schedule", "constant") != "constant":
        said.append(f"the learning rate followed the schedule {spec['schedule']}")
    if spec.get("freeze", "none") != "none":
        said.append(f"of the model it started from {spec['freeze']} stayed as it was")
    words = "; ".join(said)
    return f"{words[:1].upper()}{words[1:]}." if words else ""


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

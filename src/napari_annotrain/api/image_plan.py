"""What a training of the target image needs, gathered before it starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_annotrain.api.plan import Plan, check_freeze, choose_network, provenance_of, start_from
from napari_annotrain.data.feed import Feed
from napari_annotrain.data.growth import Growth
from napari_annotrain.data.paired import PairedDataset, PairedImage, build_paired
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card, Model
from napari_annotrain.specs import ImageSpec, NetChoices, NetSpec, Preset, TrainSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.training.state import TrainingState


def make_image_plan(
    images: Sequence[PairedImage],
    target: str,
    preset: str | Preset,
    base: Model | str | Path | None,
    spec: TrainSpec | None,
    state: TrainingState | None,
    card: Card | None,
    class_names: Mapping[int, str] | None = None,
    skip_bad: bool = False,
    feed: Feed | None = None,
    net_choices: NetChoices | Mapping[str, Any] | None = None,
) -> Plan:
    """Measure the images, and choose the network that fits them; as `plan.make_plan`.

    Raises
    ------
    AnnotrainError
        The images cannot be used, the settings contradict each other, or the training to resume had others.
    """
    chosen, spec, base = start_from(preset, base, spec)
    check_image_spec(spec.image)
    origin = card or (base.card if base else None)
    check_freeze(spec, origin)
    known = card.target_range if card else _range_of(base, images, spec)
    dataset = build_paired(images, spec, origin.released if origin else (), skip_bad, known)
    shape = {"channels": dataset.images[0].stack.n_channels, "outputs": dataset.n_targets}
    net = choose_network(origin, chosen.net, net_choices, "to resume" if card else "to start from")
    net = net.model_copy(update=shape)
    if card is not None and net != card.net:
        raise AnnotrainError("The images have other channels than the training to resume: train without --resume.")
    growth = Growth(feed, "image", spec) if feed is not None else None
    return Plan(dataset, net, spec, base, None, state, _make_card(dataset, net, spec, base), growth)


def _range_of(
    base: Model | None, images: Sequence[PairedImage], spec: TrainSpec
) -> tuple[tuple[float, float], ...] | None:
    """The range of the results of the model to start from, whose weights go with it; None: chosen anew."""
    if base is None or base.card.target != "image" or spec.image.target_range != "auto":
        return None
    channels = (images[0].target or images[0].stack).n_channels
    own = not base.card.target_range
    fits = channels == base.card.net.outputs and (not own or channels == images[0].stack.n_channels)
    return base.card.target_range if fits else None


def check_image_spec(spec: ImageSpec) -> ImageSpec:
    """Give the settings back where they go together.

    Raises
    ------
    AnnotrainError
        They do not.
    """
    if spec.learn_from == "noise2void" and spec.ssim:
        raise AnnotrainError(
            "noise2void compares single pixels, of which SSIM knows nothing: set its share in the loss to 0."
        )
    if spec.learn_from == "noise2void" and spec.vary != "turns":
        raise AnnotrainError(
            "noise2void needs noise that is independent from pixel to pixel, which deformation makes smooth: set the "
            "augmentation to turns."
        )
    return spec


def _make_card(dataset: PairedDataset, net: NetSpec, spec: TrainSpec, base: Model | None) -> Card:
    tiling, ranges = geometry(net), dataset.normalisations[0]
    learnt: dict[str, Any] = {"pixels": dataset.n_pixels, "learn_from": spec.image.learn_from}
    return Card(
        target="image",
        net=net,
        classes=(),
        normalise=spec.normalise,
        training_range=tuple(zip(ranges.low, ranges.high, strict=True)) if spec.normalise.scope == "training" else (),
        target_range=dataset.target_range,
        residual=dataset.residual,
        released=dataset.released,
        margin_px=tiling.before,
        grid_px=tiling.grid,
        pixel_um=dict(dataset.images[0].stack.pixel_um),
        provenance=provenance_of([image.name for image in dataset.images], base, spec, **learnt),
    )

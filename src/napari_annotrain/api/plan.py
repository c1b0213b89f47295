"""What a training run needs, gathered before it starts."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

import napari_annotrain
from napari_annotrain.api.failures import first_words
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.cells import CellSizes
from napari_annotrain.data.dataset import AnnotatedDataset, build_dataset
from napari_annotrain.data.feed import Feed
from napari_annotrain.data.growth import Growth
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.inference.rescale import factor_to
from napari_annotrain.net.model import Card, Model, digest
from napari_annotrain.specs import NetChoices, NetSpec, Preset, Target, TrainSpec, check_choice, find_preset
from napari_annotrain.store.models import load_model, shipped_models
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.training.anchor import Anchor, share_for
from napari_annotrain.training.augment import window_size
from napari_annotrain.training.state import TrainingState


@dataclass(frozen=True)
class Plan:
    """All that a training run needs."""

    dataset: AnnotatedDataset | PairedDataset
    net: NetSpec
    spec: TrainSpec
    base: Model | None
    anchor: Anchor | None
    state: TrainingState | None
    card: Card
    growth: Growth | None = None


def make_plan(
    images: Sequence[AnnotatedImage],
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
    """Read the annotation, and choose the network that fits it.

    Parameters
    ----------
    skip_bad
        Leave out images that cannot be used, instead of refusing.
    feed
        Brings what is painted while the training goes on.
    net_choices
        What of the preset's network is chosen otherwise; a model to start from keeps its own.
    """
    check_choice("target", target, Target)
    if target == "image":  # `image_plan` makes its plan
        raise AnnotrainError("This is done for classes and cells, not for the target image: choose one of them.")
    chosen, spec, base = start_from(preset, base, spec)
    origin = card or (base.card if base else None)
    check_freeze(spec, origin)
    net = choose_network(origin, chosen.net, net_choices, "to resume" if card else "to start from")
    goal, window_px = cast("Target", target), _window_px(net, spec)
    dataset, scale = _build(images, goal, spec, origin, skip_bad, window_px, resumed=card is not None)
    shape = {"channels": dataset.images[0].stack.n_channels, "outputs": len(dataset.classes) + len(dataset.distances)}
    net = net.model_copy(update=shape)
    if card is not None and (net != card.net or dataset.classes != card.classes):
        raise AnnotrainError(
            "The annotation has other classes or channels than the training to resume: train without --resume."
        )
    made = _make_card(dataset, net, spec, target, class_names, base, scale)
    anchor = _find_anchor(base, origin, made, dataset.sizes.n if dataset.sizes else 0, card is not None)
    made = made.model_copy(
        update={
            "anchor": origin.anchor if anchor and origin else None,
            "anchor_digest": digest(anchor.weights) if anchor else "",
            "starts_at_anchor": anchor is not None and anchor.is_start,
        }
    )
    growth = Growth(feed, goal, spec, scale, window_px) if feed is not None else None
    return Plan(dataset, net, spec, base, anchor, state, made, growth)


def start_from(
    preset: str | Preset, base: Model | str | Path | None, spec: TrainSpec | None
) -> tuple[Preset, TrainSpec, Model | None]:
    """The preset and the model that were named, and the settings: intensities are measured as for that model."""
    chosen = find_preset(preset)
    spec = spec or chosen.train
    if isinstance(base, str | Path):
        base = None if base == "none" else load_model(base)
    if base is not None:
        spec = spec.model_copy(update={"normalise": base.card.normalise})
    return chosen, spec, base


def check_freeze(spec: TrainSpec, origin: Card | None) -> None:
    """Refuse to keep parts of a network that starts from nothing as they are."""
    if origin is None and spec.freeze != "none":
        raise AnnotrainError(
            "Nothing of a network that starts from nothing can be kept as it is: choose a model to start from, or keep "
            "nothing."
        )


def choose_network(
    origin: Card | None, usual: NetSpec, choices: NetChoices | Mapping[str, Any] | None, what: str = "to start from"
) -> NetSpec:
    """The network to train: that of the model it starts from, or the usual one with what was chosen otherwise.

    Raises
    ------
    AnnotrainError
        There is no such network, or the model has another one, into which its weights would not fit.
    """
    if origin is None:
        return usual.choose(choices)
    different = origin.net.choose(choices).differences(origin.net)
    if different:
        raise AnnotrainError(
            f"The model {what} has another network than the one that was chosen ({'; '.join(different)}): keep its "
            "network, or start from nothing."
        )
    return origin.net


def grown_card(card: Card, dataset: AnnotatedDataset) -> Card:
    """The card of a model that has learnt from more than at first."""
    sizes = dataset.sizes
    return card.model_copy(
        update={
            **(_of_sizes(sizes) if sizes else {}),
            "released": dataset.released,
            "provenance": card.provenance | {"annotated_pixels": _annotated_pixels(dataset)},
        }
    )


def _build(
    images: Sequence[AnnotatedImage],
    target: Target,
    spec: TrainSpec,
    origin: Card | None,
    skip_bad: bool,
    context_px: int,
    resumed: bool,
) -> tuple[AnnotatedDataset, float]:
    """What is annotated, at the scale at which the network should see it; sizes of cells are those of the images.

    A resumed training keeps its scale, whatever was painted since.
    """
    released = origin.released if origin else ()
    dataset = build_dataset(images, target, spec, released, skip_bad, context_px)
    scale = origin.scale if origin else 1.0
    note = "The images were brought to {scale:.0%} for the network, as for the model to start from."
    factor = factor_to(origin, dataset.sizes.diameter_px) if origin and dataset.sizes and not resumed else 1.0
    if factor != 1:
        scale *= factor
        note = (
            "The images were brought to {scale:.0%} for the network: the cells are about {diameter:.0f} px wide, and "
            "the model to start from knows others."
        )
    if scale == 1:
        return dataset, 1.0
    rescaled = build_dataset([image.rescaled(scale) for image in images], target, spec, released, skip_bad, context_px)
    words = note.format(scale=scale, diameter=dataset.sizes.diameter_px if dataset.sizes else 0)
    return replace(rescaled, sizes=dataset.sizes, notes=(*rescaled.notes, words)), scale


def _find_anchor(base: Model | None, origin: Card | None, card: Card, n_cells: int, resumed: bool) -> Anchor | None:
    """The base model that the one to start from is or goes back to, where the new one can keep a share of it."""
    if origin is None or origin.anchor is None:
        return None
    if base is not None and base.card.provenance.get("name") == origin.anchor:
        anchor = base
    elif origin.anchor in shipped_models():
        anchor = load_model(origin.anchor)
        if digest(anchor.weights) != origin.anchor_digest:  # other weights under the same name, of another version
            return None
    else:
        return None
    same = anchor.card.net == card.net and anchor.card.target == card.target
    is_start = origin.starts_at_anchor if resumed else anchor is base
    return Anchor(anchor.weights, share_for(n_cells), is_start=is_start) if same else None


def _window_px(net: NetSpec, spec: TrainSpec) -> int:
    """Side of the windows that training reads, before they are deformed: so far around what is annotated it sees."""
    tiling = geometry(net)
    return window_size(spec.augment, (tiling.round_up if net.padding == "same" else tiling.read_size)(spec.patch))


def _make_card(
    dataset: AnnotatedDataset,
    net: NetSpec,
    spec: TrainSpec,
    target: str,
    class_names: Mapping[int, str] | None,
    base: Model | None,
    scale: float,
) -> Card:
    tiling = geometry(net)
    ranges, sizes = dataset.normalisations[0], dataset.sizes
    known = {0: "background"} | {v: f"class {v}" for v in dataset.classes if v} | dict(class_names or {})
    if target == "cells":
        known[1] = "cell"
    return Card(
        target=cast("Target", target),
        net=net,
        classes=dataset.classes,
        class_names={v: known[v] for v in dataset.classes},
        distances=dataset.distances,
        normalise=spec.normalise,
        training_range=tuple(zip(ranges.low, ranges.high, strict=True)) if spec.normalise.scope == "training" else (),
        **(_of_sizes(sizes) if sizes else {}),
        scale=scale,
        released=dataset.released,
        margin_px=tiling.before,
        grid_px=tiling.grid,
        pixel_um=dict((dataset.images[0].full_size or dataset.images[0].stack).pixel_um),
        provenance=provenance_of(
            [image.name for image in dataset.images], base, spec, annotated_pixels=_annotated_pixels(dataset)
        ),
    )


def provenance_of(names: Sequence[str], base: Model | None, spec: TrainSpec, **more: Any) -> dict[str, Any]:
    """Where a model comes from, for its card."""
    return {
        "images": first_words(list(names)),
        **more,
        "base": base.card.provenance.get("name", "a model") if base else None,
        "settings": spec.model_dump(mode="json"),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {
            "napari-annotrain": napari_annotrain.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }


def _of_sizes(sizes: CellSizes) -> dict[str, Any]:
    return {"cell_diameter_px": sizes.diameter_px, "cell_diameters_px": sizes.usual_px, "min_size_px": sizes.least_px}


def _annotated_pixels(dataset: AnnotatedDataset) -> dict[str, int]:
    return dict(zip(map(str, dataset.classes), dataset.n_annotated, strict=True))

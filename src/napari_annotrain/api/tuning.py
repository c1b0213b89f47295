"""What suits an annotation and a computer: the learning rate, and the size of patches and batches."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from napari_annotrain.api.chosen import choose_settings
from napari_annotrain.api.outcome import result_of
from napari_annotrain.api.plan import Plan, make_plan
from napari_annotrain.api.sources import Source, annotated_images
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import AnnotatedDataset
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Note, OnEvent
from napari_annotrain.net.device import choose_device
from napari_annotrain.net.model import Model
from napari_annotrain.specs import NetChoices, TrainSpec, find_preset
from napari_annotrain.training.rates import STEPS, RateCurve, iter_rates
from napari_annotrain.training.speed import BATCHES, PATCHES, BatchSizes, iter_costs

Net = NetChoices | Mapping[str, Any] | None


def find_learning_rate(
    images: Source,
    annotations: Source,
    target: str = "classes",
    dense: bool = False,
    base: Model | str | Path | None = None,
    preset: str = "fast",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    axes: str | None = None,
    steps: int = STEPS,
    on_event: OnEvent | None = None,
    net: Net = None,
) -> RateCurve:
    """Find a learning rate: the loss of a training in which it grows from step to step (Smith 2017, section 3.3).

    Parameters
    ----------
    images, annotations, target, dense, base, preset, settings, device, axes, on_event, net
        As in `train`.
    steps
        How many at most, from a rate of 1e-6 to 1.

    Returns
    -------
    The curve, with the proposed `rate`: that at which the loss had made half of its way down.

    Raises
    ------
    AnnotrainError
        Bad input, in one sentence.
    """
    if steps < 2:
        raise AnnotrainError(f"A learning rate cannot grow in {steps} steps: give at least 2.")
    plan = _plan(images, annotations, target, dense, base, preset, settings, device, axes, on_event, net)
    found: RateCurve = result_of(_rates(plan, steps), on_event)
    return found


def measure_batches(
    images: Source,
    annotations: Source,
    target: str = "classes",
    dense: bool = False,
    preset: str = "fast",
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    axes: str | None = None,
    patches: Sequence[int] = PATCHES,
    batches: Sequence[int] = BATCHES,
    on_event: OnEvent | None = None,
    net: Net = None,
) -> BatchSizes:
    """Measure what a training step takes with patches and batches of some sizes, in a few steps each.

    Parameters
    ----------
    images, annotations, target, dense, preset, settings, device, axes, on_event, net
        As in `train`.
    patches, batches
        Sides in px and patches a step to try, each with each; those that do not fit into the free memory are left out.

    Returns
    -------
    Seconds and memory of each, and a proposal: of those that learn nearly as many pixels a second as the fastest, the
    one nearest to the preset. What patches of another size teach is not measured, nor what it takes to ask a base model
    (`training.teacher`): with few cells a step takes up to twice as long.

    Raises
    ------
    AnnotrainError
        Bad input, in one sentence.
    """
    plan = _plan(images, annotations, target, dense, None, preset, settings, device, axes, on_event, net)
    for patch, batch in product(patches, batches):
        choose_settings(plan.spec, {"patch": patch, "batch": batch})
    found: BatchSizes = result_of(iter_costs(_labels_of(plan), plan.net, plan.spec, patches, batches), on_event)
    return found


def iter_finding(
    images: Sequence[AnnotatedImage],
    *,
    target: str,
    preset: str,
    base: Model | str | Path | None,
    spec: TrainSpec,
    net: Net = None,
) -> Generator[Event]:
    """Find a learning rate as `find_learning_rate` does, as a generator of events; the last is `Done(RateCurve)`."""
    yield from _rates(make_plan(images, target, preset, base, spec, None, None, net_choices=net))


def with_found_rate(plan: Plan, on_event: OnEvent | None) -> Plan:
    """The plan of a training with the learning rate that is found for it, which is told."""
    curve: RateCurve = result_of(_rates(plan), on_event)
    if on_event:
        on_event(Note(f"Found in {len(curve.rates)} steps: {curve}."))
    spec = plan.spec.model_copy(update={"learning_rate": curve.rate})
    provenance = plan.card.provenance | {"settings": spec.model_dump(mode="json")}
    return replace(plan, spec=spec, card=plan.card.model_copy(update={"provenance": provenance}))


def _rates(plan: Plan, steps: int = STEPS) -> Generator[Event]:
    return iter_rates(_labels_of(plan), plan.net, plan.spec, plan.base.weights if plan.base else None, steps)


def _labels_of(plan: Plan) -> AnnotatedDataset:
    if not isinstance(plan.dataset, AnnotatedDataset):
        raise AnnotrainError("Settings are found for classes and cells only: give a number for the target image.")
    return plan.dataset


def _plan(
    images: Source,
    annotations: Source,
    target: str,
    dense: bool,
    base: Model | str | Path | None,
    preset: str,
    settings: Mapping[str, Any] | None,
    device: str,
    axes: str | None,
    on_event: OnEvent | None,
    net: Net,
) -> Plan:
    choose_device(device)
    spec, _ = choose_settings(find_preset(preset).train.model_copy(update={"device": device}), settings)
    opened = annotated_images(images, annotations, axes, dense)
    tell = on_event or (lambda event: None)
    for text in opened.notes:
        tell(Note(text))
    return make_plan(opened.images, target, preset, base, spec, None, None, skip_bad=opened.skip_bad, net_choices=net)

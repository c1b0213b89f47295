"""What depends on the target of a training: how images are opened, what they are learnt for, and the plan."""

from collections.abc import Sequence
from typing import Any

from napari_annotrain.api.image_plan import check_image_spec, make_image_plan
from napari_annotrain.api.paired_sources import OpenedPairs, paired_images
from napari_annotrain.api.plan import Plan, make_plan
from napari_annotrain.api.sources import Opened, Source, annotated_images
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import ImageSpec, LearnFrom, Target, check_choice


def choose_learning(target: str, learn_from: str | None, image: ImageSpec | None) -> ImageSpec:
    """What a model of images learns from.

    Raises
    ------
    AnnotrainError
        The target is another one, or the settings contradict each other.
    """
    if target != "image" and (learn_from is not None or image is not None):
        raise AnnotrainError(f"What to learn from can be chosen for the target image only, and not for {target}.")
    found = image or ImageSpec()
    if learn_from is not None:
        check_choice("way to learn", learn_from, LearnFrom)
        found = found.model_copy(update={"learn_from": learn_from})
    return check_image_spec(found)


def open_images(
    images: Source, annotations: Source | None, target: str, axes: str | None, dense: bool, learn_from: str
) -> Opened | OpenedPairs:
    """Open the images with what is to be learnt of them.

    Raises
    ------
    AnnotrainError
        They cannot be read, or there is nothing to be learnt.
    """
    if target == "image":
        return paired_images(images, annotations, axes, learn_from)
    if annotations is None:
        raise AnnotrainError(f"The target {target} is learnt from annotations: give the files or arrays of them, too.")
    return annotated_images(images, annotations, axes, dense)


def plan_training(
    images: Sequence[AnnotatedImage] | Sequence[PairedImage], target: str, *args: Any, **more: Any
) -> Plan:
    """The plan of a training for any target: see `plan.make_plan`."""
    check_choice("target", target, Target)
    make: Any = make_image_plan if target == "image" else make_plan
    plan: Plan = make(images, target, *args, **more)
    return plan

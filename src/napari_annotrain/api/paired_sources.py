"""Paths or arrays to images with their target images."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_annotrain.api.failures import Failures
from napari_annotrain.api.sources import Source, is_path, one_stack
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.data.pairs import list_images, pair_files
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError


@dataclass
class OpenedPairs:
    """Images with their targets; see `sources.Opened`."""

    images: list[PairedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skip_bad: bool = False


def paired_images(images: Source, targets: Source | None, axes: str | None, learn_from: str) -> OpenedPairs:
    """Open images with their targets, or alone where they are learnt from alone.

    Raises
    ------
    AnnotrainError
        As `sources.annotated_images`; or there are no targets where they are needed, or some where they are not.
    """
    both_paths = is_path(images) and targets is not None and is_path(targets)
    same = both_paths and Path(images).resolve() == Path(str(targets)).resolve()
    if same and learn_from != "pair":
        targets = None
    if targets is None and learn_from == "pair":
        raise AnnotrainError(
            "There are no target images: give them as well, or learn from noise2void or corrupted, which need none."
        )
    if targets is not None and learn_from != "pair":
        raise AnnotrainError(f"'{learn_from}' learns from images alone: leave the targets out, or learn from pair.")
    if both_paths and targets is not None:
        if same:
            raise AnnotrainError(f"{images} is given as image and as target: keep the two in different places.")
        return _from_folder(*pair_files(images, targets, ("image", "target")), axes)
    if targets is None and is_path(images):
        return _from_folder([(path, None) for path in list_images(images)], [], axes)
    images = _listed(images)
    targets = [None] * len(images) if targets is None else _listed(targets)
    if len(images) != len(targets):
        raise AnnotrainError(
            f"There are {len(images)} images but {len(targets)} targets: give one target for each image."
        )
    both = zip(images, targets, strict=True)
    return OpenedPairs([paired_image(*pair, axes, f"image {k}") for k, pair in enumerate(both, 1)])


def paired_image(image: Source, target: Source | None, axes: str | None, name: str = "image") -> PairedImage:
    """Pair one image with its target; one of the image's shape has its axes, or those without its channel."""
    stack = one_stack(image, axes, name)
    if target is None:
        return PairedImage(stack)
    found = one_stack(target, None, f"target of {name}")
    shape = tuple(found.array.shape)
    if shape == tuple(stack.array.shape):
        found = Stack(found.array, stack.axes, found.name)
    elif shape == stack.label_shape:
        found = Stack(found.array, stack.label_axes, found.name)
    return PairedImage(stack, found)


def _from_folder(
    pairs: Sequence[tuple[Path, Path | None]] | Sequence[tuple[Path, Path]], notes: list[str], axes: str | None
) -> OpenedPairs:
    if len(pairs) == 1:
        return OpenedPairs([paired_image(*pairs[0], axes)], notes)
    opened = OpenedPairs([], notes, skip_bad=True)
    failures = Failures(notes.append)
    for image, target in pairs:
        with failures.noting(image.name):
            opened.images.append(paired_image(image, target, axes))
    if not opened.images:
        raise AnnotrainError(f"None of the {len(pairs)} images can be trained on; {failures.first}")
    opened.failed = failures.names
    return opened


def _listed(sources: Source) -> list[Source]:
    return list(sources) if isinstance(sources, list | tuple) else [sources]

"""Paths or arrays, one or many, to stacks."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.pairs import pair_files
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

#: A path (file or folder), an array, or a sequence of either.
Source = Any


def is_path(source: Source) -> bool:
    """True for a string or a path object."""
    return isinstance(source, str | PathLike)


def annotated_images(
    images: Source, annotations: Source, axes: str | None, dense: bool
) -> tuple[list[AnnotatedImage], list[str]]:
    """Open images with their annotations; the second value is notes on files without a partner.

    Raises
    ------
    AnnotrainError
        A file cannot be read, nothing matches, an image and its annotation differ in shape, or the two sequences
        differ in length.
    """
    if is_path(images) and is_path(annotations):
        if Path(images).resolve() == Path(annotations).resolve():
            raise AnnotrainError(f"{images} is given as image and as annotation: keep the two in different places.")
        pairs, notes = pair_files(images, annotations)
        return [annotated_image(*pair, axes, dense) for pair in pairs], notes
    images, annotations = (list(s) if isinstance(s, list | tuple) else [s] for s in (images, annotations))
    if len(images) != len(annotations):
        raise AnnotrainError(
            f"There are {len(images)} images but {len(annotations)} annotations: give one annotation for each image."
        )
    return [
        annotated_image(image, labels, axes, dense, f"image {k}")
        for k, (image, labels) in enumerate(zip(images, annotations, strict=True), 1)
    ], []


def annotated_image(
    image: Source, annotation: Source, axes: str | None, dense: bool, name: str = "image"
) -> AnnotatedImage:
    """Pair one image with its annotation; one of equal shape has the image's axes, whatever its file says."""
    stack, labels = one_stack(image, axes, name), one_stack(annotation, None, f"annotation of {name}")
    if tuple(labels.array.shape) == stack.label_shape:
        labels = Stack(labels.array, stack.label_axes, labels.name)
    return AnnotatedImage(stack, labels, dense=dense)


def one_stack(source: Source, axes: str | None, name: str = "image") -> Stack:
    """Wrap one array or open one file."""
    if isinstance(source, Stack):
        return source
    if is_path(source):
        return open_stack(Path(source), axes)
    if not hasattr(source, "shape") or not hasattr(source, "dtype"):
        raise AnnotrainError(f"The {name} is a {type(source).__name__}: give an array or the path of a file.")
    return Stack.of(source, axes, name)


def first_words(names: Sequence[str], most: int = 10) -> list[str]:
    """The first few names, and how many more there are."""
    return [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]

"""Paths or arrays, one or many, to stacks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from napari_annotrain.api.failures import Failures
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.files import open_labels, open_stack
from napari_annotrain.data.pairs import pair_files
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

#: A path (file or folder), an array, or a sequence of either.
Source = Any


def is_path(source: Source) -> bool:
    """True for a string or a path object."""
    return isinstance(source, str | PathLike)


@dataclass
class Opened:
    """Images with their annotations.

    Attributes
    ----------
    images
        Those that could be opened.
    notes
        Sentences on files without a partner, and on those that could not be opened.
    failed
        Names of those that could not be opened.
    skip_bad
        Whether they come from a folder, in which one bad file does not stop the others.
    """

    images: list[AnnotatedImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    skip_bad: bool = False


def annotated_images(images: Source, annotations: Source, axes: str | None, dense: bool) -> Opened:
    """Open images with their annotations.

    Raises
    ------
    AnnotrainError
        A file cannot be read, nothing matches, an image and its annotation differ in shape, or the two sequences
        differ in length. In folders, none of the files can be used.
    """
    if is_path(images) and is_path(annotations):
        if Path(images).resolve() == Path(annotations).resolve():
            raise AnnotrainError(f"{images} is given as image and as annotation: keep the two in different places.")
        return _from_folder(*pair_files(images, annotations), axes, dense)
    images, annotations = (list(s) if isinstance(s, list | tuple) else [s] for s in (images, annotations))
    if len(images) != len(annotations):
        raise AnnotrainError(
            f"There are {len(images)} images but {len(annotations)} annotations: give one annotation for each image."
        )
    pairs = zip(images, annotations, strict=True)
    return Opened([annotated_image(*pair, axes, dense, f"image {k}") for k, pair in enumerate(pairs, 1)])


def _from_folder(pairs: Sequence[tuple[Path, Path]], notes: list[str], axes: str | None, dense: bool) -> Opened:
    if len(pairs) == 1:
        return Opened([annotated_image(*pairs[0], axes, dense)], notes)
    opened = Opened([], notes, skip_bad=True)
    failures = Failures(notes.append)
    for image, annotation in pairs:
        with failures.noting(image.name):
            opened.images.append(annotated_image(image, annotation, axes, dense))
    if not opened.images:
        raise AnnotrainError(f"None of the {len(pairs)} images can be trained on; {failures.first}")
    opened.failed = failures.names
    return opened


def annotated_image(
    image: Source, annotation: Source, axes: str | None, dense: bool, name: str = "image"
) -> AnnotatedImage:
    """Pair one image with its annotation; one of equal shape has the image's axes, whatever its file says."""
    stack = one_stack(image, axes, name)
    labels = one_stack(annotation, None, f"annotation of {name}", labels=True)
    if tuple(labels.array.shape) == stack.label_shape:
        labels = Stack(labels.array, stack.label_axes, labels.name)
    return AnnotatedImage(stack, labels, dense=dense)


def one_stack(source: Source, axes: str | None, name: str = "image", labels: bool = False) -> Stack:
    """Wrap one array or open one file, as an image or as labels."""
    if isinstance(source, Stack):
        return source
    if is_path(source):
        return open_labels(source) if labels else open_stack(source, axes)
    if not hasattr(source, "shape") or not hasattr(source, "dtype"):
        raise AnnotrainError(f"The {name} is a {type(source).__name__}: give an array or the path of a file.")
    return Stack.of(source, axes, name)

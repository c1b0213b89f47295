"""What the values of an annotation mean: 0 not annotated, 1 background, 2, 3, ... classes or cells."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon2mask

from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

NOT_ANNOTATED = 0
BACKGROUND = 1
Labels = npt.NDArray[np.int32]
#: T, Z and the rows and columns of a box in one plane.
PlaneBox = tuple[slice, slice]


@dataclass(frozen=True)
class CompleteRegion:
    """A shape inside which everything is annotated: what is not painted there is background.

    Attributes
    ----------
    t, z
        The plane it lies in.
    outline
        Corners of a polygon, (y, x) in pixels of the image; pixel centres lie at whole numbers.
    """

    t: int
    z: int
    outline: tuple[tuple[float, float], ...]

    def fill(self, labels: Labels, origin: tuple[int, int]) -> None:
        """Turn "not annotated" into background inside the region, in place; `origin` is the (y, x) of labels[0, 0]."""
        inside = polygon2mask(labels.shape, np.asarray(self.outline, float) - origin)
        labels[inside & (labels == NOT_ANNOTATED)] = BACKGROUND

    def box(self, shape: tuple[int, int]) -> PlaneBox:
        """Smallest box of whole pixels around the region, inside a plane of this (Y, X) shape."""
        corners = np.asarray(self.outline, float)
        start = np.clip(np.floor(corners.min(0)).astype(int), 0, shape)
        stop = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, shape)
        return slice(int(start[0]), int(stop[0])), slice(int(start[1]), int(stop[1]))


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and what the user knows about it.

    Attributes
    ----------
    stack
        The image.
    labels
        The annotation: same T, Z, Y, X as `stack`, no channel, integer values (see the module's text).
    regions
        Complete regions, in addition to the painted pixels.
    dense
        True: ground truth in the usual convention, everything annotated; 0 is background, n is class or cell n.
    planes
        (t, z) of the planes that may be painted, where somebody has kept count; None: look at all of them.
    """

    stack: Stack
    labels: Stack
    regions: tuple[CompleteRegion, ...] = ()
    dense: bool = False
    planes: frozenset[tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        image, labels = self.stack.shape, self.labels.shape
        if labels[1] != 1 or image[:1] + image[2:] != labels[:1] + labels[2:]:
            raise AnnotrainError(
                f"The image {self.stack.name} is {_words(self.stack)} but its annotation is {_words(self.labels)}: "
                "choose the annotation that belongs to it."
            )

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.stack.name

    def may_be_annotated(self, t: int, z: int) -> bool:
        """False where nothing is annotated in a plane, known without reading it."""
        drawn = any((region.t, region.z) == (t, z) for region in self.regions)
        return self.dense or self.planes is None or drawn or (t, z) in self.planes

    def plane(self, t: int, z: int, box: PlaneBox) -> Labels:
        """Read the annotation of a box of one plane, (Y, X), in annotation values, complete regions applied."""
        labels = as_annotation(self.labels.read(t, (slice(z, z + 1), *box))[0, 0], self.dense, self.name)
        for region in self.regions:
            if (region.t, region.z) == (t, z):
                region.fill(labels, (box[0].start, box[1].start))
        return labels


def as_annotation(values: npt.NDArray[Any], dense: bool, name: str = "the annotation") -> Labels:
    """Bring stored values to annotation values in int32; a dense file's 0 becomes background.

    Raises
    ------
    AnnotrainError
        Fractions, not-a-number, negative values, or ids that int32 cannot hold.
    """
    if values.dtype.kind == "f" and not np.array_equal(values, np.round(values)):
        raise AnnotrainError(f"The annotation of {name} holds fractions: choose a label image of whole numbers.")
    if values.size and (values.min() < 0 or int(values.max()) >= np.iinfo(np.int32).max):
        raise AnnotrainError(f"The annotation of {name} holds negative or too large values: renumber its labels.")
    return values.astype(np.int32) + (1 if dense else 0)


def predicted_values(annotation_values: Iterable[int]) -> list[int]:
    """Annotation values to the values of a prediction: background 1 -> 0, class or cell n + 1 -> n."""
    return [int(v) - BACKGROUND for v in sorted(set(annotation_values)) if v != NOT_ANNOTATED]


def _words(stack: Stack) -> str:
    return " x ".join(str(n) for n in stack.label_shape)

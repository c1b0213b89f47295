"""What the values of an annotation mean: 0 not annotated, 1 background, 2, 3, ... classes or cells."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon2mask

from napari_annotrain.data.resampled import resample
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

    def rescaled(self, scale: float) -> "CompleteRegion":
        """The same in an image at another scale."""
        outline = (np.asarray(self.outline, float) + 0.5) * scale - 0.5
        return replace(self, outline=tuple((float(y), float(x)) for y, x in outline))

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
    full_size
        The image whose intensity range counts, where `stack` is that image at another scale.
    """

    stack: Stack
    labels: Stack
    regions: tuple[CompleteRegion, ...] = ()
    dense: bool = False
    planes: frozenset[tuple[int, int]] | None = None
    full_size: Stack | None = None

    def __post_init__(self) -> None:
        image, labels = self.stack.shape, self.labels.shape
        if labels[1] != 1:
            raise AnnotrainError(
                f"The annotation of {self.stack.name} has {labels[1]} channels: "
                "save it as a label image with one value a pixel."
            )
        if image[:1] + image[2:] != labels[:1] + labels[2:]:
            raise AnnotrainError(
                f"The image {self.stack.name} is {_words(self.stack)} but its annotation is {_words(self.labels)}: "
                "choose the annotation that belongs to it."
            )

    @property
    def name(self) -> str:
        """Name of the image."""
        return self.stack.name

    def rescaled(self, scale: float) -> "AnnotatedImage":
        """The same at another scale (see `data.resampled.resample`)."""
        regions = tuple(region.rescaled(scale) for region in self.regions)
        stack, labels = resample(self.stack, scale), resample(self.labels, scale, labels=True, strokes=not self.dense)
        return replace(self, stack=stack, labels=labels, regions=regions, full_size=self.full_size or self.stack)

    def may_be_annotated(self, t: int, z: int) -> bool:
        """False where nothing is annotated in a plane, known without reading it."""
        drawn = any((region.t, region.z) == (t, z) for region in self.regions)
        return self.dense or self.planes is None or drawn or (t, z) in self.planes

    def plane(self, t: int, z: int, box: PlaneBox, cells: bool = False) -> Labels:
        """Read the annotation of a box of one plane, (Y, X), in annotation values, complete regions applied.

        With `cells`, ids of any size are allowed (see `as_annotation`).
        """
        labels = as_annotation(self.labels.read(t, (slice(z, z + 1), *box))[0, 0], self.dense, self.name, cells)
        for region in self.regions:
            if (region.t, region.z) == (t, z):
                region.fill(labels, (box[0].start, box[1].start))
        return labels


def as_annotation(values: npt.NDArray[Any], dense: bool, name: str = "the annotation", cells: bool = False) -> Labels:
    """Bring stored values to annotation values in int32; a dense file's 0 becomes background.

    With `cells`, ids that int32 cannot hold are compacted: equal ones stay equal and different ones different within
    these values, 0 and background keep their meaning.

    Raises
    ------
    AnnotrainError
        Fractions, not-a-number, infinite or negative values, or, without `cells`, values that int32 cannot hold.
    """
    if values.dtype.kind == "f":
        _check_whole(values, name)
    if values.size and values.min() < 0:
        raise AnnotrainError(f"The annotation of {name} holds negative values: renumber its labels from 0.")
    if values.size and int(values.max()) >= np.iinfo(np.int32).max:
        if not cells:
            raise AnnotrainError(
                f"The annotation of {name} holds the value {int(values.max())}: choose the target cells if its values "
                "are cells, else renumber them."
            )
        values = _compact(values, 1 if dense else BACKGROUND + 1)
    return values.astype(np.int32) + (1 if dense else 0)


def _check_whole(values: npt.NDArray[np.floating], name: str) -> None:
    if not np.isfinite(values).all():
        raise AnnotrainError(
            f"The annotation of {name} holds NaN or infinite values: choose a label image of whole numbers."
        )
    if not np.array_equal(values, np.round(values)):
        raise AnnotrainError(f"The annotation of {name} holds fractions: choose a label image of whole numbers.")


def _compact(values: npt.NDArray[Any], first_id: int) -> npt.NDArray[np.int32]:
    """Renumber what is `first_id` or above from there on, in ascending order; what is below stays."""
    ids, index = np.unique(values, return_inverse=True)
    n_below = int((ids < first_id).sum())
    renumbered = np.arange(first_id - n_below, first_id - n_below + len(ids), dtype=np.int32)
    renumbered[:n_below] = ids[:n_below]
    return renumbered[index].reshape(values.shape)


def predicted_values(annotation_values: Iterable[int]) -> list[int]:
    """Annotation values to the values of a prediction: background 1 -> 0, class or cell n + 1 -> n."""
    return [int(v) - BACKGROUND for v in sorted(set(annotation_values)) if v != NOT_ANNOTATED]


def _words(stack: Stack) -> str:
    return " x ".join(str(n) for n in stack.label_shape)

"""NaN and infinity in what training would read: they would be learnt as if they were an intensity."""

from collections.abc import Iterable, Iterator
from math import prod

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.annotation import PlaneBox
from napari_annotrain.data.areas import Place
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

#: So many pixels of a channel are read at once.
STRIP_PIXELS = 1 << 22


def check_finite(stack: Stack, sample: npt.NDArray[np.generic], places: Iterable[Place], context_px: int) -> None:
    """Refuse an image that is not finite where training reads it; the rest of it is not looked at.

    Parameters
    ----------
    sample
        The overview that its intensity range is measured on: all of a small image.
    places
        Its annotated parts.
    context_px
        Training reads so many pixels around them.

    Raises
    ------
    AnnotrainError
        There is a NaN or infinite value in the sample, in the places, or around them.
    """
    if stack.dtype.kind != "f":
        return
    if np.isfinite(sample).all() and (sample.size == prod(stack.array.shape) or are_finite(stack, places, context_px)):
        return
    raise AnnotrainError(
        f"The image {stack.name} holds NaN or infinite values: replace them by numbers, or leave this image out."
    )


def are_finite(stack: Stack, places: Iterable[Place], context_px: int) -> bool:
    """Whether an image is finite in these places and around them."""
    return all(
        np.isfinite(stack.read(t, (slice(z, z + 1), *strip))).all()
        for t, z, box in places
        for strip in _strips(box, context_px, stack.shape[-2:])
    )


def _strips(box: PlaneBox, context_px: int, shape: tuple[int, ...]) -> Iterator[PlaneBox]:
    """A box and what is around it, inside the plane, some rows at a time."""
    rows, columns = (
        slice(max(0, s.start - context_px), min(n, s.stop + context_px)) for s, n in zip(box, shape, strict=True)
    )
    step = max(1, STRIP_PIXELS // (columns.stop - columns.start))
    for start in range(rows.start, rows.stop, step):
        yield slice(start, min(start + step, rows.stop)), columns

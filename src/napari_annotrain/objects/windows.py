"""Windows of a plane in which whole components lie, none larger than memory allows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt

from napari_annotrain.objects.components import Box, Components, Ints, Mask

#: Blocks are so large that this share of the components is no longer than what is left around them.
USUAL = 0.99


@dataclass(frozen=True)
class Window:
    """A part of a plane that is looked at at once, and the components it answers for.

    Attributes
    ----------
    box
        (Y, X) slices.
    firsts
        First pixels of those components, all of which lie in it whole (`Components.firsts`).
    """

    box: Box
    firsts: Ints

    def pixels(self, width: int) -> tuple[Ints, Ints]:
        """Rows and columns, in the window, of those first pixels; `width` is that of the plane."""
        y, x = np.divmod(self.firsts, width)
        return y - self.box[0].start, x - self.box[1].start


def fitting(components: Components, margin: int, most_px: int, shape: Sequence[int]) -> Mask:
    """Of each component, whether it fits with its margin into a window of so many pixels."""
    top, left, bottom, right = _widened(components.boxes, margin, shape).T
    return np.asarray((bottom - top) * (right - left) <= most_px)


def windows_of(
    components: Components, chosen: Mask, margin: int, most_px: int, shape: Sequence[int]
) -> Iterator[Window]:
    """Windows that hold the chosen components whole, with a margin; neighbouring ones share a window while it fits.

    Parameters
    ----------
    shape
        (Y, X) of the plane.
    """
    boxes = _widened(components.boxes, margin, shape)
    order = np.flatnonzero(chosen)
    sides = _sides(components.boxes[order], margin, most_px, shape)
    rows, columns = (components.boxes[order, :2] // sides).T
    order = order[np.lexsort((order, columns, rows))]
    blocks = components.boxes[order, :2] // sides
    begin, union = 0, np.zeros(4, np.int64)
    for i, component in enumerate(order):
        box = boxes[component]
        both = np.concatenate([np.minimum(union[:2], box[:2]), np.maximum(union[2:], box[2:])])
        same = i > begin and bool((blocks[i] == blocks[begin]).all())
        if same and np.prod(both[2:] - both[:2]) <= most_px:
            union = both
            continue
        if i > begin:
            yield Window(_slices(union), components.firsts[order[begin:i]])
        begin, union = i, box
    if len(order):
        yield Window(_slices(union), components.firsts[order[begin:]])


def _sides(boxes: Ints, margin: int, most_px: int, shape: Sequence[int]) -> Ints:
    """Sides, along Y and X, of the blocks whose components share a window, all alike in size.

    With them nearly all components fit, whatever lies at an edge.
    """
    longest = isqrt(most_px)
    lengths = (boxes[:, 2:] - boxes[:, :2]).max(1)
    usual = int(np.quantile(lengths, USUAL)) if len(lengths) else 0
    most = max(1, longest // 2, longest - 2 * margin - usual)
    return np.array([-(-n // -(-n // most)) for n in shape], np.int64)


def _widened(boxes: Ints, margin: int, shape: Sequence[int]) -> Ints:
    wide = boxes + np.array([-margin, -margin, margin, margin])
    return np.asarray(np.clip(wide, 0, np.array([*shape, *shape])))


def _slices(box: npt.NDArray[np.int64]) -> Box:
    top, left, bottom, right = box.tolist()
    return slice(top, bottom), slice(left, right)

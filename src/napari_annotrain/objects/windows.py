"""Windows of a plane in which whole components lie, none larger than memory allows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.objects.components import Box, Components, Ints, Mask, first_pixels


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

    def owned(self, mask: Mask, width: int) -> Mask:
        """Which pixels of the window belong to those components.

        Parameters
        ----------
        mask
            Of the window.
        width
            Of the plane.
        """
        parts, n = ndi.label(mask)
        y, x = np.divmod(first_pixels(parts, n), mask.shape[1])
        firsts = (y + self.box[0].start) * width + x + self.box[1].start
        return np.asarray(np.concatenate([[False], np.isin(firsts, self.firsts)])[parts])


def fitting(components: Components, margin: int, most_px: int, shape: Sequence[int]) -> Mask:
    """Of each component, whether it fits with its margin into a window of so many pixels."""
    top, left, bottom, right = _widened(components.boxes, margin, shape).T
    return np.asarray((bottom - top) * (right - left) <= most_px)


def windows_of(
    components: Components, chosen: Mask, margin: int, most_px: int, side: int, shape: Sequence[int]
) -> Iterator[Window]:
    """Windows that hold the chosen components whole, with a margin; neighbouring ones share a window while it fits.

    Parameters
    ----------
    side
        Of the blocks that decide which are neighbours.
    shape
        (Y, X) of the plane.
    """
    boxes = _widened(components.boxes, margin, shape)
    order = np.flatnonzero(chosen)
    rows, columns = (components.boxes[order, :2] // side).T
    order = order[np.lexsort((order, columns, rows))]
    blocks = components.boxes[order, :2] // side
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


def _widened(boxes: Ints, margin: int, shape: Sequence[int]) -> Ints:
    wide = boxes + np.array([-margin, -margin, margin, margin])
    return np.asarray(np.clip(wide, 0, np.array([*shape, *shape])))


def _slices(box: npt.NDArray[np.int64]) -> Box:
    top, left, bottom, right = box.tolist()
    return slice(top, bottom), slice(left, right)

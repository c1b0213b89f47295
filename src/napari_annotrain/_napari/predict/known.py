"""Where a prediction is known already, so that nothing is computed twice while somebody looks around."""

from math import prod
from typing import Any

from napari_annotrain._napari.viewer.view import is_inside
from napari_annotrain.events import Region

#: So many boxes are remembered; those that became known longest ago are forgotten first.
MOST_BOXES = 256


class Known:
    """The boxes of one prediction layer that one model has filled to the end.

    Single cells are known only where they were told apart at once: where a later box cut into an earlier one, its
    cells end at the cut. Classes and probabilities fit together wherever they were computed. ::

        +-------+            cells: of A only the part beside B is known, and no view
        |   A   |-----+      that lies in both
        |       |  B  |      classes: whatever lies in A and B together
        +-------+     |
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Nothing is known any more."""
        self._of: tuple[Any, ...] = ()
        self._boxes: list[Region] = []

    def begin(self, of: tuple[Any, ...], region: Region, cells: bool) -> None:
        """A run begins to write a region; what is known of others than `of` (image, model, ...) is forgotten."""
        if not _same(of, self._of):
            self._of, self._boxes = of, []
        if cells:
            self._boxes = [part for box in self._boxes for part in without(box, region)]

    def finish(self, of: tuple[Any, ...], region: Region) -> None:
        """A run has filled a region; one of before the last `forget` counts for nothing."""
        if _same(of, self._of):
            self._boxes = [box for box in self._boxes if not is_inside(box, region)]
            self._boxes = [*self._boxes, region][-MOST_BOXES:]

    def boxes(self, of: tuple[Any, ...]) -> list[Region]:
        """The boxes that are known of this."""
        return list(self._boxes) if _same(of, self._of) else []

    def missing(self, of: tuple[Any, ...], region: Region, cells: bool) -> Region | None:
        """What of a region has to be computed: a box; None for nothing."""
        if not _same(of, self._of):
            return region
        if cells:
            return None if any(is_inside(region, box) for box in self._boxes) else region
        left = [region]
        for box in self._boxes:
            left = [part for one in left for part in without(one, box)]
        return _around(left) if left else None


def without(region: Region, box: Region) -> list[Region]:
    """What of a region lies outside a box, as boxes that do not overlap."""
    inside = tuple(slice(max(r.start, b.start), min(r.stop, b.stop)) for r, b in zip(region, box, strict=True))
    if prod(max(0, s.stop - s.start) for s in inside) == 0:
        return [region]
    parts: list[Region] = []
    for axis, (own, common) in enumerate(zip(region, inside, strict=True)):
        for span in (slice(own.start, common.start), slice(common.stop, own.stop)):
            if span.start < span.stop:
                part = [*inside[:axis], span, *region[axis + 1 :]]
                parts.append((part[0], part[1], part[2], part[3]))
    return parts


def _around(boxes: list[Region]) -> Region:
    t, z, y, x = (slice(min(s.start for s in spans), max(s.stop for s in spans)) for spans in zip(*boxes, strict=True))
    return t, z, y, x


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether both name the same things: objects by identity, words by what they say."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a is b or (isinstance(a, str) and a == b) for a, b in pairs)

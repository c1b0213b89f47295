from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_annotrain._napari.predict.known import without
from napari_annotrain._napari.viewer.arrays import as_tzyx
from napari_annotrain._napari.viewer.layers import label_axes
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.feed import Painted
from napari_annotrain.events import Region
from napari_annotrain.metrics.corrections import count_corrections

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Of more pixels than this only some places are compared, evenly spread, so that nobody waits.
MOST_PIXELS = 1 << 24


class CorrectionsFlow:
    """How much of what is newly annotated the model had got wrong, before it is trained on it."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._annotated = self._wrong = 0
        self._held: list[tuple[int, int]] = []  # rounds of a training that goes on

    def take(
        self,
        image: Any,
        before: AnnotatedImage | None,
        now: AnnotatedImage,
        boxes: Sequence[Painted],
        shown: Sequence[Region],
    ) -> None:
        """Compare what was annotated in some boxes with the labels shown there.

        `shown` are the regions in which they are those of a model that was not trained on it.
        """
        c = self._c
        layer = c.roster.result(image)
        if layer is None or layer.metadata.get("annotrain") not in _COMPARABLE[c.session.target]:
            return
        canvas = c.roster.known(layer).growing or as_tzyx(layer.data, label_axes(image, c.roster.axes(image)))
        cells = c.session.target == "cells"
        whole_cells = cells and layer.metadata.get("annotrain") == "cells"
        for t, z, box in _some([part for painted in boxes for part in _inside(painted, shown)]):
            new = now.plane(t, z, box, cells)
            old = np.zeros_like(new) if before is None else before.plane(t, z, box, cells)
            predicted = np.asarray(canvas[t : t + 1, z : z + 1, box[0], box[1]])[0, 0]
            if cells and not whole_cells:
                new, old, predicted = np.minimum(new, 2), np.minimum(old, 2), predicted > 0
            n, wrong = count_corrections(old, new, predicted, whole_cells)
            self._annotated += n
            self._wrong += wrong

    def hold(self) -> None:
        """A round is over: what was compared since the last one counts once a model has come of the training."""
        if self._annotated:
            self._held.append((self._annotated, self._wrong))
        self._annotated = self._wrong = 0

    def finish(self, learnt: bool) -> None:
        """A training is over; of one that was cut off before it gave a model nothing counts."""
        self.hold()
        for n_annotated, n_wrong in self._held if learnt else ():
            self._c.session.add_round(n_annotated, n_wrong)
        self._held.clear()


_COMPARABLE = {"classes": ("classes",), "cells": ("classes", "cells"), "image": ()}


def _inside(painted: Painted, shown: Sequence[Region]) -> list[Painted]:
    """Parts of a box that lie in some regions; what lies in several of them is taken once."""
    t, z, (y, x) = painted
    left: list[Region] = [(slice(t, t + 1), slice(z, z + 1), y, x)]
    found: list[Painted] = []
    for region in shown:
        for part in left:
            spans = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(part, region, strict=True)]
            if all(s.start < s.stop for s in spans):
                found.append((t, z, (spans[2], spans[3])))
        left = [rest for part in left for rest in without(part, region)]
    return found


def _some(parts: Sequence[Painted]) -> Sequence[Painted]:
    n_pixels = sum((y.stop - y.start) * (x.stop - x.start) for _, _, (y, x) in parts)
    return parts[:: -(-n_pixels // MOST_PIXELS) or 1]

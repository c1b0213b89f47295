"""What the window compares: the labels in view with those of an earlier model, or with what was accepted."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari import engine
from napari_annotrain._napari.predict.pieces import Measured
from napari_annotrain._napari.predict.results import leading
from napari_annotrain._napari.runs.events import Compared
from napari_annotrain._napari.viewer.layers import IMAGES
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done, Event, Region, TileDone
from napari_annotrain.metrics.changes import compare_planes
from napari_annotrain.specs import PredictSpec

Labels = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """One region in which two sets of labels are compared.

    Attributes
    ----------
    after
        (T, Z, Y, X) labels that are shown.
    model
        The earlier model; None where there is none.
    before
        Its labels, where they are known.
    accepted
        Regions with the labels that were accepted there, which count instead; later ones over earlier ones.
    """

    stack: Stack
    region: Region
    spec: PredictSpec
    after: Labels = field(repr=False)
    model: Any = None
    before: Labels | None = field(default=None, repr=False)
    accepted: Sequence[tuple[Region, Labels]] = field(default=(), repr=False)
    measured: Measured = field(default_factory=Measured, repr=False)

    @property
    def cells(self) -> bool:
        """Whether cells are compared."""
        return self.spec.output == "cells"

    def accepted_labels(self) -> tuple[Labels, Mask]:
        """What was accepted in the region, and where."""
        labels, known = np.zeros(self.after.shape, np.int64), np.zeros(self.after.shape, bool)
        for region, values in self.accepted:
            here, there = _overlap(self.region, region), _overlap(region, self.region)
            labels[here], known[here] = values[there], True
        return labels, known


def comparison(question: Question) -> Iterator[Event]:
    """Ask the earlier model where that is needed, and compare."""
    labels, known = question.accepted_labels()
    before = question.before
    if before is None and question.model is not None and not known.all():
        how = (question.stack, question.region, question.spec, question.measured)
        before = yield from predicted_in(question.model, *how)
    where = None
    if before is None:
        where = known
    else:  # ids of cells that were accepted must not be those of others
        labels = np.where(known, labels + (labels > 0) * int(before.max(initial=0)) * question.cells, before)
    yield Compared(before, compare_planes(labels, question.after, question.cells, where))
    yield Done(None)


def predicted_in(
    model: Any, stack: Stack, region: Region, spec: PredictSpec, measured: Measured
) -> Generator[Event, None, npt.NDArray[Any]]:
    """Predict a region; the (T, Z, Y, X) labels in it, or the (..., T, Z, Y, X) image, are returned."""
    api = engine.load()
    api.check_channels(model, stack)
    kind, _, channels = api.output_of(model, spec.output)
    shape = [part.stop - part.start for part in region]
    result = np.zeros([*leading(kind, channels), *shape], np.float32 if kind in IMAGES else np.int64)
    run = api.iter_prediction(model, stack, spec=spec, region=region, normalisation=measured.of(api, model, stack))
    with closing(run) as events:
        for event in events:
            if isinstance(event, TileDone):
                starts = [part.start for part in region]
                at: Any = tuple(slice(w.start - s, w.stop - s) for w, s in zip(event.write, starts, strict=True))
                result[..., *at] = event.result
            else:
                yield event
    return result


def _overlap(region: Region, other: Region) -> tuple[slice, ...]:
    """Where another region meets this one, in its own coordinates."""
    spans = zip(region, other, strict=True)
    return tuple(slice(max(a.start, b.start) - a.start, max(a.start, min(a.stop, b.stop)) - a.start) for a, b in spans)

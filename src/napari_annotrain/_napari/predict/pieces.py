from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from napari_annotrain._napari.annotate.cell_ids import CellIds
from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.predict.reached import Asked, Reached
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Region
from napari_annotrain.specs import PredictSpec


class Measured:
    """The intensity range of one image, so that view, slice and stack agree; asked for in any thread."""

    def __init__(self) -> None:
        self._known: tuple[Any, Any, Any] = (None, None, None)  # array, how, and what was measured: never one alone

    def holds(self, model: Any, stack: Stack) -> bool:
        """Whether it was measured before, for this model or one that measures alike."""
        data, how, _ = self._known
        return data is stack.array and how == _how_measured(model)

    def of(self, api: Any, model: Any, stack: Stack) -> Any:
        """What was measured before, or measure it now."""
        data, how, value = self._known
        wanted = _how_measured(model)
        if data is not stack.array or how != wanted:
            value = api.measure_normalisation(model, stack)
            self._known = stack.array, wanted, value
        return value


@dataclass(frozen=True)
class Piece:
    """One image to predict.

    Attributes
    ----------
    region
        The part that is wanted; None for everything.
    canvas
        Where the result is written, by the worker: (T, Z, Y, X), or (K, T, Z, Y, X) for probabilities. A `Growing` one
        is too large for the memory; all of it is written to the disk instead.
    ids
        What is known of the ids in the canvas; used for cells only.
    focus
        Where somebody looks, (t, z, y, x) in pixels; None where that does not matter.
    reached
        What interrupted runs have finished of the canvas.
    lasting
        Whether this run is gone on with when it was interrupted.
    """

    stack: Stack
    region: Region | None
    canvas: npt.NDArray[Any] | Growing = field(repr=False)
    measured: Measured = field(repr=False, default_factory=Measured)
    ids: CellIds = field(repr=False, default_factory=CellIds)
    focus: Callable[[], Any] = field(repr=False, default=lambda: None)
    reached: Reached = field(repr=False, default_factory=Reached)
    lasting: bool = False

    @property
    def on_disk(self) -> bool:
        """Whether the result grows on the disk."""
        return self.region is None and isinstance(self.canvas, Growing)

    def asked(self, model: Any, spec: PredictSpec) -> Asked:
        """What makes it the same prediction as another one."""
        stack = self.stack
        return Asked(model, stack.array, stack.axes, stack.pixel_um, self.region, spec)

    @property
    def box(self) -> Region:
        """The part that is wanted, in numbers."""
        n_t, _, n_z, height, width = self.stack.shape
        return self.region or (slice(0, n_t), slice(0, n_z), slice(0, height), slice(0, width))


def _how_measured(model: Any) -> Any:
    return model.card.normalise, model.card.training_range

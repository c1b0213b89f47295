from dataclasses import dataclass, field
from typing import Any

from napari_annotrain.data.record import Finished, Piece, piece_of
from napari_annotrain.events import Region
from napari_annotrain.specs import PredictSpec

#: So many interrupted runs are remembered for one canvas.
MOST_RUNS = 4


@dataclass(frozen=True, eq=False)
class Asked:
    """What must be the same for a prediction in the memory to be gone on with."""

    model: Any
    array: Any
    axes: str
    pixel_um: Any
    region: Region | None
    spec: PredictSpec

    def same(self, other: "Asked") -> bool:
        """Whether this asks for what the other one does; how large tiles are is all one."""
        return (
            self.model is other.model
            and self.array is other.array
            and (self.axes, dict(self.pixel_um), self.region) == (other.axes, dict(other.pixel_um), other.region)
            and all(getattr(self.spec, name) == getattr(other.spec, name) for name in _SAME)
        )


_SAME = ("output", "cells", "device", "precision", "augment", "uncertainty", "samples", "scheduler")


@dataclass(eq=False)
class _Run:
    asked: Asked
    pieces: dict[Piece, int] = field(default_factory=dict)  # and how many cells lie in each
    last_id: int = 0


class Reached:
    """What interrupted runs have finished of one canvas, as long as nothing else is written there."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def finished(self, asked: Asked) -> Finished:
        """What need not be computed again."""
        run = self._find(asked)
        return Finished() if run is None else Finished(frozenset(run.pieces), run.last_id)

    def n_cells(self, asked: Asked) -> int:
        """How many cells lie in that."""
        run = self._find(asked)
        return 0 if run is None else sum(run.pieces.values())

    def add(self, asked: Asked, region: Region, last_id: int = 0) -> None:
        """Note that a run has written a piece, and the largest id in it; ids run on from piece to piece."""
        run = self._find(asked)
        if run is None:
            run = _Run(asked)
            self._runs = [*self._runs[1 - MOST_RUNS :], run]
        run.pieces[piece_of(region)] = max(0, last_id - run.last_id)
        run.last_id = max(run.last_id, last_id)
        self.overwrite(region, asked)

    def overwrite(self, region: Region, asked: Asked | None = None) -> None:
        """Note that something was written; what other runs have finished there counts no more."""
        for run in self._runs:
            if asked is None or not run.asked.same(asked):
                run.pieces = {piece: n for piece, n in run.pieces.items() if not _overlap(piece, piece_of(region))}

    def forget(self, asked: Asked) -> None:
        """Forget a run: it is complete."""
        self._runs = [run for run in self._runs if not run.asked.same(asked)]

    def _find(self, asked: Asked) -> _Run | None:
        return next((run for run in self._runs if run.asked.same(asked)), None)


def _overlap(one: Piece, other: Piece) -> bool:
    return all(one[i] < other[i + 1] and other[i] < one[i + 1] for i in range(0, 8, 2))

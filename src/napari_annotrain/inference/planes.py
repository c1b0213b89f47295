"""Cells are told apart a plane at a time: its tiles are collected, and kept for telling them apart otherwise."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_annotrain.data.stack import Stack
from napari_annotrain.net.model import Model
from napari_annotrain.tiles.grid import Box

Values = npt.NDArray[Any]
#: What a network made of planes is kept while it takes no more bytes than this.
MOST_KEPT = 500_000_000


class PlaneCollector:
    """Puts the tiles of one plane after the other together; probabilities in half precision."""

    def __init__(self, region: Box) -> None:
        self._region = region
        self._shape = tuple(s.stop - s.start for s in region)
        self._missing = 0
        self._values: Values = np.empty(0)

    def add(self, write: Box, values: Values) -> Values | None:
        """Take the (..., Y, X) values of one tile; the whole plane once it is complete, else None."""
        if self._missing == 0:
            self._missing = self._shape[0] * self._shape[1]
            dtype = np.float16 if values.dtype.kind == "f" else values.dtype
            self._values = np.zeros((*values.shape[:-2], *self._shape), dtype)
        y, x = (slice(w.start - r.start, w.stop - r.start) for w, r in zip(write, self._region, strict=True))
        # torch rounds to half precision many times faster than numpy
        torch.from_numpy(self._values)[..., y, x] = torch.from_numpy(values)
        self._missing -= values.shape[-2] * values.shape[-1]
        return self._values if self._missing == 0 else None


@dataclass(frozen=True, eq=False)
class _Kept:
    """Values of a plane; `of` are the things whose identity stands in its key, held so that it stays theirs."""

    values: Values
    of: tuple[Any, ...]


class KeptPlanes:
    """What networks made of planes; those not asked for longest are given up first."""

    def __init__(self, most_bytes: int = MOST_KEPT) -> None:
        self._most = most_bytes
        self.gave_up = False  # some plane
        self._planes: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()

    def keep(self, place: "Place", values: Values) -> None:
        """Keep the values of one plane."""
        self._planes[place.key] = _Kept(values, (place.model, place.stack.array))
        self._planes.move_to_end(place.key)
        while self._planes and sum(kept.values.nbytes for kept in self._planes.values()) > self._most:
            self._planes.popitem(last=False)
            self.gave_up = True

    def find(self, places: "list[Place]") -> list[Values] | None:
        """The values of all these planes; None where one of them is not there."""
        if not all(place.key in self._planes for place in places):
            return None
        for place in places:
            self._planes.move_to_end(place.key)
        return [self._planes[place.key].values for place in places]


@dataclass(frozen=True)
class Place:
    """One plane of an image, or a part of it, as one model sees it.

    Attributes
    ----------
    how
        What else the values hang on: precision and scale.
    """

    model: Model
    stack: Stack
    t: int
    z: int
    region: Box
    how: tuple[Any, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for the same plane, hashable."""
        y, x = ((s.start, s.stop) for s in self.region)
        return id(self.model), id(self.stack.array), self.t, self.z, y, x, self.how

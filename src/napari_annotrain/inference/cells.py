"""From the scores of a plane to cells."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.inference.tile_size import WINDOW
from napari_annotrain.net.model import Card
from napari_annotrain.objects.instances import cells_of, cells_of_classes
from napari_annotrain.objects.plane import Plane, label_class_plane, label_plane
from napari_annotrain.objects.rules import CellRules, Expected, threshold_of
from napari_annotrain.specs import CellsSpec
from napari_annotrain.tiles.grid import Box

#: Gives of a box (1 + D, Y, X) the probability of being inside a cell and D distances; of a model of classes (Y, X)
#: classes.
Read = Callable[[Box], npt.NDArray[Any]]


class CellDecoder:
    """Turns planes into cells; their ids run on from plane to plane.

    Parameters
    ----------
    diameter_px
        Of the cells of this image, where it is known; else it is that of the annotated cells, or measured where those
        of the image clearly are of another size.
    most_px
        Larger planes are looked at in windows.
    last_id
        Has been given to a cell already.
    """

    def __init__(self, card: Card, spec: CellsSpec, diameter_px: float | None, most_px: int, last_id: int = 0) -> None:
        self._classes = [value for value in card.classes if value] if card.target == "classes" else None
        self._rules = _rules_of_classes(spec) if self._classes is not None else _rules_of_cells(card, spec, diameter_px)
        self._most_px, self._last_id = most_px, last_id

    def decode(self, read: Read, shape: tuple[int, int]) -> npt.NDArray[np.signedinteger]:
        """Label the cells of one plane of this (Y, X) shape."""
        if prod(shape) > self._most_px:
            return self._decode_windows(read, shape)
        values = read((slice(0, shape[0]), slice(0, shape[1])))
        cells = cells_of(*values, rules=self._rules) if self._classes is None else cells_of_classes(values, self._rules)
        first, self._last_id = self._last_id, self._last_id + int(cells.max(initial=0))
        dtype = _id_type(self._last_id)
        return np.where(cells > 0, cells + dtype.type(first), dtype.type(0))

    def _decode_windows(self, read: Read, shape: tuple[int, int]) -> npt.NDArray[np.signedinteger]:
        out = np.zeros(shape, _id_type(self._last_id + prod(shape)))
        self.decode_into(read, out)
        return out

    def decode_into(self, read: Read, out: Plane, folder: Path | None = None) -> int:
        """Label the cells of one plane in windows, where 0 is now; the largest id so far."""
        how = self._rules, int(self._most_px * WINDOW), self._last_id, folder
        if self._classes is None:
            self._last_id = label_plane(read, out, *how)
        else:
            self._last_id = label_class_plane(read, out, self._classes, *how)
        return self._last_id


def _rules_of_cells(card: Card, spec: CellsSpec, diameter_px: float | None) -> CellRules:
    """The model's smallest cell is brought to the size of the cells of this image."""
    least: float | None = card.min_size_px
    theirs, expected = card.cell_diameter_px, None
    if theirs and diameter_px is None:
        least, expected = None, Expected(theirs, least)
    elif least and theirs and diameter_px:
        least *= (diameter_px / theirs) ** 2
    if spec.min_size_px is not None:
        least = spec.min_size_px
    threshold = threshold_of(card.threshold if spec.threshold is None else spec.threshold, bool(card.distances))
    return CellRules(least, diameter_px, spec.smoothing_px, spec.largest_hole_px, threshold, expected)


def _rules_of_classes(spec: CellsSpec) -> CellRules:
    """A hole in one class is most often another one: none is closed unless that is asked for."""
    return CellRules(spec.min_size_px, spec.diameter_px, spec.smoothing_px, spec.largest_hole_px or 0)


def _id_type(largest: int) -> np.dtype[np.signedinteger]:
    return np.dtype(np.int32 if largest < 2**31 else np.int64)

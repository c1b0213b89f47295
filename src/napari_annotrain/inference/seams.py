from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.inference.segment import plan_tiles
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec
from napari_annotrain.tiles.grid import Box, Tile, cut

#: Side of the square around a tile corner that is compared, in px; a whole number of grid steps.
STRIP = 128


@dataclass(frozen=True)
class SeamCheck:
    """What the comparison of tiles with one block found.

    Attributes
    ----------
    difference
        Largest difference of any probability; 0 when tiling is exact.
    changed
        Pixels whose likeliest class differs.
    compared
        Pixels compared; 0 where the image is a single tile and has no seam.
    """

    difference: float
    changed: int
    compared: int

    def __str__(self) -> str:
        if not self.compared:
            return "Seams: none, the image is one tile."
        words = "none" if self.difference <= 1e-5 else f"up to {self.difference:.2g} in probability"
        return f"Seams: {words} (checked on {self.compared:,} pixels, {self.changed:,} labels differ)."


def check_seams(
    model: Model, stack: Stack, normalisation: Normalisation, spec: PredictSpec, t: int = 0, z: int = 0
) -> SeamCheck:
    """Predict a square across a corner where four tiles meet once as the tiles do and once as one block.

    Parameters
    ----------
    t, z
        The plane to look at.
    """
    predictor = Predictor(model, spec)
    shape = stack.shape[-2:]
    plane = (slice(0, shape[0]), slice(0, shape[1]))
    core = int(plan_tiles(model, stack, spec)[0].tile)
    corner = [_middle_seam(n, core) for n in shape]
    if not any(corner):
        return SeamCheck(0.0, 0, 0)
    strip: Box = tuple(  # type: ignore[assignment]
        slice(max(0, c - STRIP // 2), min(n, c + STRIP // 2)) for c, n in zip(corner, shape, strict=True)
    )
    (block,) = cut(strip, 2 * STRIP, predictor.geometry)

    def predict(tile: Tile) -> npt.NDArray[Any]:
        return predictor.compute(predictor.read(stack, normalisation, t, z, tile), "probabilities").values

    expected = predict(block)
    found = np.empty_like(expected)
    for tile in cut(plane, core, predictor.geometry):
        shared = [_overlap(a, b) for a, b in zip(tile.write, strip, strict=True)]
        if any(s.start >= s.stop for s in shared):
            continue
        got = predict(tile)
        here = tuple(slice(s.start - r.start, s.stop - r.start) for s, r in zip(shared, strip, strict=True))
        there = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(shared, tile.write, strict=True))
        found[:, *here] = got[:, *there]
    k = len(model.card.classes)
    changed = int((found[:k].argmax(0) != expected[:k].argmax(0)).sum())
    return SeamCheck(float(np.abs(found - expected).max()), changed, expected[0].size)


def _middle_seam(length: int, core: int) -> int:
    """The seam nearest to the middle; 0, the border, where there is none."""
    seams = range(core, length, core)
    return min(seams, key=lambda seam: abs(seam - length // 2), default=0)


def _overlap(a: slice, b: slice) -> slice:
    return slice(max(a.start, b.start), min(a.stop, b.stop))

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference.predictor import Decoding, Predictor
from napari_annotrain.inference.segment import exact_for, plan_tiles
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec
from napari_annotrain.tiles.grid import Box, Tile, cut

#: Side of the square around a tile corner that is compared, in px; a whole number of grid steps.
STRIP = 128
#: Smaller differences are those of rounding.
SAME = 1e-5


@dataclass(frozen=True)
class SeamCheck:
    """What the comparison of tiles with one block found.

    Attributes
    ----------
    difference
        Largest difference of any probability, or of an image in units of its range; 0 when tiling is exact.
    changed
        Pixels whose likeliest class differs; of images, those that differ by more than `SAME`.
    compared
        Pixels compared; 0 where the image is a single tile and has no seam.
    """

    difference: float
    changed: int
    compared: int
    images: bool = False

    def __str__(self) -> str:
        if not self.compared:
            return "Seams: none, the image is one tile."
        what, unit = ("pixels", "of the range") if self.images else ("labels", "in probability")
        words = "none" if self.difference <= SAME else f"up to {self.difference:.2g} {unit}"
        return f"Seams: {words} (checked on {self.compared:,} pixels, {self.changed:,} {what} differ)."


def check_seams(
    model: Model, stack: Stack, normalisation: Normalisation, spec: PredictSpec, t: int = 0, z: int = 0
) -> SeamCheck:
    """Predict a square across a corner where four tiles meet once as the tiles do and once as one block.

    Parameters
    ----------
    t, z
        The plane to look at.
    """
    images, spec = model.card.target == "image", exact_for(model.card, spec)
    decoding: Decoding = "image" if images else "probabilities"
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
        return predictor.compute(predictor.read(stack, normalisation, t, z, tile), decoding).values

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
    k, apart = len(model.card.classes), np.abs(found - expected)
    changed = apart.max(0) > SAME if images else found[:k].argmax(0) != expected[:k].argmax(0)
    return SeamCheck(float(apart.max()), int(changed.sum()), expected[0].size, images)


def _middle_seam(length: int, core: int) -> int:
    """The seam nearest to the middle; 0, the border, where there is none."""
    seams = range(core, length, core)
    return min(seams, key=lambda seam: abs(seam - length // 2), default=0)


def _overlap(a: slice, b: slice) -> slice:
    return slice(max(a.start, b.start), min(a.stop, b.stop))

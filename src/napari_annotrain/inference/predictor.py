"""Overlap-tile prediction: the same result as on the whole image, seams and all."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Event, Note
from napari_annotrain.net.device import (
    autocast,
    choose_device,
    choose_precision,
    is_out_of_memory,
    keep_freed_memory,
    release_memory,
    resident_memory,
)
from napari_annotrain.net.model import Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, PredictSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.tiles.grid import Box, Tile, cut, quarter, read_mirrored

#: Largest core with tile "auto", in px: beyond it the margin costs little and progress comes in larger lumps.
LARGEST_CORE = 2048
#: Smallest one: below it nearly all the work is margin, and little memory is won.
SMALLEST_CORE = 256
#: What a tile takes a pixel, in floats: so many for each feature map of the top level, and so many besides; fitted
#: to the highest of several peak resident sizes of `fast`, `standard` and `paper`.
FLOATS_PER_MAP, FLOATS_BESIDES = 6.5, 110
#: Share of the memory that is left alone: results, the allocator's gaps.
SPARE = 0.08
#: Most that the process is taken to need before any tile, in bytes.
MOST_RESIDENT = 700_000_000
#: Share of a GPU's free memory that tiles may take.
GPU_SHARE = 0.6


@dataclass(frozen=True)
class Scores:
    """Class probabilities of one tile's core.

    Attributes
    ----------
    t, z
        The plane.
    write
        (Y, X) slices in the image.
    probabilities
        (K, Y, X) float32, sum 1 over K.
    invalid
        (Y, X) True where the image was not finite; None where all of it was.
    """

    t: int
    z: int
    write: Box
    probabilities: npt.NDArray[np.float32]
    invalid: npt.NDArray[np.bool_] | None


class Predictor:
    """A network on its device, ready for tiles."""

    def __init__(self, model: Model, spec: PredictSpec) -> None:
        keep_freed_memory()
        self.device = choose_device(spec.device)
        self.precision = choose_precision(spec.precision, self.device)
        self.geometry = geometry(model.card.net)
        self._network: UNet = model.network(self.device)

    def probabilities(self, stack: Stack, normalisation: Normalisation, t: int, z: int, tile: Tile) -> Scores:
        """Read one tile, mirrored where the image ends, and compute its core."""

        def read(box: Box) -> npt.NDArray[Any]:
            return stack.read(t, (slice(z, z + 1), *box))[:, 0]

        values = read_mirrored(read, stack.shape[-2:], tile.read)
        invalid = None
        if values.dtype.kind == "f":
            inside = tuple(
                slice(w.start - r.start, w.stop - r.start) for w, r in zip(tile.write, tile.read, strict=True)
            )
            invalid = ~np.isfinite(values[:, *inside]).all(0)
        with torch.inference_mode():
            image = torch.from_numpy(normalisation.apply(values))[None].to(self.device)
            with autocast(self.device, self.precision):
                scores = self._network(image.contiguous(memory_format=torch.channels_last), margin=self.geometry.crop)
            y, x = (slice(s.start - self.geometry.crop, s.stop - self.geometry.crop) for s in tile.crop)
            scores = scores[0][:, y, x].float().softmax(0)
        return Scores(
            t,
            z,
            tile.write,
            scores.cpu().contiguous().numpy(),
            invalid if invalid is not None and invalid.any() else None,
        )


def iter_scores(
    predictor: Predictor,
    stack: Stack,
    normalisation: Normalisation,
    planes: list[tuple[int, int]],
    region: Box,
    core: int,
) -> Iterator[Scores | Event]:
    """Predict a region of several planes tile by tile.

    When memory runs out a tile is cut into quarters and the rest goes on with the smaller size, with one `Note`.
    """
    for t, z in planes:
        waiting = cut(region, core, predictor.geometry)[::-1]
        while waiting:
            tile = waiting.pop()
            try:
                scores = predictor.probabilities(stack, normalisation, t, z, tile)
            except (RuntimeError, MemoryError) as error:
                smaller = quarter(tile, predictor.geometry)
                if not is_out_of_memory(error) or len(smaller) == 1:
                    raise
                release_memory()
                half = predictor.geometry.round_up(core // 2)
                yield Note(f"Not enough memory for tiles of {core} px: went on with {half} px.")
                waiting = [
                    part for other in [*waiting, tile] for part in cut(other.write, half, predictor.geometry)[::-1]
                ]
                core = half
                continue
            yield scores


def count_tiles(predictor: Predictor, n_planes: int, region: Box, core: int) -> int:
    """How many tiles `iter_scores` will compute, unless memory runs out."""
    return n_planes * len(cut(region, core, predictor.geometry))


def memory_budget(spec: PredictSpec, device: torch.device) -> int:
    """Bytes that tiles may take: of the GPU's free memory, or of `spec.memory` what Python and torch leave.

    What else the process holds (the user's images, napari) is not counted beyond `MOST_RESIDENT`.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE)
    return max(0, spec.memory - min(resident_memory(), MOST_RESIDENT))


def choose_core(spec: PredictSpec, net: NetSpec, region: Box, budget: int) -> int:
    """Side of the tiles' cores, in px: as asked, or the largest that a budget of so many bytes holds."""
    longest = max(s.stop - s.start for s in region)
    shape = geometry(net)
    if spec.tile == "whole":
        return shape.round_up(longest + shape.grid)
    if spec.tile != "auto":
        return shape.round_up(spec.tile)
    a_pixel = 4 * (FLOATS_PER_MAP * net.width + FLOATS_BESIDES + 2 * (net.outputs + net.channels))
    free = budget * (1 - SPARE)
    side = int((max(0.0, free) / a_pixel) ** 0.5) - shape.surplus
    most = shape.round_up(max(SMALLEST_CORE, min(side, LARGEST_CORE) - shape.grid + 1))
    pieces = -(-longest // most)
    return min(most, shape.round_up(-(-longest // pieces)))

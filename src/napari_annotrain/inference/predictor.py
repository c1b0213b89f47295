"""Overlap-tile prediction: the same result as on the whole image, seams and all."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference.dropout import PlacedDropout, with_dropout
from napari_annotrain.inference.spread import Spread
from napari_annotrain.inference.symmetries import SAME, Symmetry, symmetries
from napari_annotrain.inference.views import draws_networks, how_of, precision_of, views_of
from napari_annotrain.net.device import choose_device, keep_freed_memory
from napari_annotrain.net.model import Model
from napari_annotrain.net.ready import make_ready
from napari_annotrain.specs import PredictSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.tiles.grid import Box, Tile, read_mirrored

#: What is made of the network's scores where they are computed, so that no more than that is copied from a GPU:
#: the index of the likeliest class (of equal ones the first); or the probability of being inside a cell and the
#: distances that part cells; or the probabilities of all classes, and the distances; or how uncertain it is; or the
#: scores as they are, which are an image.
Decoding = Literal["classes", "inside", "probabilities", "uncertainty", "image"]


@dataclass(frozen=True)
class Patch:
    """What the network reads of one tile.

    Attributes
    ----------
    t, z
        The plane.
    tile
        Where it lies.
    image
        (1, C, Y, X) float32, normalised, mirrored where the image ends.
    invalid
        (Y, X) of the core: True where the image was not finite; None where all of it was.
    """

    t: int
    z: int
    tile: Tile
    image: torch.Tensor
    invalid: npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class Scores:
    """What the network makes of one tile's core.

    Attributes
    ----------
    t, z
        The plane.
    write
        (Y, X) slices in the image.
    values
        (Y, X) uint8 class indices; or float32 (1 + D, Y, X) probability of the second class and D distances, or
        (K + D, Y, X) probabilities with sum 1 over K, and distances; or (1, Y, X) uncertainty, or (K, Y, X) images;
        see `Decoding`.
    invalid
        (Y, X) True where the image was not finite; None where all of it was.
    """

    t: int
    z: int
    write: Box
    values: npt.NDArray[Any]
    invalid: npt.NDArray[np.bool_] | None


_ready: WeakKeyDictionary[Model, "Predictor"] = WeakKeyDictionary()


def ready_predictor(model: Model, spec: PredictSpec) -> "Predictor":
    """The network of a model, kept while the model lives and no other is used: making it takes longer than a view."""
    known = _ready.get(model)
    device = choose_device(spec.device)
    precision = precision_of(spec, device)
    if known is None or (known.device, known.precision, known.how) != (device, precision, how_of(spec)):
        known = Predictor(model, spec)
        _ready.clear()
        _ready[model] = known
    return known


class Predictor:
    """A network on its device, ready for tiles."""

    def __init__(self, model: Model, spec: PredictSpec) -> None:
        keep_freed_memory()
        self.device = choose_device(spec.device)
        self.precision = precision_of(spec, self.device)
        self.how = how_of(spec)
        self.geometry = geometry(model.card.net)
        self._n_classes, self._residual = len(model.card.classes), model.card.residual
        self._spec = spec
        self._dropout: list[PlacedDropout] = []
        self._network: torch.nn.Module
        if draws_networks(spec):
            self._network, self._dropout = with_dropout(model, self.device, self.geometry.grid)
        else:
            self._network = make_ready(model.network(self.device), self.precision)

    def read(self, stack: Stack, normalisation: Normalisation, t: int, z: int, tile: Tile) -> Patch:
        """Read one tile, mirrored where the image ends, ready to be copied to the device."""

        def read(box: Box) -> npt.NDArray[Any]:
            return stack.read(t, (slice(z, z + 1), *box))[:, 0]

        values = read_mirrored(read, stack.shape[-2:], tile.read)
        invalid = None
        if values.dtype.kind == "f":
            invalid = ~np.isfinite(values[:, *_inside(tile)]).all(0)
            invalid = invalid if invalid.any() else None
        image = torch.from_numpy(normalisation.apply(values))[None]
        if self.device.type == "cuda":  # from pinned memory the copy goes on while the GPU computes
            image = image.pin_memory()
        return Patch(t, z, tile, image, invalid)

    def compute(self, patch: Patch, decoding: Decoding) -> Scores:
        """Compute the core of one tile."""
        with torch.inference_mode():
            image = patch.image.to(self.device, non_blocking=True)
            if decoding != "uncertainty" and self._spec.augment == "none" and not self._dropout:
                values = _decode(self._scores(image, patch.tile), decoding, self._n_classes)
            else:
                values = self._compared(image, patch.tile, decoding)
            if self._residual:
                values = values + image[0][:, *_inside(patch.tile)]
            found = values.cpu().contiguous().numpy()
        return Scores(patch.t, patch.z, patch.tile.write, found, patch.invalid)

    def _scores(self, image: torch.Tensor, tile: Tile, symmetry: Symmetry = SAME) -> torch.Tensor:
        """(K + D, Y, X) of the core, of the image turned and turned back."""
        scores = symmetry.back(self._network(symmetry.there(image), margin=self.geometry.crop)[0])
        y, x = (slice(s.start - self.geometry.crop, s.stop - self.geometry.crop) for s in tile.crop)
        return scores[:, y, x]

    def _samples(self, tile: Tile) -> Iterator[Symmetry]:
        """Draw one network after the other; the image is not turned."""
        for i in range(self._spec.samples):
            for layer in self._dropout:
                layer.sample, layer.origin = i, (tile.read[0].start, tile.read[1].start)
            yield SAME

    def _compared(self, image: torch.Tensor, tile: Tile, decoding: Decoding) -> torch.Tensor:
        """What views of the image, or networks drawn by dropout, say on average, or how far they differ."""
        spread, whole = Spread(), _whole(decoding)
        views = self._samples(tile) if self._dropout else symmetries(views_of(self._spec, decoding == "uncertainty"))
        for symmetry in views:
            spread.add(_decode(self._scores(image, tile, symmetry), whole, self._n_classes))
        if decoding != "uncertainty":
            return _chosen(spread.mean, decoding, self._n_classes)
        if self._spec.uncertainty != "entropy":
            return spread.deviation[: self._n_classes].amax(0, keepdim=True)
        p = spread.mean[: self._n_classes].clamp(min=1e-12)
        return (-(p * p.log()).sum(0, keepdim=True) / math.log(self._n_classes)).clamp(0, 1)


def _whole(decoding: Decoding) -> Decoding:
    """What is averaged over views, from which the rest follows."""
    return "image" if decoding == "image" else "probabilities"


def _chosen(probabilities: torch.Tensor, decoding: Decoding, n_classes: int) -> torch.Tensor:
    """The same of probabilities and distances as `_decode` of scores."""
    if decoding == "classes":
        best = probabilities[:n_classes].argmax(0)
        return best.to(torch.uint8) if n_classes <= 256 else best
    return torch.cat([probabilities[1:2], probabilities[n_classes:]]) if decoding == "inside" else probabilities


def _inside(tile: Tile) -> Box:
    """Where the core lies in what is read."""
    y, x = (slice(w.start - r.start, w.stop - r.start) for w, r in zip(tile.write, tile.read, strict=True))
    return y, x


def _decode(scores: torch.Tensor, decoding: Decoding, n_classes: int) -> torch.Tensor:
    if decoding == "image":
        return scores.float()
    distances = scores[n_classes:].float().clamp(0, 1)
    scores = scores[:n_classes]
    if decoding == "classes" and len(scores) <= 256:
        best, values = scores[0], torch.zeros(scores.shape[1:], dtype=torch.uint8, device=scores.device)
        for k in range(1, len(scores)):  # quicker than argmax over the interleaved maps of channels_last
            values.masked_fill_(scores[k] > best, k)
            best = torch.maximum(best, scores[k])
        return values
    if decoding == "classes":
        return scores.argmax(0)
    if decoding == "inside" and n_classes == 2:  # the softmax of two
        return torch.cat([(scores[1:].float() - scores[:1]).sigmoid(), distances])
    probabilities = scores.float().softmax(0)
    return torch.cat([probabilities[1:2] if decoding == "inside" else probabilities, distances])

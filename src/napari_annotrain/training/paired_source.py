"""Batches of images and their targets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.paired import PairedDataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.validation import is_validation
from napari_annotrain.specs import TrainSpec
from napari_annotrain.tiles.grid import Box, mirror, read_mirrored
from napari_annotrain.training import augment
from napari_annotrain.training.corruption import corrupt
from napari_annotrain.training.sampler import MOST_CACHED, Windows

#: A window in which nothing is known is drawn anew so many times.
TRIES = 10
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Changes:
    """What was drawn for one batch.

    Attributes
    ----------
    turns, flips
        (B,) quarter turns, and whether the patch is mirrored.
    deformation
        None where patches are only turned.
    seed
        Of the corruption.
    """

    turns: npt.NDArray[np.int64]
    flips: npt.NDArray[np.bool_]
    deformation: augment.Augmentation | None
    seed: int


class PairedSource:
    """Windows anywhere in the images, every pixel of them as often, and their targets.

    Parameters
    ----------
    dataset
        What to learn from; what is held out is shown as not known.
    spec
        Settings of the training.
    patch
        Side of the network's input, in px.
    lost
        So many pixels of it on every side are not in the network's output; every other pixel is seen as often.
    """

    def __init__(self, dataset: PairedDataset, spec: TrainSpec, patch: int, lost: int = 0) -> None:
        self._dataset, self._spec, self._patch, self._lost = dataset, spec, patch, lost
        self._deforms = spec.image.vary != "turns"
        self._window = augment.window_size(spec.augment, patch) if self._deforms else patch
        sizes = np.array([np.prod(one.stack.label_shape, dtype=np.float64) for one in dataset.images])
        self._shares = sizes / sizes.sum()
        self._planes: dict[tuple[int, int, int], Array] = {}
        self._room = MOST_CACHED

    def draw(self, rng: np.random.Generator, batch: int, step: int = 0) -> tuple[Windows, Changes]:
        """Windows of a step, and how they will be changed; the same generator state gives the same ones."""
        cuts = [self._cut_some(rng) for _ in range(batch)]
        windows = Windows(np.stack([image for image, _ in cuts]), np.stack([maps for _, maps in cuts]))
        turns, flips = rng.integers(0, 4, batch), rng.random(batch) < 0.5
        drawn = augment.draw(rng, self._spec.augment, batch, self._patch) if self._deforms else None
        return windows, Changes(turns, flips, drawn, int(rng.integers(2**62)))

    def apply(self, drawn: Changes, images: torch.Tensor, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn or deform image and target alike, and make the image worse where that is learnt from.

        Parameters
        ----------
        images
            (B, C, S, S) windows.
        maps
            (B, 1 + K, S, S): 1 where the target is known, and the target; (B, 1, S, S) where it is the image itself.

        Returns
        -------
        (B, C, P, P) images and the maps of `image_loss.finish`, P x P.
        """
        spec, n = self._spec, images.shape[1]
        both = torch.cat([images, maps], 1)  # values are interpolated, those of the target, too
        if drawn.deformation is not None:
            both = augment.deform(drawn.deformation, spec.augment, self._patch, both)
        else:
            both = torch.stack([_turn(*one) for one in zip(both, drawn.turns, drawn.flips, strict=True)])
        images, known, target = both[:, :n], (both[:, n : n + 1] > 0.999).float(), both[:, n + 1 :]
        if not target.shape[1]:
            target = images
        if drawn.deformation is not None and spec.image.vary == "all":
            images = augment.change_intensity(drawn.deformation, images)
        generator = torch.Generator(images.device).manual_seed(drawn.seed)
        images, weight = corrupt(images, known, spec.image, generator)
        return images, torch.cat([known, weight, target, *([images] if self._dataset.residual else [])], 1)

    def _cut_some(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """A window in which something is known, if one is found soon."""
        for _ in range(TRIES):
            cut = self._cut(*self._choose(rng))
            rim = (self._window - self._patch) // 2 + self._lost
            inner = slice(rim, self._window - rim)
            if cut[1][0, inner, inner].any():
                break
        return cut

    def _choose(self, rng: np.random.Generator) -> tuple[int, int, int, Box]:
        """An image, a plane, and a window; what the network gives of it lies in the image."""
        index = int(rng.choice(len(self._shares), p=self._shares))
        n_t, _, n_z, *shape = self._dataset.images[index].stack.shape
        t, z, rim = int(rng.integers(n_t)), int(rng.integers(n_z)), (self._window - self._patch) // 2 + self._lost
        start = [int(rng.integers(max(1, n - (self._patch - 2 * self._lost) + 1))) - rim for n in shape]
        return index, t, z, tuple(slice(s, s + self._window) for s in start)  # type: ignore[return-value]

    def _cut(self, index: int, t: int, z: int, window: Box) -> tuple[Array, Array]:
        """(C, S, S) image and (1 + K, S, S) known pixels and target."""
        dataset, n = self._dataset, self._dataset.images[index].stack.n_channels
        shape = dataset.images[index].stack.shape[-2:]
        plane = self._planes.get((index, t, z))
        if plane is None:
            channels = n + 1 + (dataset.n_targets if dataset.images[index].target is not None else 0)
            if 4 * channels * shape[0] * shape[1] <= self._room:
                self._room -= 4 * channels * shape[0] * shape[1]
                plane = self._planes[index, t, z] = read_pair(
                    dataset, index, t, z, (slice(0, shape[0]), slice(0, shape[1]))
                )
        if plane is None:
            values = read_pair(dataset, index, t, z, window)
        else:
            rows, columns = (mirror(s.start, s.stop, m) for s, m in zip(window, shape, strict=True))
            values = plane[:, rows[:, None], columns]
        known = values[n] * ~_unshown(dataset, index, t, z, window)
        return values[:n], np.concatenate([known[None], values[n + 1 :]])


def read_pair(dataset: PairedDataset, index: int, t: int, z: int, window: Box) -> Array:
    """Image, known pixels and target of a window, mirrored where the image ends and normalised: (C + 1 + K, Y, X).

    What is not finite is 0, and not known; where the target is the image itself there is none (K = 0).
    """
    one = dataset.images[index]
    image, finite = _read(one.stack, dataset.normalisations[index], t, z, window)
    if one.target is None:
        return np.concatenate([image, finite[None]])
    target, known = _read(one.target, dataset.target_normalisations[index], t, z, window)
    return np.concatenate([image, (finite * known)[None], target])


def _read(stack: Stack, normalisation: Normalisation, t: int, z: int, window: Box) -> tuple[Array, Array]:
    def read(box: Box) -> npt.NDArray[np.generic]:
        return stack.read(t, (slice(z, z + 1), *box))[:, 0]

    values = read_mirrored(read, stack.shape[-2:], window)
    return normalisation.apply(values), np.isfinite(values).all(0).astype(np.float32)


def _unshown(dataset: PairedDataset, index: int, t: int, z: int, window: Box) -> npt.NDArray[np.bool_]:
    """(Y, X) True where a window lies outside the image, or in a validation block."""
    shape = dataset.images[index].stack.shape[-2:]
    inside = tuple(slice(max(0, w.start), min(w.stop, n)) for w, n in zip(window, shape, strict=True))
    place = tuple(slice(i.start - w.start, i.stop - w.start) for i, w in zip(inside, window, strict=True))
    unshown = np.ones([w.stop - w.start for w in window], bool)
    box = (inside[0], inside[1])
    unshown[place] = is_validation(dataset.keys[index], t, z, box, dataset.share, dataset.released)
    return unshown


def _turn(values: torch.Tensor, turns: int, flip: bool) -> torch.Tensor:
    values = torch.rot90(values, int(turns), (1, 2))
    return values.flip(2) if flip else values

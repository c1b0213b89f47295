from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.axes import CANONICAL
from napari_annotrain.data.stack import Stack
from napari_annotrain.measurement.columns import numbered


def side_by_side(images: Sequence[Stack]) -> tuple[Stack, list[str]]:
    """Several images of the same T, Z, Y, X as the channels of one, read lazily, and the names of the channels.

    A channel has the name of its image, with a number from 0 where that has several channels; those of a single image
    have numbers only. Pixel sizes are those of the first.
    """
    first = images[0]
    if len(images) == 1:
        return first, numbered("", first.n_channels)
    names = [name for image in images for name in numbered(image.name, image.n_channels)]
    return Stack(_Channels(tuple(images)), CANONICAL, first.name, first.pixel_um), _different(names)


def _different(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{name} {i}" for i, name in enumerate(names)]


@dataclass(frozen=True, eq=False)
class _Channels:
    """An array (T, C, Z, Y, X) that reads each image when it is sliced."""

    images: tuple[Stack, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        n_t, _, *zyx = self.images[0].shape
        return (n_t, sum(image.n_channels for image in self.images), *zyx)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(image.dtype for image in self.images))

    def __getitem__(self, key: tuple[slice, ...]) -> npt.NDArray[Any]:
        t, c, *zyx = (slice(*part.indices(n)) for part, n in zip(key, self.shape, strict=True))
        times = range(t.start, t.stop)
        window = (zyx[0], zyx[1], zyx[2])
        read = [np.concatenate([image.read(time, window) for image in self.images]) for time in times]
        return np.stack(read)[:, c]

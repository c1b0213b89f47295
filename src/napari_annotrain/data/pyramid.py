"""Smaller levels of an OME-Zarr, so that an overview reads little."""

from collections import deque
from collections.abc import Iterator
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

#: Levels are added until a plane is no larger than this, in px.
SMALLEST_PX = 256


def add_levels(group: zarr.Group, axes: str) -> None:
    """Add smaller levels as `iter_levels` does, in one go."""
    deque(iter_levels(group, axes), maxlen=0)


def iter_levels(group: zarr.Group, axes: str) -> Iterator[tuple[int, int]]:
    """Add levels of half the size along Y and X to the one at path ``0``.

    Of labels every second pixel is taken, as a mean of ids is no id; other values are averaged, two by two. Only as
    much as a few chunks is in memory. Levels that are there already are made anew. The metadata are brought up to date
    last.

    Parameters
    ----------
    group
        As `ngff.new_store` makes it.
    axes
        Of the image, one letter a dimension.

    Yields
    ------
    How many chunks are written, and how many there will be.
    """
    attributes: dict[str, Any] = dict(group.attrs["ome"])
    image = dict(attributes["multiscales"][0])
    datasets = [image["datasets"][0]]
    level = _array(group, "0")
    shapes = list(_smaller_shapes(level.shape, axes))
    total = sum(prod(ceil(n / c) for n, c in zip(shape, level.chunks, strict=True)) for shape in shapes)
    done = 0
    for shape in shapes:
        name = str(len(datasets))
        smaller = _new_level(group, level, name, axes, shape)
        for _ in _halve(level, smaller, axes, mean="image-label" not in attributes):
            done += 1
            yield done, total
        level = smaller
        scale = datasets[-1]["coordinateTransformations"][0]["scale"]
        halved = [2 * s if a in "YX" else s for s, a in zip(scale, axes, strict=True)]
        datasets.append({"path": name, "coordinateTransformations": [{"type": "scale", "scale": halved}]})
    group.attrs["ome"] = attributes | {"multiscales": [image | {"datasets": datasets}]}


def _smaller_shapes(shape: tuple[int, ...], axes: str) -> Iterator[tuple[int, ...]]:
    while max(n for a, n in zip(axes, shape, strict=True) if a in "YX") > SMALLEST_PX:
        shape = tuple(ceil(n / 2) if a in "YX" else n for a, n in zip(axes, shape, strict=True))
        yield shape


def _new_level(group: zarr.Group, level: zarr.Array, name: str, axes: str, shape: tuple[int, ...]) -> zarr.Array:
    return group.create_array(
        name,
        shape=shape,
        chunks=tuple(min(c, n) for c, n in zip(level.chunks, shape, strict=True)),
        dtype=level.dtype,
        fill_value=0,
        dimension_names=list(axes.lower()),
        overwrite=True,
    )


def _halve(level: zarr.Array, smaller: zarr.Array, axes: str, mean: bool) -> Iterator[None]:
    """Fill a level chunk by chunk."""
    factors = tuple(2 if a in "YX" else 1 for a in axes)
    shape, chunks = smaller.shape, smaller.chunks
    for start in product(*(range(0, n, c) for n, c in zip(shape, chunks, strict=True))):
        place = tuple(slice(s, min(s + c, n)) for s, c, n in zip(start, chunks, shape, strict=True))
        source = tuple(slice(f * p.start, f * p.stop) for f, p in zip(factors, place, strict=True))
        part = np.asarray(level[source])
        smaller[place] = _mean(part, factors) if mean else part[tuple(slice(None, None, f) for f in factors)]
        yield


def _mean(part: npt.NDArray[Any], factors: tuple[int, ...]) -> npt.NDArray[Any]:
    """Mean of blocks; those at an odd end have fewer values."""
    sums = part.astype(np.float64)
    for axis, factor in enumerate(factors):
        if factor > 1:
            counts = np.minimum(factor, part.shape[axis] - np.arange(0, part.shape[axis], factor))
            sums = np.add.reduceat(sums, np.arange(0, part.shape[axis], factor), axis)
            sums /= counts.reshape([-1 if i == axis else 1 for i in range(part.ndim)])
    return (np.rint(sums) if part.dtype.kind in "iu" else sums).astype(part.dtype)


def _array(group: zarr.Group, name: str) -> zarr.Array:
    found = group[name]
    assert isinstance(found, zarr.Array)
    return found

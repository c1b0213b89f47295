"""Smaller levels of an OME-Zarr, so that an overview reads little."""

from itertools import product
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

#: Levels are added until a plane is no larger than this, in px.
SMALLEST_PX = 256


def add_levels(group: zarr.Group, axes: str) -> int:
    """Add levels of half the size along Y and X to the one at path ``0``; how many levels there are then.

    Of labels every second pixel is taken, as a mean of ids is no id; other values are averaged, two by two. Only as
    much as a few chunks is in memory. Levels that are there already are made anew. The metadata are brought up to date
    last.

    Parameters
    ----------
    group
        As `ngff.new_store` makes it.
    axes
        Of the image, one letter a dimension.
    """
    attributes: dict[str, Any] = dict(group.attrs["ome"])
    image = dict(attributes["multiscales"][0])
    datasets = [image["datasets"][0]]
    level = _array(group, "0")
    while max(n for a, n in zip(axes, level.shape, strict=True) if a in "YX") > SMALLEST_PX:
        name = str(len(datasets))
        level = _halve(group, level, name, axes, mean="image-label" not in attributes)
        scale = datasets[-1]["coordinateTransformations"][0]["scale"]
        halved = [2 * s if a in "YX" else s for s, a in zip(scale, axes, strict=True)]
        datasets.append({"path": name, "coordinateTransformations": [{"type": "scale", "scale": halved}]})
    group.attrs["ome"] = attributes | {"multiscales": [image | {"datasets": datasets}]}
    return len(datasets)


def _halve(group: zarr.Group, level: zarr.Array, name: str, axes: str, mean: bool) -> zarr.Array:
    factors = tuple(2 if a in "YX" else 1 for a in axes)
    shape = tuple(ceil(n / f) for n, f in zip(level.shape, factors, strict=True))
    chunks = tuple(min(c, n) for c, n in zip(level.chunks, shape, strict=True))
    smaller = group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=level.dtype,
        fill_value=0,
        dimension_names=list(axes.lower()),
        overwrite=True,
    )
    for start in product(*(range(0, n, c) for n, c in zip(shape, chunks, strict=True))):
        place = tuple(slice(s, min(s + c, n)) for s, c, n in zip(start, chunks, shape, strict=True))
        source = tuple(slice(f * p.start, f * p.stop) for f, p in zip(factors, place, strict=True))
        part = np.asarray(level[source])
        smaller[place] = _mean(part, factors) if mean else part[tuple(slice(None, None, f) for f in factors)]
    return smaller


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

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.stack import Stack
from napari_annotrain.specs import NormaliseSpec


@dataclass(frozen=True)
class Normalisation:
    """How intensities of one image become network input: (value - low) / (high - low), channel by channel.

    Measured once an image, never on a tile: tiles with ranges of their own are the usual cause of visible squares.

    Attributes
    ----------
    low, high
        The values that become 0 and 1, one a channel.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def is_constant(self) -> bool:
        """True when no channel has any contrast."""
        return all(high <= low for low, high in zip(self.low, self.high, strict=True))

    def apply(self, window: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Bring a window (C, ..., Y, X) of any real type to float32; what is not finite becomes 0."""
        ones = (1,) * (window.ndim - 1)
        low = np.asarray(self.low, np.float32).reshape(-1, *ones)
        span = np.asarray(self.high, np.float32).reshape(-1, *ones) - low
        out = window.astype(np.float32)
        out -= low
        out *= np.divide(1, span, out=np.zeros_like(span), where=span > 0)
        if window.dtype.kind == "f":
            np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return out


def measure(stack: Stack, spec: NormaliseSpec) -> Normalisation:
    """Measure the intensity range of an image, all planes together, on its overview (see `Stack.overview`)."""
    if spec.mode == "none":
        return Normalisation((0.0,) * stack.n_channels, (1.0,) * stack.n_channels)
    channels = np.moveaxis(stack.overview(), 1, 0).reshape(stack.n_channels, -1)
    if spec.scope == "channel":
        ranges = [_measure_range(values, spec) for values in channels]
    else:
        ranges = [_measure_range(channels.ravel(), spec)] * stack.n_channels
    return Normalisation(tuple(low for low, _ in ranges), tuple(high for _, high in ranges))


def merge(measured: list[Normalisation]) -> Normalisation:
    """One range for a whole training set: the median of its images' ranges."""
    low = np.median([n.low for n in measured], axis=0)
    high = np.median([n.high for n in measured], axis=0)
    return Normalisation(tuple(low.tolist()), tuple(high.tolist()))


def _measure_range(values: npt.NDArray[Any], spec: NormaliseSpec) -> tuple[float, float]:
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    elif values.dtype.kind == "b":
        values = values.view(np.uint8)
    if values.size == 0:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if spec.mode == "meanstd":
        mean = float(values.mean(dtype=np.float64))
        return mean, mean + float(values.std(dtype=np.float64))
    if spec.mode == "percentile":
        inner = np.percentile(values, (spec.low, spec.high))
        if inner[1] > inner[0]:  # else nearly all pixels are equal (a few cells on black): take the extremes
            return float(inner[0]), float(inner[1])
    return low, high

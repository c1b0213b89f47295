import tempfile
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

#: Larger arrays live in a temporary file that takes room on disk only where something is written.
MOST_IN_MEMORY = 1 << 30


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros that cost nothing until they are written to, however large the image.

    In memory the system hands out untouched pages lazily, but may refuse more than it has; beyond `MOST_IN_MEMORY`
    it is a memory map of a file without a name, which goes with the array.
    """
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    if n_bytes <= MOST_IN_MEMORY:
        return np.zeros(shape, dtype)
    with tempfile.TemporaryFile(prefix="annotrain-") as file:
        file.truncate(n_bytes)
        return np.memmap(file, dtype=np.dtype(dtype), mode="r+", shape=shape)


def as_tzyx(array: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """View of a label array, or of a stack of them, as (..., T, Z, Y, X); writing to it writes to the array.

    `axes` names the last dimensions of the array; a C among them must have length 1.
    """
    lead = array.ndim - len(axes)
    if "C" in axes:
        array = np.squeeze(array, axis=lead + axes.index("C"))
        axes = axes.replace("C", "")
    order = [*range(lead), *(lead + axes.index(a) for a in "TZYX" if a in axes)]
    view = array.transpose(order)
    missing = tuple(lead + i for i, a in enumerate("TZYX") if a not in axes)
    return np.expand_dims(view, missing)

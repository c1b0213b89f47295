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

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.viewer.brackets import split
from napari_annotrain.errors import AnnotrainError

#: Whoever wants all of it at once gets no more bytes than this.
MOST_AT_ONCE = 1 << 30


class LayerArray:
    """A growing result in the order of the axes of its layer, for napari to slice: the reverse of `arrays.as_tzyx`.

    Parameters
    ----------
    axes
        Those of the layer, one letter a dimension; a C has length 1. Classes come before them.
    """

    def __init__(self, growing: Growing, axes: str) -> None:
        self.growing = growing
        self._names = "KTZYX"[-growing.ndim :]
        self._axes = "K" * (growing.ndim - 4) + axes
        lengths = dict(zip(self._names, growing.shape, strict=True)) | {"C": 1}
        self.shape = tuple(lengths[a] for a in self._axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.growing.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes all of it would take in the memory."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"LayerArray(shape={self.shape}, dtype={self.dtype}, path={str(self.growing.path)!r})"

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read a window: whole numbers and forward slices, as numpy understands them."""
        window, rest = split(key, self.shape)
        place = dict(zip(self._axes, window, strict=True))
        part = self.growing[tuple(place.get(a, 0) for a in self._names)]
        kept = [a for a in self._names if a in self._axes]
        part = part.transpose([kept.index(a) for a in self._axes if a != "C"])
        return part[tuple(None if a == "C" else slice(None) for a in self._axes)][rest]

    def __setitem__(self, key: Any, values: Any) -> None:
        raise AnnotrainError(
            "A prediction on the disk cannot be painted on: paint on the annotation, or copy a part of it."
        )

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if self.nbytes > MOST_AT_ONCE:
            raise AnnotrainError(
                "This prediction is too large to be read at once: "
                f"copy its OME-Zarr instead, {self.growing.path}, or cut a part out of the layer."
            )
        return self[...].astype(self.dtype if dtype is None else dtype)

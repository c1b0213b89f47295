from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.annotation import PlaneBox
from napari_annotrain.data.weights import IGNORE, DistanceMap, TargetMap, WeightMap


@dataclass(frozen=True)
class Area:
    """One annotated part of one plane, small enough to be held in memory; its image stays where it is.

    Attributes
    ----------
    image
        Index of the image in the dataset.
    key
        Fingerprint of the image (`validation.fingerprint`).
    t, z, box
        Where it lies.
    target
        (Y, X) class index, IGNORE where not annotated.
    border
        (Y, X) extra weight of the gaps between cells.
    balance
        (K,) weight of each class.
    distance
        (Y, X) how deep inside its cell a pixel lies, 0 to 1 (`weights.cell_distances`); None for classes.
    held_out
        (Y, X) True in validation blocks; never trained on.
    cells_px
        Pixels of each cell in it; None for classes.
    """

    image: int
    key: str
    t: int
    z: int
    box: PlaneBox
    target: TargetMap = field(repr=False)
    border: WeightMap = field(repr=False)
    balance: npt.NDArray[np.float32]
    held_out: npt.NDArray[np.bool_] = field(repr=False)
    distance: DistanceMap | None = field(repr=False)
    cells_px: npt.NDArray[np.intp] | None = field(repr=False)

    @property
    def weight(self) -> WeightMap:
        """(Y, X) weight of the annotated pixels, mean about 1 (equation 2 of the U-Net paper: w_c + w0 exp(...))."""
        return self.weight_in((slice(None), slice(None)))

    def weight_in(self, part: tuple[slice, slice]) -> WeightMap:
        """The same of a part of it, in its own coordinates."""
        target = self.target[part]
        weight = np.where(target == IGNORE, 0, self.border[part] + self.balance[np.maximum(target, 0)])
        return weight.astype(np.float32)

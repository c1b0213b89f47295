from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.annotation import PlaneBox
from napari_annotrain.data.weights import DistanceMap, TargetMap, WeightMap


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
    weight
        (Y, X) weight of the annotated pixels, mean about 1.
    distance
        (Y, X) how deep inside its cell a pixel lies, 0 to 1 (`weights.cell_distances`); None for classes.
    held_out
        (Y, X) True in validation blocks; never trained on.
    cells_px
        Pixels of each cell in it; None for classes.
    border
        (Y, X) the part of the weight that does not hang on how much of each class is annotated.
    """

    image: int
    key: str
    t: int
    z: int
    box: PlaneBox
    target: TargetMap = field(repr=False)
    weight: WeightMap = field(repr=False)
    held_out: npt.NDArray[np.bool_] = field(repr=False)
    distance: DistanceMap | None = field(repr=False)
    cells_px: npt.NDArray[np.intp] | None = field(repr=False)
    border: WeightMap = field(repr=False)

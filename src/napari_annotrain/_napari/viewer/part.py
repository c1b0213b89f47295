from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import CompositeAffine

from napari_annotrain._napari.viewer.layers import label_axes, placement


def place_part(
    layer: Image, axes: str, t: int, z: int, origin: tuple[float, float], pixel: float
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Where an array lies that covers a part of one plane of an image layer.

    Parameters
    ----------
    layer, axes
        The image, and the axes of its array.
    t, z
        The plane.
    origin
        (Y, X) of the middle of the array's first pixel, in pixels of the image.
    pixel
        How many pixels of the image one of the array is wide.

    Returns
    -------
    Keyword arguments for a layer, and the axes along which it has but one position.
    """
    place = placement(layer, axes)
    wanted = label_axes(layer, axes)
    start = {"T": t, "Z": z, "C": 0} | dict(zip("YX", origin, strict=True))
    made = CompositeAffine(
        scale=place["scale"],
        translate=place["translate"],
        rotate=place["rotate"],
        shear=place["shear"],
        ndim=len(wanted),
    )
    place["translate"] = np.asarray(made([float(start[a]) for a in wanted]))
    place["scale"] = place["scale"] * [pixel if a in "YX" else 1 for a in wanted]
    return place, tuple(i for i, a in enumerate(wanted) if a not in "YX")

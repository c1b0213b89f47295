from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.transforms import CompositeAffine

from napari_annotrain._napari.viewer.layers import label_axes, placement


def lay_over(
    layer: Image, axes: str, plane: tuple[int, int], origin: tuple[float, float], pixel: float, picture: Any
) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """Let a picture lie over a part of one plane of an image layer.

    Parameters
    ----------
    layer, axes
        The image, and the axes of its array.
    plane
        Its number in time and in depth.
    origin
        (Y, X) of the middle of the picture's first pixel, in pixels of the image.
    pixel
        How many pixels of the image one of the picture is wide.
    picture
        (Y, X).

    Returns
    -------
    The picture with the axes of a layer over the image, and keyword arguments that put it there.
    """
    place, wanted = placement(layer, axes), label_axes(layer, axes)
    start = dict(zip("TZCYX", (*plane, 0, *origin), strict=True))
    shape = {name: place[name] for name in ("scale", "translate", "rotate", "shear")}
    made = CompositeAffine(**shape, ndim=len(wanted))
    place["translate"] = np.asarray(made([float(start[a]) for a in wanted]))
    place["scale"] = place["scale"] * [pixel if a in "YX" else 1 for a in wanted]
    turned = picture.T if wanted.index("X") < wanted.index("Y") else picture
    return np.expand_dims(turned, [i for i, a in enumerate(wanted) if a not in "YX"]), place

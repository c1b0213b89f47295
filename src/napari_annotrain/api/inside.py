from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_annotrain.api.piecewise import measure_normalisation
from napari_annotrain.api.prediction import predict_spec
from napari_annotrain.api.sources import Source, one_stack
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.inference import inside
from napari_annotrain.inference.inside import FeatureMaps
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec
from napari_annotrain.store.models import load_model

#: Longest side, in px of what a network of width 16 sees: all maps of it are in the memory at once.
LONGEST_PX = 1024


def feature_maps(
    model: Model | str | Path,
    image: Source,
    t: int = 0,
    z: int = 0,
    box: tuple[slice, slice] | None = None,
    device: str = "auto",
    axes: str | None = None,
) -> list[FeatureMaps]:
    """Look at what every level of a model makes of an image.

    Parameters
    ----------
    model
        A `Model`, the path of a model file, or the name of a shipped one.
    image
        An array or a file.
    t, z
        The plane, counted from 0.
    box
        (Y, X) slices, cut to the image; None for all of the plane. At most 1024 px a side for a network of width 16, a
        half of that for one of 64, and less where the image is enlarged for it.
    device, axes
        As in `predict`.

    Returns
    -------
    Of each level, from the image to the result, its `maps` (N, Y, X) float32, how many pixels of the image one of
    theirs is wide (`pixel`), and where the first one lies (`origin`). They are those of the whole image: what lies
    around the box is seen.

    Raises
    ------
    AnnotrainError
        Bad input, or a box that is too large or has nothing of the image in it.
    """
    known, stack = model if isinstance(model, Model) else load_model(model), one_stack(image, axes)
    spec = predict_spec(device=device)
    whole = _inside(stack, t, z, box)
    if inside.fit_box(known, stack, spec, whole, LONGEST_PX) != whole:
        raise AnnotrainError(f"{' x '.join(str(s.stop - s.start) for s in whole)} px are too many: give a smaller box.")
    return look_inside(known, stack, t, z, whole, spec)[1]


def look_inside(
    model: Model,
    stack: Stack,
    t: int,
    z: int,
    box: tuple[slice, slice],
    spec: PredictSpec | None = None,
    normalisation: Normalisation | None = None,
) -> tuple[tuple[slice, slice], list[FeatureMaps]]:
    """Look at feature maps as `feature_maps` does, in the middle of a box that is too large; that, and the maps.

    With `normalisation` from `measure_normalisation`, to measure it once.
    """
    spec = spec or PredictSpec()
    known = normalisation or measure_normalisation(model, stack)
    middle = inside.fit_box(model, stack, spec, _inside(stack, t, z, box), LONGEST_PX)
    return middle, inside.find_feature_maps(model, stack, known, spec, t, z, middle)


def _inside(stack: Stack, t: int, z: int, box: tuple[slice, slice] | None) -> tuple[slice, slice]:
    """The box, or all of the plane, where that is there."""
    n_t, _, n_z, n_y, n_x = stack.shape
    if not (0 <= t < n_t and 0 <= z < n_z):
        raise AnnotrainError(f"{stack.name} has no plane t {t}, z {z}: there are {n_t} in time and {n_z} in depth.")
    sides = [range(n)[part] for n, part in zip((n_y, n_x), box or (slice(None), slice(None)), strict=True)]
    if any(not side or side.step != 1 for side in sides):
        raise AnnotrainError(f"The box holds nothing of {stack.name}, which is {n_y} x {n_x} px: give another one.")
    y, x = (slice(side.start, side.stop) for side in sides)
    return y, x


def first_filters(model: Model | str | Path) -> npt.NDArray[np.float32]:
    """Take the filters of a model's first convolution out of it, folded with the normalisation that follows it.

    Returns
    -------
    (N, C, 3, 3) float32: the filters, and of each a part for each channel of the image.
    """
    return inside.first_filters(model if isinstance(model, Model) else load_model(model))

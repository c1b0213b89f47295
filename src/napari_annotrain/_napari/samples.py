"""Sample data for napari's menu: made or read when asked for, nothing downloaded."""

from typing import Any

import numpy as np
import numpy.typing as npt

#: (data, settings, kind), as napari's sample data functions return them.
LayerData = tuple[Any, dict[str, Any], str]
#: Pixel, distance of planes and of frames of the made images.
PIXEL_UM, PLANE_UM, FRAME_S = 0.65, 1.95, 300.0


def cells_2d() -> list[LayerData]:
    """One plane of made nuclei (Y, X), with a few strokes of annotation."""
    from napari_annotrain.data import synthetic

    image, labels = synthetic.cells()
    where = {"scale": (PIXEL_UM, PIXEL_UM), "units": ("um", "um"), "axis_labels": ("y", "x")}
    return _annotated("cells", image, labels, where)


def cells_stack() -> list[LayerData]:
    """A stack of made nuclei (Z, Y, X); strokes in its middle plane, which napari shows first."""
    from napari_annotrain.data import synthetic

    image, labels = synthetic.cell_stack()
    where = {"scale": (PLANE_UM, PIXEL_UM, PIXEL_UM), "units": ("um", "um", "um"), "axis_labels": ("z", "y", "x")}
    return _annotated("cell stack", image, labels, where)


def cells_movie() -> list[LayerData]:
    """A movie of made nuclei (T, Y, X); strokes in its middle frame, which napari shows first."""
    from napari_annotrain.data import synthetic

    image, labels = synthetic.cell_movie()
    where = {"scale": (FRAME_S, PIXEL_UM, PIXEL_UM), "units": ("s", "um", "um"), "axis_labels": ("t", "y", "x")}
    return _annotated("cell movie", image, labels, where)


def stained_tissue() -> list[LayerData]:
    """A real colour image (Y, X, RGB) that scikit-image brings along: tissue, brown antibody and blue nuclei."""
    from skimage.data import immunohistochemistry

    return [(immunohistochemistry(), {"name": "stained tissue", "rgb": True, "contrast_limits": (0, 255)}, "image")]


def _annotated(
    name: str, image: npt.NDArray[np.uint16], labels: npt.NDArray[np.uint16], where: dict[str, Any]
) -> list[LayerData]:
    """Image and annotation layers; of a stack or a movie, the plane in the middle is annotated."""
    from napari_annotrain.data.strokes import strokes

    annotation = np.zeros(labels.shape, np.uint16)
    middle = (labels.shape[0] - 1) // 2 if labels.ndim == 3 else ...
    annotation[middle] = strokes(labels[middle])
    low, high = np.percentile(image, (1, 99.8))
    return [
        (image, {"name": name, "contrast_limits": (float(low), float(high)), **where}, "image"),
        (annotation, {"name": f"{name} annotation", "opacity": 0.65, **where}, "labels"),
    ]

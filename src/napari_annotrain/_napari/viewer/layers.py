from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Shapes

from napari_annotrain._napari.viewer.colours import glow, green_red
from napari_annotrain.axes import CANONICAL, NO_PIXEL_SIZES, guess_axes, parse_axes, without_channel
from napari_annotrain.data.annotation import AnnotatedImage, CompleteRegion
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

#: Kinds of predictions that are no labels.
IMAGES = ("probabilities", "uncertainty", "image")
#: Brightest is an uncertainty of this: two networks, or views, cannot differ more in a probability.
MOST_SPREAD = 0.5
#: Words that other software writes for the axes.
AXIS_WORDS = {"time": "T", "channel": "C", "channels": "C", "depth": "Z", "plane": "Z", "slice": "Z"}
#: Corners of the polygon that stands for an ellipse.
ELLIPSE_CORNERS = 64


def axes_of(layer: Image) -> str:
    """Axes of an image layer's array, from its axis labels where they say so, else guessed.

    Raises
    ------
    AnnotrainError
        It has more dimensions than can be used.
    """
    shape = _finest(layer).shape
    words = [str(word).strip().lower() for word in getattr(layer, "axis_labels", ())]
    letters = "".join(AXIS_WORDS.get(word, word.upper()) for word in words)
    if layer.rgb:
        letters += "C"
    if len(letters) == len(shape) == len(set(letters)) and set("YX") <= set(letters) <= set(CANONICAL):
        return letters
    if layer.rgb:  # the last axis is known to be colours, however small the image
        return guess_axes((*shape[:-3], *(max(n, shape[-1] + 1) for n in shape[-3:-1]), shape[-1]))
    # napari keeps channels in layers of their own, so that four dimensions are rather time and depth
    return {2: "YX", 3: "ZYX", 4: "TZYX", 5: "TCZYX"}.get(len(shape)) or guess_axes(shape)


def stack_of(layer: Image, axes: str) -> Stack:
    """The image of a layer, read lazily; of a multiscale one the finest level, the others as its pyramid."""
    array = _finest(layer)
    axes = parse_axes(axes, len(array.shape))
    levels = tuple(layer.data[1:]) if layer.multiscale else ()
    return Stack.of(array, axes, layer.name, levels=levels, pixel_um=pixel_sizes(layer, axes))


def pixel_sizes(layer: Any, axes: str) -> dict[str, float]:
    """Pixel sizes in micrometres (T in seconds) by axis; axes without a physical unit are left out."""
    sizes = dict(NO_PIXEL_SIZES)
    for axis, scale, unit in zip(axes, layer.scale, getattr(layer, "units", ()), strict=False):
        wanted = "second" if axis == "T" else "micrometer"
        if axis != "C" and unit.is_compatible_with(wanted):
            sizes[axis] = float((float(scale) * unit).to(wanted).magnitude)
    return sizes


def label_axes(layer: Image, axes: str) -> str:
    """Axes of a labels layer that lies over an image layer.

    The channel is left out where napari then still aligns the other axes (RGB, or channel first); else it stays,
    with length 1, stretched over all channels by `placement`.
    """
    if layer.rgb or axes.startswith("C") or "C" not in axes:
        return without_channel(axes)
    return axes


def label_shape(layer: Image, axes: str) -> tuple[int, ...]:
    """Shape of such a labels layer."""
    lengths = dict(zip(axes, _finest(layer).shape, strict=True)) | {"C": 1}
    return tuple(int(lengths[a]) for a in label_axes(layer, axes))


def placement(layer: Image, axes: str) -> dict[str, Any]:
    """Keyword arguments that put a labels layer exactly over an image layer: scale, translate, units, ..."""
    spatial = axes[: layer.ndim]
    wanted = label_axes(layer, axes)
    keep = [spatial.index(a) for a in wanted]
    pairs = zip(*np.triu_indices(layer.ndim, k=1), strict=True)
    kept_pairs = [i for i, (a, b) in enumerate(pairs) if a in keep and b in keep]
    place = {
        "scale": np.asarray(layer.scale)[keep].copy(),
        "translate": np.asarray(layer.translate)[keep].copy(),
        "rotate": np.asarray(layer.rotate)[np.ix_(keep, keep)],
        "shear": np.asarray(layer.shear)[kept_pairs],
        "affine": layer.affine.set_slice(keep).affine_matrix,
        "units": tuple(layer.units[i] for i in keep),
        "axis_labels": tuple(layer.axis_labels[i] for i in keep),
    }
    if "C" in wanted:  # one value over all channels: as long as they all are, centred on them
        c, n = keep.index(spatial.index("C")), layer.data.shape[spatial.index("C")]
        place["translate"][c] += (n - 1) / 2 * place["scale"][c]
        place["scale"][c] *= n
    return place


def with_leading(place: dict[str, Any], what: str = "class") -> dict[str, Any]:
    """Placement of an array with one more axis in front: the classes of probabilities, the channels of an image."""
    n = len(place["scale"]) + 1
    rotate, affine = np.eye(n), np.eye(n + 1)
    rotate[1:, 1:] = place["rotate"]
    affine[1:, 1:] = place["affine"]
    return {
        "scale": np.concatenate([[1.0], place["scale"]]),
        "translate": np.concatenate([[0.0], place["translate"]]),
        "rotate": rotate,
        "shear": np.concatenate([np.zeros(n - 1), place["shear"]]),
        "affine": affine,
        "units": ("pixel", *place["units"]),
        "axis_labels": (what, *place["axis_labels"]),
    }


def result_layer(image: Image, axes: str, data: Any, kind: str) -> Any:
    """A layer for predictions over an image; probabilities have one more axis in front, and images of many channels."""
    name, place = f"{image.name} prediction", placement(image, axes)
    if kind == "image":
        wide = data.ndim > len(label_axes(image, axes))
        return made_image(image, data, with_leading(place, "channel") if wide else place, name)
    if kind not in IMAGES:
        return Labels(data, name=name, opacity=0.5, metadata={"annotrain": ""}, **place)
    most = 1 if kind == "probabilities" else MOST_SPREAD
    look = {"contrast_limits": (0, most), "colormap": "magma", "blending": "additive"}
    lead = with_leading(place) if kind == "probabilities" else place
    return Image(data, name=name, metadata={"annotrain": kind}, **look, **lead)


def made_image(image: Image, data: Any, place: dict[str, Any], name: str) -> Image:
    """A layer for an image that was made from another one, which looks like that one."""
    look = {"contrast_limits": image.contrast_limits, "colormap": "gray", "interpolation2d": "nearest"}
    return Image(data, name=name, metadata={"annotrain": "image"}, **look, **place)


def show_range(layer: Image, ranges: Sequence[tuple[float, float]]) -> None:
    """Let an image that was made be seen in its own range, (low, high) of each channel; none: that of its image."""
    if ranges:
        layer.contrast_limits = min(low for low, _ in ranges), max(high for _, high in ranges)


def border_layer(image: Image, axes: str, blank: Any, w0: float) -> Image:
    """A layer for border weights over an image, which are seen through all paint and nowhere else."""
    return Image(
        blank,
        name=f"{image.name} border weights",
        contrast_limits=(0, w0),
        colormap=glow(),
        blending="additive",
        metadata={"annotrain": "border weights"},
        **placement(image, axes),
    )


def changes_layer(image: Image, axes: str, blank: Any) -> Image:
    """A layer for what has changed over an image: 0 is clear, `metrics.changes.NEW` green, GONE red."""
    return Image(
        blank,
        name=f"{image.name} what changed",
        contrast_limits=(0, 2),
        colormap=green_red(),
        interpolation2d="nearest",
        blending="translucent",
        metadata={"annotrain": "what changed"},
        **placement(image, axes),
    )


def annotation_stack(image: Stack, layer: Labels, axes: str) -> Stack:
    """The painted labels, with the axes that make them fit the image."""
    for candidate in (axes, image.label_axes, image.axes):
        if len(candidate) == layer.ndim:
            return Stack(layer.data, candidate, layer.name)
    shapes = " x ".join(map(str, layer.data.shape)), " x ".join(map(str, image.label_shape))
    raise AnnotrainError(
        f"The image {image.name} is {shapes[1]} but its annotation is {shapes[0]}: "
        "choose the annotation that belongs to it."
    )


def annotated(
    image: Image, axes: str, labels: Labels, shapes: Shapes | None, planes: Iterable[tuple[int, ...]] | None = None
) -> AnnotatedImage:
    """An image layer with what was painted and drawn over it.

    `planes` are the indices of the painted planes in the labels layer, where they are known.
    """
    stack = stack_of(image, axes)
    painted = annotation_stack(stack, labels, label_axes(image, axes))
    known = None
    if planes is not None:
        names = [dict(zip(painted.axes, index, strict=False)) for index in planes]
        known = frozenset((name.get("T", 0), name.get("Z", 0)) for name in names)
    return AnnotatedImage(stack, painted, complete_regions(shapes, labels, painted.axes), planes=known)


def complete_regions(
    shapes: Shapes | None, labels: Labels, axes: str, only: Collection[int] | None = None
) -> tuple[CompleteRegion, ...]:
    """Closed shapes as outlines in pixels of the image; each belongs to the plane it was drawn in.

    `axes` are those of the labels layer, which lies exactly over the image. `only` these shapes, by their number.
    """
    if shapes is None or shapes.ndim != len(axes):
        return ()
    regions = []
    for i, (corners, kind) in enumerate(zip(shapes.data, shapes.shape_type, strict=True)):
        if only is not None and i not in only:
            continue
        if kind not in ("rectangle", "polygon", "ellipse"):
            continue
        points = np.array([labels.world_to_data(shapes.data_to_world(corner)) for corner in corners])
        plane = {a: round(float(points[0, axes.index(a)])) if a in axes else 0 for a in "TZ"}
        outline = points[:, [axes.index("Y"), axes.index("X")]]
        if kind == "ellipse":
            outline = _ellipse(outline)
        regions.append(CompleteRegion(plane["T"], plane["Z"], tuple((float(y), float(x)) for y, x in outline)))
    return tuple(regions)


def _ellipse(box: Any) -> Any:
    """Polygon along the ellipse inside four corners."""
    centre = box.mean(axis=0)
    angles = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)
    half_a, half_b = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    return centre + np.outer(np.cos(angles), half_a) + np.outer(np.sin(angles), half_b)


def _finest(layer: Any) -> Any:
    return layer.data[0] if layer.multiscale else layer.data

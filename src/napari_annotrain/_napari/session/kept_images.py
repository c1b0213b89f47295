"""Which images a session knows, and what of them is in the window."""

import logging
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any
from weakref import ReferenceType

import numpy as np
from napari.layers import Image, Labels, Shapes

from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.session.kept_predictions import stored_prediction
from napari_annotrain._napari.session.mirror import Mirror
from napari_annotrain._napari.viewer import layers
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.listing import is_same
from napari_annotrain.session.state import DrawnRegion, ImageState

log = logging.getLogger("napari_annotrain")
#: Side of the windows, and how many planes, an image is known by.
WINDOW_PX, PLANES = 64, 3


@dataclass(eq=False)
class KeptImage:
    """An image of the session, with one of its annotations.

    Attributes
    ----------
    state
        As it is in the session folder, or will be.
    image
        Its layer; dead or None while it is not in the window.
    labels
        The layer of the annotation, also while it is removed; None where it was not shown yet, or there is none.
    mirror
        Writes what is painted on it; None while no session is open.
    superseded
        Whether another one of the same layer, of another size or type, takes its place once that is on the disk.
    awaits_prediction
        Whether its prediction is shown again once the models are read.
    """

    state: ImageState
    image: ReferenceType[Image] | None = None
    labels: Labels | None = None
    mirror: Mirror | None = None
    superseded: bool = False
    awaits_prediction: bool = False

    def layer(self, viewer: Any) -> Image | None:
        """Its layer, where that is in the window."""
        found = self.image() if self.image is not None else None
        return found if found is not None and found in viewer.layers else None

    def now(self, roster: Roster, ticked: bool) -> ImageState:
        """The state that the window shows; what has left the window stays as it was."""
        layer, labels = self.layer(roster.viewer), self.labels
        if layer is None:
            return self.state if labels is None else self.state.model_copy(update={"annotation": labels.name})
        update: dict[str, Any] = {"name": layer.name, "axes": roster.said_axes(layer), "trained_on": ticked}
        if labels is not None and not self.superseded:
            update["put_away"] = labels not in roster.viewer.layers
            update["current"] = roster.annotation(layer) is labels
            update["annotation"] = labels.name
        if not self.awaits_prediction:
            update["prediction"] = stored_prediction(roster, layer)
        target = roster.target(layer)
        if target is not None:
            update["target"] = target.name
        regions = roster.regions(layer)
        if regions is not None:
            update["regions"] = drawn(regions, roster.annotation(layer))
        return self.state.model_copy(update=update)


def describe(image: Image) -> ImageState:
    """Where an image came from, and how it is known again."""
    source, mark = image.source, ""
    try:
        mark = fingerprint(image)
    except Exception:  # whatever its reader raises: it is known by its name and size then
        log.debug("%s has no fingerprint.", image.name, exc_info=True)
    return ImageState(
        name=image.name,
        path=str(Path(source.path).absolute()) if source.path else "",
        reader=source.reader_plugin or "",
        sample=tuple(source.sample or ()),
        shape=_shape(image),
        fingerprint=mark,
    )


def fingerprint(image: Image) -> str:
    """Know an image again under another name, whatever its axes are said to be: by its size and some of its pixels.

    Those are the middles of the first, the middle and the last plane.
    """
    array: Any = image.data[0] if image.multiscale else image.data
    shape = _shape(image)
    lead, (height, width) = shape[: image.ndim - 2], shape[image.ndim - 2 : image.ndim]
    y, x = (slice(max(n // 2 - WINDOW_PX // 2, 0), n // 2 + WINDOW_PX // 2) for n in (height, width))
    n_planes = prod(lead)
    found = blake2b(repr((shape, str(array.dtype))).encode(), digest_size=12)
    for k in sorted({(n_planes - 1) * i // (PLANES - 1) for i in range(PLANES)}):
        index = tuple(int(i) for i in np.unravel_index(k, lead)) if lead else ()
        found.update(np.ascontiguousarray(array[(*index, y, x)]).tobytes())
    return found.hexdigest()


def matching(state: ImageState, images: list[Image]) -> Image | None:
    """The image in the window that this is; None where it is not there.

    Of several with the same pixels it is the one of the same file, or of the same name; a file that is still where it
    was is no other one.
    """
    same = [image for image in images if is_same(state, describe(image))]
    for image in same:
        if state.path and describe(image).path == state.path:
            return image
    if state.path and Path(state.path).exists():
        same = [image for image in same if not image.source.path]
    return next((image for image in same if image.name == state.name), next(iter(same), None))


def open_image(state: ImageState, viewer: Any) -> list[Any]:
    """Open an image from where it came; the new layers.

    Raises
    ------
    AnnotrainError
        It is no longer there, or it did not come from a file.
    """
    if state.path and not Path(state.path).exists():
        raise AnnotrainError(f"{state.name} is no longer at {state.path}: open it from where it is now.")
    if not state.path and not state.sample:
        raise AnnotrainError(f"{state.name} did not come from a file: open it again in the way it was made.")
    before = list(viewer.layers)
    try:
        if state.sample:
            viewer.open_sample(*state.sample)
        else:
            viewer.open(state.path, plugin=state.reader or None)
    except Exception as error:  # each reader has its own way to refuse
        raise AnnotrainError(f"{state.name} cannot be opened ({error}): open it from where it is now.") from error
    return [layer for layer in viewer.layers if layer not in before]


def drawn(shapes: Shapes | None, labels: Labels | None) -> tuple[DrawnRegion, ...]:
    """Complete regions in pixels of the annotation."""
    if shapes is None or not shapes.data:
        return ()
    to = labels.world_to_data if labels is not None and labels.ndim == shapes.ndim else shapes.world_to_data
    # both ways are affine: where the origin and a step along each axis go tells where all corners go
    step, ndim = 1 << 14, shapes.ndim  # as long as a plane, so that rounding is not multiplied
    origin, *ends = (np.asarray(to(shapes.data_to_world(point)), float) for point in np.eye(ndim + 1, ndim, -1) * step)
    linear = (np.array(ends) - origin).T / step
    outlines = shapes.data
    # not by `@`, which rounds a corner in another way for another number of them
    corners = (np.concatenate(outlines)[:, None] * linear).sum(-1) + origin
    parts = np.split(corners, np.cumsum([len(outline) for outline in outlines])[:-1])
    return tuple(
        DrawnRegion(kind=str(kind), corners=tuple(map(tuple, part.tolist())))
        for part, kind in zip(parts, shapes.shape_type, strict=True)
    )


def draw(regions: tuple[DrawnRegion, ...], shapes: Shapes) -> None:
    """Draw complete regions again, where they are not drawn."""
    there = set(drawn(shapes, None))
    for region in regions:
        if region not in there:
            shapes.add(np.array(region.corners), shape_type=region.kind)


def annotation_layer(image: Image, roster: Roster, name: str, values: Any) -> Labels:
    """A labels layer over an image with what was painted before.

    Raises
    ------
    AnnotrainError
        It does not lie over the image as its axes are now.
    """
    axes = roster.axes(image)
    if tuple(values.shape) != layers.label_shape(image, axes):
        raise AnnotrainError(f"What was painted on {image.name} has another size than it: open the image of that work.")
    return Labels(values, name=name, opacity=0.65, **layers.placement(image, axes))


def _shape(image: Image) -> tuple[int, ...]:
    return tuple(int(n) for n in (image.data[0] if image.multiscale else image.data).shape)

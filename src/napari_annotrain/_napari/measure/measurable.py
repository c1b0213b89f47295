from napari.layers import Image, Labels

from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.viewer.layers import label_axes
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.measurement import check_fit


def measurable(roster: Roster, image: Image | None) -> list[Labels]:
    """Labels layers that fit an image: its prediction first, its annotation last."""
    if image is None:
        return []
    ranks = {id(roster.annotation(image)): 2, id(roster.result(image)): 0}
    every = [layer for layer in roster.viewer.layers if isinstance(layer, Labels)]
    return sorted((layer for layer in every if fit(roster, image, layer)), key=lambda layer: ranks.get(id(layer), 1))


def other_channels(roster: Roster, image: Image, layer: Labels) -> list[Image]:
    """The other images that a labels layer fits: napari shows channels as images of their own."""
    return [other for other in roster.images() if other is not image and fit(roster, other, layer)]


def fit(roster: Roster, image: Image, layer: Labels) -> bool:
    """Whether a labels layer is as large as an image."""
    try:
        return labels_over(roster, image, layer) is not None
    except AnnotrainError:  # the image itself cannot be used, which the first step says
        return False


def labels_over(roster: Roster, image: Image, layer: Labels) -> Stack | None:
    """The labels of a layer, with the axes that make them fit an image; None where none do."""
    stack, data = roster.stack(image), layer.data[0] if layer.multiscale else layer.data
    for axes in dict.fromkeys((label_axes(image, roster.axes(image)), stack.label_axes, stack.axes)):
        found = Stack(data, axes, layer.name)
        if len(axes) == len(data.shape) and _fits(found, stack):
            return found
    return None


def _fits(labels: Stack, image: Stack) -> bool:
    try:
        check_fit(labels, image)
    except AnnotrainError:
        return False
    return True

from napari.layers import Image, Labels

from napari_annotrain._napari.layers import label_axes
from napari_annotrain._napari.roster import Roster
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.measurement import check_fit


def measurable(roster: Roster, image: Image | None) -> list[Labels]:
    """Labels layers that fit an image: its prediction first, its annotation last."""
    if image is None:
        return []
    ranks = {id(roster.annotation(image)): 2, id(roster.result(image)): 0}
    every = [layer for layer in roster.viewer.layers if isinstance(layer, Labels)]
    try:
        fitting = [layer for layer in every if labels_over(roster, image, layer) is not None]
    except AnnotrainError:  # the image itself cannot be used, which the first step says
        return []
    return sorted(fitting, key=lambda layer: ranks.get(id(layer), 1))


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

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from napari.utils.colormaps import Colormap, CyclicLabelColormap, DirectLabelColormap

from napari_annotrain._qt.palette import BACKGROUND, class_colour

#: Classes that get a colour of their own, painted yet or not.
N_CLASSES = 64
#: Colours of single cells before they repeat; the last one is the soft one of annotated background.
N_CELLS = 49
NONE: Mapping[int, str] = {}


def class_colours(annotation: bool, own: Mapping[int, str] = NONE) -> DirectLabelColormap:
    """Colours of classes: annotation value n + 1 looks like predicted value n; `own` are the user's, by that n."""
    colours: dict[int | None, Any] = {None: class_colour(N_CLASSES), 0: "transparent"}
    for value in range(1, N_CLASSES):
        colours[value + 1 if annotation else value] = own.get(value, class_colour(value))
    if annotation:
        colours[1] = own.get(0, BACKGROUND)
    return DirectLabelColormap(color_dict=colours)


def cell_colours(annotation: bool) -> CyclicLabelColormap:
    """Colours of single cells: annotation value n + 1 looks like predicted cell n.

    napari gives value n the colour ``1 + (n - 1) % N``; so the annotation's colours are the prediction's, turned by
    one, and the last of the circle, which background 1 gets, is soft.
    """
    circle = [*(class_colour(value) for value in range(1, N_CELLS)), BACKGROUND]
    colours = np.zeros((N_CELLS + 1, 4))
    colours[1:] = [(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0) for c in circle]
    if annotation:
        colours[1:] = np.roll(colours[1:], 1, axis=0)
    return CyclicLabelColormap(colors=colours, display_name="annotrain cells")


def glow() -> Colormap:
    """From black over orange to light yellow: added to what lies below, also to grey paint, it glows."""
    return Colormap([(0, 0, 0), (0.8, 0.35, 0), (1, 0.9, 0.3)], controls=[0, 0.4, 1], name="annotrain glow")


def green_red() -> Colormap:
    """Nothing, green, red for 0, 1, 2: also told apart by how bright they are."""
    colours = [(0, 0, 0, 0), (0.25, 0.95, 0.4, 0.65), (0.85, 0.1, 0.15, 0.75)]
    return Colormap(colours, controls=[0, 1 / 3, 2 / 3, 1], interpolation="zero", name="annotrain green red")


def set_colours(layer: Any, single_cells: bool, annotation: bool, own: Mapping[int, str] = NONE) -> None:
    """Colour a labels layer."""
    layer.colormap = cell_colours(annotation) if single_cells else class_colours(annotation, own)


def warm_up() -> None:
    """Have the colour tables of both kinds of layers compiled, which takes a second or two each, in any thread."""
    for kind, annotation in ((np.uint16, True), (np.uint8, False)):
        class_colours(annotation).map(np.zeros((2, 2), kind))


def next_cell(values: Iterable[int]) -> int:
    """Annotation value of the next cell."""
    return max((1, *values)) + 1

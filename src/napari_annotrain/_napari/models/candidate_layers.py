from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.viewer import layers
from napari_annotrain._napari.viewer.arrays import as_tzyx, empty
from napari_annotrain._napari.viewer.colours import set_colours
from napari_annotrain._napari.viewer.part import lay_over
from napari_annotrain.events import Region


class CandidateLayers:
    """What each candidate of a comparison makes of the view, as a layer of its own over the image.

    Labels lie in a layer as large as the image; of an image that is made, the layer is as large as what was in view.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._image: Any = None
        self._layers: dict[int, Any] = {}
        self._drawn: dict[int, Region] = {}

    def __bool__(self) -> bool:
        return bool(self._layers)

    def show(
        self,
        k: int,
        name: str,
        image: Image,
        kind: str,
        result: npt.NDArray[Any],
        region: Region,
        ranges: Sequence[tuple[float, float]] = (),
    ) -> None:
        """Show what a candidate, by its number, makes of a region.

        Parameters
        ----------
        result
            (T, Z, Y, X) labels, or (..., T, Z, Y, X) an image of one plane.
        ranges
            (low, high) of each channel of an image that is made; none: the range of the image it is made from.
        """
        if image is not self._image:
            self.remove()
            self._image = image
        if kind == "image":
            self._show_image(k, name, result, region, ranges)
        else:
            self._show_labels(k, name, kind, result, region)

    def choose(self, k: int | None) -> None:
        """Let the layer of one candidate be seen, of all of them."""
        for number, layer in self._layers.items():
            layer.visible = number == k

    def cover(self) -> None:
        """Hide the prediction of the image, over which these lie."""
        result = self._prediction()
        if self._layers and result is not None:
            result.visible = False

    def remove(self) -> None:
        """Take all of them away; the prediction of the image is seen again."""
        taken, self._layers, self._drawn = self._layers, {}, {}
        listed = self._roster.viewer.layers
        with self._roster.same_view():
            for layer in taken.values():
                if layer in listed:
                    listed.remove(layer)
        result = self._prediction()
        if taken and result is not None:
            result.visible = True

    def _show_labels(self, k: int, name: str, kind: str, labels: npt.NDArray[Any], region: Region) -> None:
        image, axes = self._image, self._roster.axes(self._image)
        shape = layers.label_shape(image, axes)
        layer: Any = self._layers.get(k)
        fits = layer is not None and layer.data.shape == shape and layer.metadata.get("annotrain") == kind
        if not fits or layer not in self._roster.viewer.layers:
            layer = layers.result_layer(image, axes, empty(shape, np.int32 if kind == "cells" else np.uint8), kind)
            set_colours(layer, kind == "cells", annotation=False, own=self._roster.own_colours)
            self._add(k, name, kind, layer)
        canvas = as_tzyx(layer.data, layers.label_axes(image, axes))
        if k in self._drawn:
            canvas[self._drawn[k]] = 0
        canvas[region] = labels
        self._drawn[k] = region
        layer.refresh()

    def _show_image(
        self, k: int, name: str, made: npt.NDArray[Any], region: Region, ranges: Sequence[tuple[float, float]]
    ) -> None:
        image, axes = self._image, self._roster.axes(self._image)
        t, z, y, x = region
        plane, corner = (t.start, z.start), (float(y.start), float(x.start))
        shown = [lay_over(image, axes, plane, corner, 1, one) for one in made.reshape(-1, *made.shape[-2:])]
        data, place = shown[0]
        if len(shown) > 1:
            data, place = np.stack([one for one, _ in shown]), layers.with_leading(place, "channel")
        layer = layers.made_image(image, data, place, "")
        layers.show_range(layer, ranges)
        self._add(k, name, "image", layer)

    def _add(self, k: int, name: str, kind: str, layer: Any) -> None:
        """Put a layer in the place of the one before: labels over what is painted, images under it."""
        roster, image, old = self._roster, self._image, self._layers.get(k)
        layer.name, layer.metadata = f"{image.name} {name}", {"annotrain": kind}
        if old is not None and old not in roster.viewer.layers:  # somebody has taken it away
            old = None
        if old is not None:
            layer.visible = old.visible
        self._layers[k] = layer
        self._drawn.pop(k, None)
        if kind != "image":
            roster.known(layer)  # a prediction, so that nobody is to paint on it
        over = (image, roster.result(image), None if kind == "image" else roster.annotation(image))
        index = roster.viewer.layers.index(old) if old is not None else roster.above(*over)
        roster.insert(index, layer, instead=old)

    def _prediction(self) -> Any:
        listed = self._roster.viewer.layers
        return self._roster.result(self._image) if self._image is not None and self._image in listed else None

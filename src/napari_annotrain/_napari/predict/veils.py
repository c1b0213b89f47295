"""What is not predicted yet is seen as such: a veil over the image, lifted piece by piece."""

from collections.abc import Iterable
from math import isqrt, prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils.colormaps import Colormap
from napari.utils.transforms import Affine
from qtpy.QtCore import QTimer

from napari_annotrain._napari.predict.order import Order
from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.viewer import layers
from napari_annotrain._napari.viewer.arrays import as_tzyx
from napari_annotrain.events import Region

#: A plane has at most so many cells a side; of a smaller image each pixel is one.
MOST_CELLS = 128
#: And all planes together so many, each of them a byte.
MOST_BYTES = 1 << 22
#: A bluish tint that is seen on dark, grey and bright images.
TINT = (0.55, 0.65, 0.95, 0.35)


class Veil:
    """A layer over one image, 1 where nothing is predicted yet, in cells of some pixels (`MOST_CELLS`, `MOST_BYTES`).

    A cell counts as predicted when its middle is.
    """

    def __init__(self, image: Image, axes: str, region: Region | None) -> None:
        own, shape = layers.label_axes(image, axes), layers.label_shape(image, axes)
        n_planes = prod(n for a, n in zip(own, shape, strict=True) if a not in "YX")
        most = max(1, min(MOST_CELLS, isqrt(MOST_BYTES // n_planes)))
        cells = tuple(min(n, most) if a in "YX" else n for a, n in zip(own, shape, strict=True))
        self._px = [n / m for a, n, m in zip(own, shape, cells, strict=True) if a in "YX"]
        if own.index("Y") > own.index("X"):
            self._px.reverse()
        self.layer = _veil_layer(image, axes, np.zeros(cells, np.uint8), np.divide(shape, cells))
        self._cells: npt.NDArray[np.uint8] = as_tzyx(self.layer.data, own)
        self._cells[self._inside(region) if region is not None else ...] = 1
        self._area = int(self._cells.sum())

    @property
    def untouched(self) -> bool:
        """Whether nothing was predicted under it."""
        return int(self._cells.sum()) == self._area

    def lift(self, regions: Iterable[Region]) -> None:
        """Note that these are predicted."""
        for region in regions:
            self._cells[self._inside(region)] = 0

    def _inside(self, region: Region) -> tuple[slice, ...]:
        t, z, *box = region
        y, x = (slice(round(s.start / px), round(s.stop / px)) for s, px in zip(box, self._px, strict=True))
        return t, z, y, x


class Veils:
    """The veils of a viewer, one an image at most. One that the user deletes stays away."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._veils: WeakKeyDictionary[Image, Veil] = WeakKeyDictionary()
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.tidy)

    def begin(self, order: Order) -> list[Any]:
        """Veil what a run is to predict; the layers that change with its pieces."""
        for image, piece, layer in zip(order.images, order.pieces, order.layers, strict=True):
            if order.veiled:
                self.remove(image)
                self._show(image, Veil(image, self._roster.axes(image), piece.region), layer)
            elif layer in order.made:  # what it lay over is gone
                self.remove(image)
        return [self._veils[image].layer if image in self._veils else None for image in order.images]

    def lift(self, image: Image, regions: Iterable[Region]) -> None:
        """Show what is predicted."""
        if image in self._veils:
            self._veils[image].lift(regions)

    def end(self, order: Order, complete: bool) -> None:
        """Remove those of a run that is complete, and those under which nothing was predicted."""
        for image in order.images if order.veiled else ():
            if image in self._veils and (complete or self._veils[image].untouched):
                self.remove(image)

    def tidy_soon(self) -> None:
        """Tidy up after layers have gone, perhaps in the middle of a series of them."""
        if self._veils:
            self._soon.start(0)

    def tidy(self) -> None:
        """Remove those whose image or prediction is no longer shown."""
        if self._roster.viewer is None:
            return
        for image in list(self._veils):
            if image not in self._roster.viewer.layers or self._roster.result(image) is None:
                self.remove(image)

    def remove(self, image: Image) -> None:
        """Remove the veil of an image."""
        veil = self._veils.pop(image, None)
        viewer = self._roster.viewer
        if veil is not None and viewer is not None and veil.layer in viewer.layers:
            viewer.layers.remove(veil.layer)

    def close(self) -> None:
        """Remove them all."""
        self._soon.stop()
        for image in list(self._veils):
            self.remove(image)

    def _show(self, image: Image, veil: Veil, result: Any) -> None:
        listed = self._roster.viewer.layers
        if result in listed:  # unless it was removed while the run waited
            self._veils[image] = veil
            self._roster.insert(listed.index(result) + 1, veil.layer)


def _veil_layer(image: Image, axes: str, cells: npt.NDArray[np.uint8], px: npt.NDArray[np.floating]) -> Image:
    """A layer of cells of so many pixels along each axis, exactly over an image."""
    place = layers.placement(image, axes)
    own = Affine(**{name: place[name] for name in ("scale", "translate", "rotate", "shear")})
    place |= {"scale": place["scale"] * px, "translate": own((px - 1) / 2)}
    return Image(
        cells,
        name=f"{image.name} not predicted yet",
        contrast_limits=(0, 1),
        colormap=Colormap([(*TINT[:3], 0.0), TINT], name="annotrain veil"),
        interpolation2d="nearest",
        blending="translucent",
        metadata={"annotrain": "not predicted yet"},
        **place,
    )

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

import numpy as np
from napari.layers import Image, Labels, Shapes

from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.predict.pieces import Measured
from napari_annotrain._napari.predict.results import Result, fits, leading
from napari_annotrain._napari.viewer import layers
from napari_annotrain._napari.viewer.arrays import as_tzyx, empty
from napari_annotrain._napari.viewer.colours import set_colours
from napari_annotrain._napari.viewer.layer_array import LayerArray
from napari_annotrain.axes import parse_axes
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

REGION_COLOUR = "#3ddc97"
#: Written into each region, so that none is taken for a shape of another meaning.
REGION_TEXT = {"string": {"constant": "complete"}, "color": REGION_COLOUR, "anchor": "upper_left", "size": 12}


class Roster:
    """Which layer of a viewer belongs to which: image, annotation, complete regions, prediction.

    Layers are known by the object, so that renaming one loses nothing; annotations and regions made before this
    session are found by their names. Predictions never are: what was not made here is the user's and stays as it is.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = ref(viewer)
        self._axes: WeakKeyDictionary[Image, str] = WeakKeyDictionary()
        self._made: WeakKeyDictionary[Image, dict[str, ReferenceType[Any]]] = WeakKeyDictionary()
        self._measured: WeakKeyDictionary[Image, Measured] = WeakKeyDictionary()
        self._coloured: WeakKeyDictionary[Labels, Any] = WeakKeyDictionary()  # as single cells or not, and how
        self.own_colours: dict[int, str] = {}  # of classes, by predicted value
        self._results: WeakKeyDictionary[Any, Result] = WeakKeyDictionary()  # the predictions made here
        self._left_out: WeakSet[Image] = WeakSet()
        self.blank: WeakSet[Labels] = WeakSet()  # made here and empty then: nothing to count

    @property
    def viewer(self) -> Any:
        """The viewer, unwrapped."""
        return self._viewer()

    def images(self) -> list[Image]:
        """Image layers that can be worked on."""
        return [la for la in self.viewer.layers if isinstance(la, Image) and "annotrain" not in la.metadata]

    def annotations(self) -> list[Labels]:
        """Labels layers that can be painted on."""
        mine = [la for la in self._of_kind(Labels) if la not in self._results]
        return [la for la in mine if not la.multiscale]

    def axes(self, image: Image) -> str:
        """Axes of an image: what the user said, else what its layer suggests."""
        return self._axes.get(image) or layers.axes_of(image)

    def said_axes(self, image: Image) -> str:
        """What the user said of the axes; empty where nothing was said."""
        return self._axes.get(image, "")

    def set_axes(self, image: Image, text: str) -> None:
        """Take the user's word for the axes; an `AnnotrainError` says why it cannot be."""
        shape = image.data[0].shape if image.multiscale else image.data.shape
        self._axes[image] = parse_axes(text.strip(), len(shape))

    def stack(self, image: Image) -> Stack:
        """The image, read lazily."""
        return layers.stack_of(image, self.axes(image))

    def n_planes(self, image: Image) -> int:
        """Planes of an image over time and depth; one where its axes cannot be read."""
        try:
            n_t, _, n_z, _, _ = self.stack(image).shape
        except AnnotrainError:
            return 1
        return int(n_t * n_z)

    def measured(self, image: Image) -> Measured:
        """Where the intensity range of an image is kept."""
        return self._measured.setdefault(image, Measured())

    def annotation(self, image: Image) -> Labels | None:
        """The layer an image is annotated on."""
        return self._find("annotation", image, Labels)

    def regions(self, image: Image) -> Shapes | None:
        """The layer of an image's complete regions."""
        return self._find("complete regions", image, Shapes)

    def result(self, image: Image) -> Any:
        """The layer an image's prediction is shown on, made here; another one of that name is the user's own."""
        return self._remembered("prediction", image)

    def known(self, result: Any) -> Result:
        """What is known of a prediction layer."""
        return self._results.setdefault(result, Result())

    def borders(self, image: Image) -> Image | None:
        """The layer an image's border weights are shown on, as long as it fits."""
        layer: Image | None = self._remembered("border weights", image)
        fits = layer is not None and layer.data.shape == layers.label_shape(image, self.axes(image))
        return layer if fits else None

    def pair(self, image: Image, annotation: Labels) -> None:
        """Let an annotation layer belong to an image."""
        self._remember("annotation", image, annotation)

    def pair_target(self, image: Image, target: Image) -> None:
        """Let an image be learnt to become another one."""
        self._remember("target", image, target)

    def target(self, image: Image) -> Image | None:
        """The image that this one should become, where one was chosen."""
        layer: Image | None = self._remembered("target", image)
        return layer

    def candidates(self) -> list[tuple[Image, bool]]:
        """Images that have an annotation, and whether they are trained on."""
        return [(image, image not in self._left_out) for image in self.images() if self.annotation(image) is not None]

    def tick(self, image: Image, ticked: bool) -> None:
        """Train on an image, or leave it out."""
        (self._left_out.discard if ticked else self._left_out.add)(image)

    def training_set(
        self, planes: Callable[[Labels], Iterable[tuple[int, ...]] | None] = lambda labels: None
    ) -> list[AnnotatedImage]:
        """The ticked images with what was painted over them, as they are now; `planes` tells the painted ones."""
        found = (self.annotated(image, planes) for image, ticked in self.candidates() if ticked)
        return [one for one in found if one is not None]

    def annotated(
        self, image: Image, planes: Callable[[Labels], Iterable[tuple[int, ...]] | None] = lambda labels: None
    ) -> AnnotatedImage | None:
        """An image with what was painted over it; None where it has no annotation."""
        labels = self.annotation(image)
        if labels is None:
            return None
        return layers.annotated(image, self.axes(image), labels, self.regions(image), planes(labels))

    def n_regions(self) -> int:
        """Number of complete regions over all ticked images."""
        drawn = (self.regions(image) for image, ticked in self.candidates() if ticked)
        return sum(len(shapes.data) for shapes in drawn if shapes is not None)

    def new_annotation(self, image: Image, single_cells: bool) -> Labels:
        """Add an empty layer to paint on."""
        axes = self.axes(image)
        blank = empty(layers.label_shape(image, axes), np.uint16)  # room for 65,535 cells
        layer = Labels(blank, name=f"{image.name} annotation", opacity=0.65, **layers.placement(image, axes))
        self.colour(layer, single_cells)
        self.blank.add(layer)
        self.pair(image, layer)
        self.viewer.add_layer(layer)
        return layer

    def colour(self, annotation: Labels, single_cells: bool) -> None:
        """Give an annotation its colours, once for each target; the user may change them afterwards."""
        wanted = (single_cells, {} if single_cells else dict(self.own_colours))
        if self._coloured.get(annotation) != wanted:
            self._coloured[annotation] = wanted
            set_colours(annotation, single_cells, annotation=True, own=self.own_colours)

    def colour_results(self) -> None:
        """Give predictions of classes the colours the user chose."""
        for layer in list(self._results):
            if layer.metadata.get("annotrain") == "classes":
                set_colours(layer, False, annotation=False, own=self.own_colours)

    def new_regions(self, image: Image) -> Shapes:
        """Add a layer to draw complete regions on, or find the one there is."""
        present = self.regions(image)
        if present is not None:
            self.mark_regions(image)
            return present
        axes = self.axes(image)
        place = layers.placement(image, axes)
        layer = self.viewer.add_shapes(
            ndim=len(place["scale"]),
            name=f"{image.name} complete regions",
            edge_color=REGION_COLOUR,
            face_color=REGION_COLOUR + "14",
            edge_width=max(1.0, min(self.stack(image).shape[-2:]) / 250),
            opacity=0.9,
            text=REGION_TEXT,
            **place,
        )
        self._remember("complete regions", image, layer)
        return layer

    def mark_regions(self, image: Image) -> None:
        """Write into the complete regions of an image what they are, where they come from a file that does not."""
        layer = self.regions(image)
        if layer is not None and str(getattr(layer.text.string, "constant", "own")) == "":
            layer.text = REGION_TEXT

    def canvas(
        self, image: Image, kind: str, dtype: Any, channels: int, on_disk: bool | None = None
    ) -> tuple[Any, Any]:
        """The prediction layer of an image, made or remade where needed, and its array as (..., T, Z, Y, X).

        Whether that grows on the disk; None: as the layer there is.
        """
        axes = self.axes(image)
        own = layers.label_axes(image, axes)
        shape = layers.label_shape(image, axes)
        layer = self.result(image)
        if not (layer is not None and fits(layer, self.known(layer), kind, dtype, channels, shape, on_disk)):
            layer = self._new_result(image, layer, kind, dtype, channels, bool(on_disk))
        if isinstance(layer, Labels) and layer.metadata.get("annotrain") != kind:
            set_colours(layer, kind == "cells", annotation=False, own=self.own_colours)
            layer.metadata = {**layer.metadata, "annotrain": kind}
        return layer, self.known(layer).growing or as_tzyx(layer.data, own)

    def show_borders(self, image: Image, weights: Any, w0: float) -> Image:
        """Add a layer of border weights over all that belongs to an image; one that no longer fits goes."""
        old = self._remembered("border weights", image)
        if old is not None:
            self.viewer.layers.remove(old)
        layer = layers.border_layer(image, self.axes(image), weights, w0)
        self._remember("border weights", image, layer)
        self.insert(self.above(image, self.annotation(image), self.result(image)), layer)
        return layer

    def changes(self, image: Image) -> Image | None:
        """The layer that shows what has changed on an image."""
        layer: Image | None = self._remembered("what changed", image)
        return layer

    def show_changes(self, image: Image, blank: Any) -> Image:
        """Add a layer of what has changed over all that belongs to an image."""
        self.hide_changes(image)
        layer = layers.changes_layer(image, self.axes(image), blank)
        self._remember("what changed", image, layer)
        self.insert(self.above(image, self.annotation(image), self.result(image), self.borders(image)), layer)
        return layer

    def hide_changes(self, image: Image) -> None:
        """Remove that layer."""
        layer = self.changes(image)
        if layer is not None:
            self.viewer.layers.remove(layer)

    def take_back(self, result: Any) -> None:
        """Remove a prediction layer made here."""
        if result in self._results and result in self.viewer.layers:
            self.viewer.layers.remove(result)

    def _new_result(self, image: Image, old: Any, kind: str, dtype: Any, channels: int, on_disk: bool) -> Any:
        viewer, axes = self.viewer, self.axes(image)
        index, lead = viewer.layers.index(image) + 1, leading(kind, channels)
        n_t, _, *zyx = self.stack(image).shape
        growing = Growing((*lead, n_t, *zyx), dtype) if on_disk else None
        if growing is None:
            blank: Any = empty((*lead, *layers.label_shape(image, axes)), dtype)
            if kind == "image":
                blank[...] = np.nan  # which is not drawn
        else:
            blank = LayerArray(growing, layers.label_axes(image, axes))
        if old is not None:
            index = viewer.layers.index(old)
        layer = layers.result_layer(image, axes, blank, kind)
        layer.editable = growing is None
        self._remember("prediction", image, layer)
        self._results[layer] = Result(growing=growing)
        n_dims = viewer.dims.ndim
        self.insert(index, layer, instead=old)
        if viewer.dims.ndim > n_dims:  # of the classes, background is the least telling
            viewer.dims.set_current_step(0, 1)
        return layer

    def above(self, *belonging: Any) -> int:
        """Place in the list over these layers; None among them is none."""
        return 1 + max(int(self.viewer.layers.index(one)) for one in belonging if one is not None)

    def insert(self, index: int, layer: Any, instead: Any = None) -> None:
        """Show a layer, instead of another one if given; what is selected, painted on and in view stays so."""
        listed = self.viewer.layers
        selected = {layer if one is instead else one for one in listed.selection}
        active = layer if listed.selection.active is instead else listed.selection.active
        with self.same_view():
            if instead is not None:
                listed.remove(instead)
            listed.insert(index, layer)
        listed.selection = selected
        if active is not None and active in selected:
            listed.selection.active = active

    @contextmanager
    def same_view(self) -> Iterator[None]:
        """Keep the camera while layers come and go: napari resets it where the number of axes changes."""
        camera, n_dims = self.viewer.scene.camera, self.viewer.dims.ndim
        seen = camera.center, camera.zoom
        yield
        if self.viewer.dims.ndim != n_dims:
            camera.center, camera.zoom = seen

    def _remember(self, role: str, image: Image, layer: Any) -> None:
        self._made.setdefault(image, {})[role] = ref(layer)

    def _find(self, role: str, image: Image, kind: Any) -> Any:
        made = self._remembered(role, image)
        if made is not None:
            return made
        name = f"{image.name} {role}"
        return next((la for la in self._of_kind(kind) if la.name == name and la not in self._results), None)

    def _remembered(self, role: str, image: Image) -> Any:
        known = self._made.get(image, {}).get(role)
        made = known() if known is not None else None
        return made if made is not None and made in self.viewer.layers else None

    def _of_kind(self, kind: Any) -> Iterator[Any]:
        return (la for la in self.viewer.layers if isinstance(la, kind))

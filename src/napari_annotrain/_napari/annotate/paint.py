from typing import TYPE_CHECKING, Any

from napari_annotrain._napari.keys import NEXT_CELL_KEY, claim
from napari_annotrain._napari.present import NEXT_CELL
from napari_annotrain._napari.viewer.colours import next_cell
from napari_annotrain.session import what_next

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class PaintFlow:
    """Annotation: layers to paint on, classes, brushes and complete regions."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller

    def colour(self) -> None:
        """Give every annotation the colours of the target."""
        target = self._c.session.target
        painted = [self._c.roster.annotation(image) for image, _ in self._c.roster.candidates()]
        for image in self._c.roster.images():
            self._c.roster.mark_regions(image)
        for labels in (*painted, self._c.annotation):
            if labels is not None:
                self._c.roster.colour(labels, target == "cells")

    def new_annotation(self) -> None:
        """Make a layer to paint on, choose it and take up the brush with the first class."""
        if self._c.image is None:
            self._c.say(what_next(self._c.facts()))
            return
        layer = self._c.roster.new_annotation(self._c.image, self._c.session.target == "cells")
        if self._c.panel is not None:
            self._c.panel.annotate.annotation_combo.choose(layer)
        self._c.roster.viewer.layers.selection.active = layer
        layer.selected_label = 2
        layer.mode = "paint"
        self._c.session.status = ""
        self._c.refresh()

    def select_value(self, value: int) -> None:
        """Take up the brush with an annotation value."""
        layer = self._c.annotation
        if layer is None:
            return
        if value == NEXT_CELL:
            value = next_cell(self._c.tallies.of(layer).count_now())
        layer.selected_label = value
        if self._c.roster.viewer.layers.selection.active is not layer:
            self._c.roster.viewer.layers.selection.active = layer
        if layer.mode not in ("paint", "fill", "polygon"):
            layer.mode = "paint"

    def bind_next_cell(self, layer: Any) -> None:
        """Let napari's key for the next label give the next cell: 2 on an empty layer, where napari gives 1."""
        single_cells = self._c.session.target == "cells"
        take_next = self._c.guarded(lambda _: self.select_value(NEXT_CELL))
        layer.bind_key(NEXT_CELL_KEY, take_next if single_cells else None, overwrite=True)

    def show_selected(self, event: Any = None) -> None:
        if self._c.panel is not None and self._c.annotation is not None:
            self._c.panel.annotate.select_value(self._c.annotation.selected_label)

    def rename_class(self, value: int, name: str) -> None:
        """Give a class another name; an empty one leaves it as it is."""
        if name.strip():
            self._c.session.name_classes({value - 1: name.strip()})
        self._c.refresh()

    def add_class(self) -> None:
        """Add a class and take up its brush."""
        value = self._c.session.add_class()
        self._c.refresh()
        self.select_value(value + 1)

    def set_target(self, target: Any) -> None:
        """Paint classes, or single cells, or learn an image."""
        self._c.edit.end()
        self._c.meaning.changing(target)
        self._c.session.target = target
        if self._c.panel is not None:
            self._c.offer_annotations()
        self.colour()
        if self._c.annotation is not None:
            self.bind_next_cell(self._c.annotation)
        self._c.train.choose_base()
        self._c.meaning.tell()
        self._c.refresh()

    def draw_region(self) -> None:
        """Make a layer for complete regions, or take up the one there is, and start drawing a box."""
        if self._c.image is None:
            self._c.say(what_next(self._c.facts()))
            return
        layer = self._c.roster.new_regions(self._c.image)
        self._c.roster.viewer.layers.selection.active = layer
        layer.mode = "add_rectangle"
        layer.events.data.connect(self._c.refresh)
        claim(layer, self._c)
        words = "Draw a box; then paint every cell in it. What is left unpainted there counts as background."
        image = self._c.image
        self._c.say(words, as_long_as=lambda: self._c.image is image and layer in self._c.roster.viewer.layers)

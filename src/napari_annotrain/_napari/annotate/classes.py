from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_annotrain._napari.annotate.plane_edit import PlaneOf, require_room, write
from napari_annotrain._napari.lasting import as_painted
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.objects.edits import Edit

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: More pixels are not changed at once: napari keeps for each where it lies, to undo it.
MOST_PIXELS = 60_000_000


class ClassFlow:
    """Classes are merged, deleted and coloured; their pixels change in one step of undo a layer."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        controller.session.events.class_colours.connect(self.show_colours)

    def delete(self, value: int) -> None:
        """Make the pixels of a class "not annotated", and forget the class; `value` is of the annotation."""
        name = self._name(value)
        n = self._replace(value, 0)
        self._forget(value)
        back = f": {n:,} px are not annotated now. Ctrl+Z takes it back." if n else "."
        self._c.say(f"{name} is deleted{back}", as_long_as=as_painted(self._c))
        self._c.refresh()

    def merge(self, value: int, into: int) -> None:
        """Give the pixels of a class to another one, and forget the class; both are values of the annotation."""
        name, other = self._name(value), self._name(into)
        n = self._replace(value, into)
        self._forget(value)
        done = f"{name} is part of {other} now ({n:,} px). Ctrl+Z takes it back." if n else f"{name} is deleted."
        self._c.say(done, as_long_as=as_painted(self._c))
        self._c.refresh()

    def recolour(self, value: int, colour: str) -> None:
        """Give a class another colour, "#rrggbb", in the table, the annotation and the prediction."""
        c = self._c
        c.session.class_colours = {**c.session.class_colours, value - 1: colour}
        c.refresh()

    def show_colours(self, event: Any = None) -> None:
        """Colour the layers as the session says."""
        c = self._c
        c.roster.own_colours = dict(c.session.class_colours)
        c.paint.colour()
        c.roster.colour_results()

    def recall(self, painted: Mapping[int, int]) -> None:
        """Give a class its name back whose pixels have come back, by undo or with an image that was not there."""
        session = self._c.session
        back = {value: name for value, name in session.removed_names.items() if painted.get(value + 1)}
        if back and session.target == "classes":  # else they are cells
            session.name_classes(back)

    def _name(self, value: int) -> str:
        return self._c.session.class_names.get(value - 1, f"class {value - 1}")

    def _forget(self, value: int) -> None:
        session = self._c.session
        session.forget_class(value - 1)
        names, layer = session.class_names, self._c.annotation
        if layer is not None and layer.selected_label == value:
            layer.selected_label = next((v + 1 for v in sorted(names) if v > 0), 1)

    def _replace(self, value: int, by: int) -> int:
        c = self._c
        annotated = [c.roster.annotation(image) for image, _ in c.roster.candidates()]  # ticked or not
        layers = {id(la): la for la in (*annotated, c.annotation) if la is not None}.values()
        counts = {id(layer): c.tallies.of(layer).count_now().get(value, 0) for layer in layers}
        if sum(counts.values()) > MOST_PIXELS:
            raise AnnotrainError(
                "This class holds too many pixels to be changed at once: give it another name instead."
            )
        holding = [layer for layer in layers if counts[id(layer)]]
        for layer in holding:  # all or none
            require_room(layer, by)
        n = sum(self._replace_in(layer, value, by) for layer in holding)
        for layer in layers:
            c.tallies.of(layer).count_now()  # so that no old count looks as if the class had come back
        return n

    def _replace_in(self, layer: Any, value: int, by: int) -> int:
        tally, edits = self._c.tallies.of(layer), []
        for index in tally.planes_of(value):
            rows = tally.rows_of(index, [value])
            assert rows is not None
            plane = PlaneOf.leading(layer, index)
            box = slice(rows.start, min(rows.stop, plane.shape[0])), slice(0, plane.shape[1])
            part = plane.read(box)
            edits.append((plane, Edit(box, np.where(part == value, part.dtype.type(by), part))))
        return write(edits)

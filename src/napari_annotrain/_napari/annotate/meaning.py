from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari.annotate.plane_edit import PlaneOf, require_room, write
from napari_annotrain._napari.lasting import as_painted
from napari_annotrain.data.annotation import BACKGROUND
from napari_annotrain.objects import edits
from napari_annotrain.specs import Target

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: The first class, by annotation value.
FIRST_CLASS = BACKGROUND + 1
CLASSES, CELLS = "classes", "cells"


@dataclass
class Change:
    """Between classes and cells: what was painted means something else since, and nothing was painted since.

    Attributes
    ----------
    before
        What was painted then.
    counts
        Pixels by value then.
    """

    before: Target
    counts: dict[int, int]


class MeaningFlow:
    """Whoever paints classes and changes to cells, or back, is told what becomes of the strokes, and shown ways on.

    The pixels stay as they are: all strokes of a class count as one cell, and every cell counts as a class of its own.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._change: Change | None = None  # the last one
        self._asks = False  # whether it is to be answered

    def changing(self, target: Target) -> None:
        """Classes or cells are chosen: `target` from now on."""
        c, last = self._c, self._change
        for layer in self._layers():
            c.tallies.of(layer).count_for(0)  # the last strokes
        before, counts = c.session.target, self._counts()
        back = last is not None and last.before == target and last.counts == counts
        self._asks = before != target and not back and self._is_other(target, counts)
        self._change = Change(before, counts)

    def tell(self) -> None:
        """Say what has changed by that."""
        if self._asks:
            self._c.say(self._sentence(), as_long_as=lambda: self._is_open())

    def show(self) -> None:
        """Show the question as long as nothing else was painted."""
        panel = self._c.panel
        if panel is None:
            return
        if not self._is_open():
            panel.annotate.meaning.say("")
            return
        target = self._c.session.target
        panel.annotate.meaning.say(
            self._sentence(),
            (
                ("Number them", "Makes every stroke that lies apart from others a cell of its own, in each plane.")
                if target == CELLS
                else ("One class", "Makes all of them the class with the name that comes first in the table.")
            ),
            (f"Back to {self._change.before if self._change else ''}", "All is as it was: no pixel has changed."),
        )

    def number(self) -> None:
        """Make every separate stroke a cell, or all cells one class: one step of undo in each layer."""
        if not self._is_open():
            return
        cells = self._c.session.target == CELLS
        layers = [
            layer for layer in self._layers() if any(v > BACKGROUND for v in self._c.tallies.of(layer).count_now())
        ]
        changes = [self._numbered(layer) if cells else self._joined(layer) for layer in layers]
        for layer, change in zip(layers, changes, strict=True):  # all or none
            require_room(layer, max((int(edit.values.max()) for _, edit in change), default=0))
        n = sum(write(change) for change in changes)
        self._asks = False
        values = {v for layer in layers for v in self._c.tallies.of(layer).count_now() if v > BACKGROUND}
        if cells:
            said = f"There are {len(values):,} cell{'s' * (len(values) != 1)} now"
        else:
            said = f'All of them are "{self._c.session.class_names.get(1, "class 1")}" now'
        back = " Ctrl+Z takes it back." if n else ""
        self._c.say(f"{said}.{back}", as_long_as=as_painted(self._c))
        self._c.refresh()

    def back(self) -> None:
        """Paint again what was painted before."""
        change, panel = self._change, self._c.panel
        if change is not None and panel is not None:
            panel.annotate.target_combo.choose(change.before)
            self._c.say(f"You paint {change.before} again: all is as it was.", as_long_as=as_painted(self._c))

    # -- parts --------------------------------------------------------------------------------------------------

    def _is_open(self) -> bool:
        return self._asks and self._change is not None and self._change.counts == self._counts()

    def _is_other(self, target: Target, counts: dict[int, int]) -> bool:
        """Whether what is painted means something else with this target."""
        values = {value for value, n in counts.items() if value > BACKGROUND and n}
        if target == CELLS:
            return bool(values)
        return target == CLASSES and any(value - 1 not in self._c.session.class_names for value in values)

    def _sentence(self) -> str:
        values = [value for value, n in self._counts().items() if value > BACKGROUND and n]
        if self._c.session.target != CELLS:
            return f"Each of the {len(values):,} cells you painted counts as a class of its own now."
        if len(values) == 1:
            name = self._c.session.class_names.get(values[0] - 1, f"class {values[0] - 1}")
            return f'All strokes of "{name}" count as one single cell now.'
        return "All strokes of a class count as one single cell now."

    def _layers(self) -> list[Any]:
        c = self._c
        annotated = [c.roster.annotation(image) for image, _ in c.roster.candidates()]
        return list({id(la): la for la in (*annotated, c.annotation) if la is not None}.values())

    def _counts(self) -> dict[int, int]:
        total: dict[int, int] = {}
        for layer in self._layers():
            for value, n in self._c.tallies.of(layer).counts().items():
                total[value] = total.get(value, 0) + n
        return total

    def _planes(self, layer: Any) -> Iterator[tuple[PlaneOf, edits.Box]]:
        """The planes of a layer in which cells or classes are painted, and the rows where."""
        tally = self._c.tallies.of(layer)
        values = [value for value in tally.count_now() if value > BACKGROUND]
        for index in sorted({index for value in values for index in tally.planes_of(value)}):
            rows = tally.rows_of(index, values)
            plane = PlaneOf.leading(layer, index)
            if rows is not None:
                yield plane, (slice(rows.start, min(rows.stop, plane.shape[0])), slice(0, plane.shape[1]))

    def _numbered(self, layer: Any) -> list[tuple[PlaneOf, edits.Edit]]:
        next_id, changes = FIRST_CLASS, []
        for plane, box in self._planes(layer):
            values, next_id = edits.number_apart(plane.read(box), next_id)
            changes.append((plane, edits.Edit(box, values)))
        return changes

    def _joined(self, layer: Any) -> list[tuple[PlaneOf, edits.Edit]]:
        return [(plane, edits.Edit(box, plane.read(box).clip(max=FIRST_CLASS))) for plane, box in self._planes(layer)]

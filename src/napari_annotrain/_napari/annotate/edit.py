from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.annotate.plane_edit import PlaneOf, free_id, moved, rows_with, shown_plane
from napari_annotrain._napari.annotate.stroke_line import StrokeLine
from napari_annotrain._napari.lasting import as_painted
from napari_annotrain._qt.tools import ACCEPT, DELETE, ERASE, FILL, MERGE, SPLIT
from napari_annotrain.data.annotation import BACKGROUND
from napari_annotrain.objects import edits

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: What the status line says when a tool is taken up.
WORDS = {
    MERGE: "Click a cell, then the one that belongs to it. Escape ends this.",
    SPLIT: "Draw a line across a cell, from outside to outside. Escape ends this.",
    DELETE: "Click a cell: it becomes not annotated (with Shift: background). Escape ends this.",
    FILL: "Click a cell to fill its holes. Escape ends this.",
    ERASE: "Paint over what should be not annotated again. Escape ends this.",
    ACCEPT: "Click an object of the prediction to annotate it. Escape ends this.",
}


class EditFlow:
    """Tools that work with the mouse on the annotation: one at a time, until Escape or another way of painting."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.tool = ""
        self._layer: Any = None
        self._before = "pan_zoom"  # the layer's mode
        self._first: int | None = None  # the cell that was clicked first, to be merged
        self._changing = False

    def take(self, tool: str) -> None:
        """Take up a tool; none with an empty word."""
        c = self._c
        self.end()
        if not tool:
            return
        plane = shown_plane(c)
        layer = self._layer = plane.layer
        self.tool, self._before, self._first = tool, str(layer.mode), None
        with _While(self):
            c.roster.viewer.layers.selection.active = layer
            layer.mode = "erase" if tool == ERASE else "pan_zoom"
        if tool != ERASE:
            layer.mouse_drag_callbacks.append(self._dragged)
            layer.cursor = "cross"
            layer.mouse_pan = tool != SPLIT  # the line is drawn instead
        layer.events.mode.connect(self._left)
        c.roster.viewer.layers.selection.events.active.connect(self._left)
        layer.bind_key("Escape", lambda _: self.end(), overwrite=True)
        self._hint(WORDS[tool])
        self._show()

    def end(self, restore: bool = True) -> None:
        """Put the tool down; with `restore` the layer is painted on as before."""
        layer, self._layer, self.tool = self._layer, None, ""
        if layer is None:
            return
        layer.events.mode.disconnect(self._left)
        viewer = self._c.roster.viewer
        if viewer is not None:
            viewer.layers.selection.events.active.disconnect(self._left)
        layer.bind_key("Escape", None)
        if self._dragged in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._dragged)
        if restore:
            layer.mode = "paint" if self._before == "erase" else self._before
        if str(layer.mode) == "pan_zoom":
            layer.mouse_pan, layer.cursor = True, "standard"
        self._show()
        self._c.refresh()

    def _hint(self, text: str) -> None:
        """Say something that is of use as long as the tool is in the hand."""
        tool, first = self.tool, self._first
        self._c.say(text, as_long_as=lambda: (self.tool, self._first) == (tool, first))

    def _left(self, event: Any = None) -> None:
        """The user paints in another way, or on another layer."""
        if not self._changing and self._layer is not None:
            wanted = "erase" if self.tool == ERASE else "pan_zoom"
            if str(self._layer.mode) != wanted or self._c.roster.viewer.layers.selection.active is not self._layer:
                self.end(restore=False)

    def follow_mode(self, event: Any = None) -> None:
        """Show whether the eraser is in the hand, however it got there."""
        self._show()

    def _show(self) -> None:
        c = self._c
        if c.panel is not None:
            erasing = c.annotation is not None and str(c.annotation.mode) == "erase"
            c.panel.annotate.show_tool(self.tool or (ERASE if erasing else ""))

    # -- the mouse ----------------------------------------------------------------------------------------------

    def _dragged(self, layer: Any, event: Any) -> Generator[None]:
        """A click, or a line that is drawn; napari calls it for every press on the layer."""
        c, tool = self._c, self.tool
        found: list[PlaneOf] = []
        c.guarded(lambda: found.append(shown_plane(c)))()
        if not found or event.button != 1:
            return
        plane, shift = found[0], "Shift" in event.modifiers
        path, moved_px = [plane.pixel(event.position)], 0.0
        line = None
        if tool == SPLIT:
            with _While(self):
                line = StrokeLine(c.roster, plane, path[0])
        yield
        try:
            while event.type == "mouse_move":
                path.append(plane.pixel(event.position))
                moved_px = max(moved_px, float(np.hypot(*np.subtract(path[-1], path[0]))))
                if line is not None:
                    line.draw(path)
                yield
        finally:
            if line is not None:
                with _While(self):
                    line.close()
        if tool == SPLIT:
            c.guarded(self._split)(plane, np.array(path))
        elif moved_px * c.roster.viewer.scene.camera.zoom * _px_size(layer) < 8:  # else the view was moved
            c.guarded(self._clicked)(tool, plane, path[0], shift)
        return

    def _clicked(self, tool: str, plane: PlaneOf, place: tuple[float, float], shift: bool) -> None:
        y, x = (round(v) for v in place)
        if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
            self._hint("That is outside of the image.")
            return
        if tool == ACCEPT:
            self._c.accept.object_at(plane, y, x)
            return
        cell = int(plane.read((slice(y, y + 1), slice(x, x + 1)))[0, 0])
        if cell <= BACKGROUND:
            self._hint("There is no cell of the annotation here: click on one that is painted.")
            return
        {MERGE: self._merge, DELETE: self._delete, FILL: self._fill}[tool](plane, cell, shift)

    def _merge(self, plane: PlaneOf, cell: int, shift: bool) -> None:
        c = self._c
        first, self._first = self._first, None
        if first is None or first == cell:
            self._first = cell
            self._hint(f"Cell {cell} is chosen: now click the one that belongs to it.")
            return
        box = rows_with(c, plane, (first, cell))
        if box is None or rows_with(c, plane, [first]) is None:
            self._hint("The cell you chose first is not in this plane: click both in the same plane.")
            return
        apart = edits.are_apart(plane.read(box), first, cell)
        self._write(
            plane,
            cell,
            lambda values: edits.merge(values, first, cell),
            f"Cells {first} and {cell} are one cell now"
            + (", in two parts: paint between them if they should touch." if apart else "."),
            "",
        )

    def _delete(self, plane: PlaneOf, cell: int, shift: bool) -> None:
        what = "background" if shift else "not annotated"
        done = f"Cell {cell} is {what} now."
        self._write(plane, cell, lambda values: edits.remove(values, cell, int(shift)), done, "")

    def _fill(self, plane: PlaneOf, cell: int, shift: bool) -> None:
        done = f"The holes of cell {cell} are filled."
        self._write(plane, cell, lambda v: edits.fill_holes(v, cell), done, f"Cell {cell} has no holes.")

    def _split(self, plane: PlaneOf, path: npt.NDArray[np.floating]) -> None:
        c = self._c
        height, width = plane.shape
        low = np.clip(np.floor(path.min(0)).astype(int) - 1, 0, (height, width))
        high = np.clip(np.ceil(path.max(0)).astype(int) + 2, 0, (height, width))
        around = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
        cell = edits.cell_under(plane.read(around), path - low) if (high > low).all() else 0
        if cell == 0:
            self._hint("The line meets no cell: draw it across one that is painted.")
            return
        next_id = free_id(c)
        box = rows_with(c, plane, [cell])
        origin = (0, 0) if box is None else (box[0].start, box[1].start)
        self._write(
            plane,
            cell,
            lambda values: edits.split(values, path - origin, next_id),
            f"Cell {cell} is split.",
            "The line does not cut the cell in two: begin and end it outside of the cell.",
        )

    def _write(
        self, plane: PlaneOf, cell: int, edit: Callable[[Any], edits.Edit | None], done: str, not_done: str
    ) -> None:
        """Change a cell in one step of undo, and say what became of it."""
        box = rows_with(self._c, plane, [cell])
        changed = 0
        if box is not None:
            changed = plane.write(moved(edit(plane.read(box)), box))
        if changed:
            self._c.say(f"{done} Ctrl+Z takes it back.", as_long_as=as_painted(self._c))
        else:
            self._hint(not_done)


class _While:
    """What the layers tell in the meantime was done by the tool itself."""

    def __init__(self, flow: EditFlow) -> None:
        self._flow = flow

    def __enter__(self) -> None:
        self._flow._changing = True

    def __exit__(self, *_: object) -> None:
        self._flow._changing = False


def _px_size(layer: Any) -> float:
    """Length of a pixel's shorter side in the window's unit."""
    return float(np.min(np.abs(np.asarray(layer.scale)[-2:])))

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_annotrain._qt.layout import allow, button, faint_label, row_of

#: Tools that stay in the hand until they are put down.
MERGE, SPLIT, DELETE, FILL, ERASE, ACCEPT = "merge", "split", "delete", "fill", "erase", "accept"


class Tools(QWidget):
    """Buttons to take up a tool, one at a time; the mouse then works with it on the image."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: Mapping[str, QPushButton] = {
            MERGE: button("merge_cells_button", "Merge", "Click a cell, then another one: both become one cell."),
            SPLIT: button("split_cell_button", "Split", "Draw a line across a cell: each side becomes a cell."),
            DELETE: button(
                "delete_cell_button",
                "Delete",
                "Click a cell: it becomes not annotated.\nWith Shift it becomes background: there is no cell.",
            ),
            FILL: button("fill_holes_button", "Fill holes", "Click a cell: what it encloses becomes part of it."),
            ERASE: button(
                "erase_button", "Eraser", "Paint over what should be not annotated again (key 1 or E on the image)."
            ),
            ACCEPT: button(
                "accept_object_button",
                "Accept object",
                "Click objects of the prediction, one after the other: each becomes annotation,\n"
                "with a thin ring of background around it. What you have painted stays.",
            ),
        }
        for tool, made in self.buttons.items():
            made.setCheckable(True)
            made.clicked.connect(lambda on, tool=tool: self.chosen.emit(tool if on else ""))
        self._cells = row_of(
            faint_label("Cells", wrap=False), *((self.buttons[t], 1) for t in (MERGE, SPLIT, DELETE, FILL))
        )
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._cells)

    def show_tool(self, tool: str) -> None:
        """Show which tool is in the hand; none for an empty word."""
        for name, made in self.buttons.items():
            made.setChecked(name == tool)

    def set_cells(self, single_cells: bool) -> None:
        """Show the tools for single cells, or not."""
        self.setVisible(single_cells)

    def allow(self, why_not: str, why_not_accept: str) -> None:
        """Enable the tools; what cannot be used says why."""
        for tool, made in self.buttons.items():
            allow(made, why_not or (why_not_accept if tool == ACCEPT else ""))

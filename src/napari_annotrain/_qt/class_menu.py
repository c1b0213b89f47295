from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QMenu, QTableWidget

#: Annotation value, name, and whether it is a class.
Row = tuple[int, str, bool]
BACKGROUND_VALUE = 1


class ClassMenu(QObject):
    """What can be done with a class besides painting: a menu on its row, the key Delete, a colour by double click."""

    merged = Signal(int, int)
    deleted = Signal(int)
    coloured = Signal(int, str)

    def __init__(self, table: QTableWidget, rows: Callable[[], Sequence[Row]]) -> None:
        super().__init__(table)
        self._table, self._rows = table, rows
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._asked)
        table.cellDoubleClicked.connect(self._double_clicked)
        table.installEventFilter(self)

    def menu(self, index: int) -> QMenu:
        """The menu of a row."""
        made = QMenu(self._table)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        value, name, is_class = self._rows()[index]
        if is_class:
            made.addAction("Rename", lambda: self._table.editItem(self._table.item(index, 1)))
            made.addAction("Colour ...", lambda: self._choose_colour(index))
        others = [row for row in self._rows() if row[2] and row[0] != value]
        if is_class and value > BACKGROUND_VALUE:
            into = made.addMenu("Merge into")
            for other, other_name, _ in others:
                into.addAction(other_name, lambda other=other: self.merged.emit(value, other))
            made.addAction(f'Delete class "{name}"', lambda: self.deleted.emit(value))
        return made

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Delete the chosen class with the key Delete."""
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Delete:
            index = self._table.currentRow()
            if 0 <= index < len(self._rows()):
                value, _, is_class = self._rows()[index]
                if is_class and value > BACKGROUND_VALUE:
                    self.deleted.emit(value)
            return True
        return False

    def _asked(self, place: QPoint) -> None:
        item = self._table.itemAt(place)
        if item is not None and self._rows()[item.row()][2]:
            self.menu(item.row()).popup(self._table.viewport().mapToGlobal(place))

    def _double_clicked(self, row: int, column: int) -> None:
        if column == 0 and self._rows()[row][2]:
            self._choose_colour(row)

    def _choose_colour(self, index: int) -> None:
        value, name, _ = self._rows()[index]
        dialog = QColorDialog(self._table)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(f"Colour of {name}")
        swatch = self._table.item(index, 0).icon().pixmap(2, 2).toImage().pixelColor(0, 0)
        dialog.setCurrentColor(QColor(swatch))
        dialog.colorSelected.connect(lambda colour: self.coloured.emit(value, colour.name()))
        dialog.open()  # beside the work, not in its way

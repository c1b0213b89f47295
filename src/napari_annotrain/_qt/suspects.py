from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QToolButton, QVBoxLayout, QWidget

from napari_annotrain._qt.layout import faint_label, row_of

ROW_HEIGHT, MOST_ROWS = 22, 5


class SuspectList(QWidget):
    """What the model disagrees with most, worst first; hidden while there is nothing in it."""

    chosen = Signal(int)
    refused = Signal(int)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget()
        self.list.setObjectName("suspects_list")
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.installEventFilter(self)
        self.list.setToolTip("Delete or Backspace makes the chosen one not annotated; Return shows it.")
        self._title = faint_label("Click: show it · Delete: not annotated", wrap=False)
        close = QToolButton()
        close.setObjectName("close_suspects_button")
        close.setText("×")
        close.setToolTip("Close the list")
        close.clicked.connect(lambda: self.closed.emit())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(2)
        whole.addWidget(row_of((self._title, 1), close))
        whole.addWidget(self.list)
        self.list.itemClicked.connect(lambda item: self.chosen.emit(self.list.row(item)))
        self.hide()

    def set_lines(self, lines: Sequence[tuple[str, str]]) -> None:
        """Show a line each, and what is said of it when the mouse rests on it; nothing hides the list."""
        row = self.list.currentRow()
        self.list.clear()
        for text, tip in lines:
            item = QListWidgetItem(text)
            item.setToolTip(tip)
            self.list.addItem(item)
        self.list.setCurrentRow(min(row, len(lines) - 1))
        self.list.setFixedHeight(8 + ROW_HEIGHT * min(max(len(lines), 2), MOST_ROWS))
        self.setVisible(bool(lines))

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Delete and Backspace refuse the chosen one; Return goes there."""
        if event.type() != QEvent.Type.KeyPress or self.list.currentRow() < 0:
            return False
        key = event.key()
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.refused.emit(self.list.currentRow())
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(self.list.currentRow())
            return True
        return False

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_annotrain._qt.layout import faint_label


class KeysWindow(QWidget):
    """A small window beside the panel with every key and what it does; Escape closes it, the work goes on under it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setObjectName("keys_window")
        self.setWindowTitle("Keys")
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(14)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(1, 1)
        whole = QVBoxLayout(self)
        whole.addLayout(self._grid)
        whole.addWidget(
            faint_label("They work while the mouse is over the image. Change them in napari's Preferences > Shortcuts.")
        )

    def set_keys(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show keys and what they do."""
        while self._grid.count():
            self._grid.takeAt(0).widget().deleteLater()
        for row, (key, words) in enumerate(keys):
            name = QLabel(key)
            name.setObjectName("key_name")
            self._grid.addWidget(name, row, 0)
            self._grid.addWidget(QLabel(words), row, 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close with Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_annotrain._qt.layout import faint_label

#: Between the pictures of a grid, in px.
SPACE = 4
SIDE = 480


class SamplesWindow(QWidget):
    """A window beside the panel with a grid of small pictures and words about them."""

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Tool)
        self.setObjectName("samples_window")
        self.setWindowTitle("What training makes of your annotation")
        self.grid = PictureGrid()
        self.words = faint_label("Top left: as it is. The others: deformed as training would deform them.")
        self.finding = faint_label(name="gaps_label")
        column = QVBoxLayout(self)
        column.addWidget(self.words)
        column.addWidget(self.grid, 1)
        column.addWidget(self.finding)
        self.resize(SIDE, SIDE + 90)

    def show_pictures(self, pictures: npt.NDArray[np.uint8], finding: str, warns: bool) -> None:
        """Show (N, Y, X, 3) pictures, and what was found in them."""
        self.grid.set_pictures(pictures)
        self.say(finding, warns)

    def say(self, finding: str, warns: bool) -> None:
        """Say what was found, or what went wrong."""
        self.finding.setText(finding)
        self.finding.setProperty("problem", warns)
        self.finding.style().unpolish(self.finding)
        self.finding.style().polish(self.finding)

    def closeEvent(self, event: Any) -> None:
        """Tell that nobody looks any more."""
        super().closeEvent(event)
        self.closed.emit()


class PictureGrid(QWidget):
    """Pictures in rows of equal length, as large as there is room for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.n_pictures = 0
        self._images: list[QImage] = []

    def set_pictures(self, pictures: npt.NDArray[np.uint8]) -> None:
        """Show (N, Y, X, 3) pictures."""
        self.n_pictures = len(pictures)
        self._images = []
        for picture in np.ascontiguousarray(pictures):
            height, width, _ = picture.shape
            shared = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
            self._images.append(shared.copy())  # the array may go
        self.update()

    def sizeHint(self) -> QSize:
        """Large enough to tell cells apart."""
        return QSize(SIDE, SIDE)

    def paintEvent(self, event: Any) -> None:
        """Draw them."""
        columns = max(1, int(np.ceil(np.sqrt(self.n_pictures))))
        side = (min(self.width(), self.height()) - SPACE * (columns - 1)) // columns
        left = (self.width() - columns * side - SPACE * (columns - 1)) // 2
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for i, image in enumerate(self._images):
            row, column = divmod(i, columns)
            painter.drawImage(QRect(left + column * (side + SPACE), row * (side + SPACE), side, side), image)
        painter.end()

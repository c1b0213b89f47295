from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget


class ElidedLabel(QLabel):
    """A line of text that is cut with an ellipsis where there is no room, never pushing its neighbours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._full = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str) -> None:
        """Show a text; the whole of it is also the tooltip."""
        self._full = text
        self.setToolTip(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut anew."""
        super().resizeEvent(event)
        self._elide()

    def full_text(self) -> str:
        """The text before it was cut."""
        return self._full

    def _elide(self) -> None:
        room = max(self.width() - 6, 0)
        super().setText(self.fontMetrics().elidedText(self._full, Qt.TextElideMode.ElideRight, room))


class Fold(QWidget):
    """One step of the panel: a heading with a line of state, and a body that folds away under it."""

    def __init__(self, number: int, title: str, body: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.body, self._is_lent = body, False
        self._lent = QLabel("Shown in a dock of its own.")
        self._lent.setProperty("faint", True)
        self._lent.setContentsMargins(14, 2, 4, 6)
        self._lent.hide()
        self._arrow = QLabel()
        self._arrow.setObjectName("fold_arrow")
        self._arrow.setFixedWidth(12)
        heading = QLabel(f"{number}  {title}")
        heading.setObjectName("fold_title")
        self._summary = ElidedLabel()
        self._summary.setObjectName("fold_summary")
        self._summary.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.header: QAbstractButton = QPushButton()
        self.header.setObjectName("fold_header")
        self.header.setCheckable(True)
        self.header.setChecked(True)
        self.header.setMinimumHeight(26)
        self.header.setAccessibleName(title)
        row = QHBoxLayout(self.header)
        row.setContentsMargins(2, 2, 2, 0)
        row.setSpacing(6)
        for widget, stretch in ((self._arrow, 0), (heading, 0), (self._summary, 1)):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            row.addWidget(widget, stretch)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(body)
        column.addWidget(self._lent)
        self.header.toggled.connect(self._toggled)
        self._toggled(True)

    def set_summary(self, text: str) -> None:
        """Set the one line of state."""
        self._summary.setText(text)

    def summary(self) -> str:
        """The one line of state."""
        return str(self._summary.full_text())

    def set_open(self, is_open: bool) -> None:
        """Fold or unfold."""
        self.header.setChecked(is_open)

    def lend(self) -> QWidget:
        """Give the body away, to a dock of its own."""
        self._is_lent = True
        self.layout().removeWidget(self.body)
        self._toggled(self.header.isChecked())
        return self.body

    def take_back(self) -> None:
        """Have the body again."""
        self._is_lent = False
        self.layout().insertWidget(1, self.body)
        self._toggled(self.header.isChecked())

    def _toggled(self, is_open: bool) -> None:
        self._arrow.setText("▾" if is_open else "▸")
        self.header.setToolTip("Fold this step" if is_open else "Unfold this step")
        if not self._is_lent:
            self.body.setVisible(is_open)
        self._lent.setVisible(is_open and self._is_lent)


class WheelGuard(QObject):
    """Keeps combos and spin boxes still while the wheel scrolls the panel over them."""

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Swallow wheel events of widgets that were not clicked into."""
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False

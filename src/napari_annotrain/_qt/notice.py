from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_annotrain._qt.layout import button, row_of


class Notice(QFrame):
    """A sentence that wants an answer, with two ways to go on; hidden while there is nothing to say.

    Parameters
    ----------
    name
        What the names of its parts begin with.
    """

    first_clicked = Signal()
    second_clicked = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_frame")
        self.label = QLabel()
        self.label.setObjectName(f"{name}_label")
        self.label.setWordWrap(True)
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.first_button, self.second_button = (button(f"{name}_{n}_button", "", "") for n in ("first", "second"))
        self.first_button.clicked.connect(lambda: self.first_clicked.emit())
        self.second_button.clicked.connect(lambda: self.second_clicked.emit())
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 6, 8, 6)
        column.addWidget(self.label)
        column.addWidget(row_of((self.first_button, 1), (self.second_button, 1)))
        self.hide()

    def say(self, text: str, first: tuple[str, str] = ("", ""), second: tuple[str, str] = ("", "")) -> None:
        """Show a sentence and the words and tooltips of the two buttons; an empty one hides it."""
        self.label.setText(text)
        for made, (words, tip) in ((self.first_button, first), (self.second_button, second)):
            made.setText(words)
            made.setToolTip(tip)
        self.setVisible(bool(text))

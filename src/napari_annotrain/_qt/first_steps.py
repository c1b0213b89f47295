from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

#: What somebody does who has never trained a network.
STEPS = (
    "Paint over a few cells (+ New layer)",
    "Paint some background (Alt+1)",
    "Press Train",
)


class FirstStepsCard(QFrame):
    """Three short lines with ticks, for the first time; its x puts it away."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("first_steps_card")
        heading = QLabel("First steps")
        heading.setObjectName("first_steps_title")
        close = QToolButton()
        close.setObjectName("close_first_steps_button")
        close.setText("×")
        close.setToolTip("I know: do not show this again")
        close.clicked.connect(lambda: self.closed.emit())
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 4, 6)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        grid.addWidget(heading, 0, 0, 1, 2)
        grid.addWidget(close, 0, 2)
        self._ticks: list[QLabel] = []
        for row, text in enumerate(STEPS, 1):
            tick, words = QLabel(), QLabel(text)
            words.setWordWrap(True)
            words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
            tick.setMinimumWidth(tick.fontMetrics().horizontalAdvance("✓") + 4)
            grid.addWidget(tick, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(words, row, 1, 1, 2)
            self._ticks.append(tick)
        self.set_done((False,) * len(STEPS))
        self.hide()

    def set_done(self, done: Sequence[bool]) -> None:
        """Tick the lines that are done."""
        for i, (tick, is_done) in enumerate(zip(self._ticks, done, strict=True), 1):
            tick.setText("✓" if is_done else str(i))
            tick.setAccessibleName("done" if is_done else "to do")

    def done(self) -> list[bool]:
        """Which lines are ticked."""
        return [tick.text() == "✓" for tick in self._ticks]

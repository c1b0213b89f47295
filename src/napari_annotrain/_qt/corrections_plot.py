from collections.abc import Sequence
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._qt.layout import faint_label
from napari_annotrain._qt.palette import Theme
from napari_annotrain._qt.small_plot import new_plot, paint_plot

HEIGHT = 64
COLOUR = "#2ec4f1"


class CorrectionsPlot(QWidget):
    """The share of what was annotated that had to be corrected, round by round, and what follows from it.

    Nothing is shown before the first round; pyqtgraph is imported with the second.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("corrections_plot")
        self.words = faint_label(name="corrections_label")
        self.shares: list[float] = []
        self._legend = faint_label(f"<span style='color:{COLOUR}'>■</span> had to be corrected, by round of training")
        self._plot: Any = None
        self._curve: Any = None
        self._theme = Theme()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(self._legend)
        self._column.addWidget(self.words)
        self._legend.hide()
        self.hide()

    def show_rounds(self, shares: Sequence[float], sentence: str) -> None:
        """Show the shares of all rounds, 0 to 1, and a sentence about them."""
        if list(shares) == self.shares:
            return
        self.shares = list(shares)
        self.words.setText(sentence.replace(" %", "\N{NO-BREAK SPACE}%"))
        self.setVisible(bool(shares))
        if len(shares) > 1:
            self._draw()
        elif self._plot is not None:
            self._plot.hide()
            self._legend.hide()

    def set_theme(self, theme: Theme) -> None:
        """Draw in other colours."""
        self._theme = theme
        if self._plot is not None:
            paint_plot(self._plot, self._theme)

    def _draw(self) -> None:
        if self._plot is None:
            self._create()
        rounds = list(range(1, len(self.shares) + 1))
        self._curve.setData(rounds, [100 * share for share in self.shares])
        top = max(5.0, *(100 * share for share in self.shares))
        self._plot.setYRange(0, top, padding=0.12)
        self._plot.getAxis("left").setTicks([[(0, "0 %"), (top, f"{top:.0f} %")]])
        step = max(1, len(rounds) // 8)
        self._plot.getAxis("bottom").setTicks([[(k, str(k)) for k in rounds[::-step]]])
        self._plot.setXRange(1, len(rounds), padding=0.05)
        self._plot.show()
        self._legend.show()

    def _create(self) -> None:
        import pyqtgraph as pg

        plot = new_plot(self, HEIGHT)
        self._curve = plot.plot(
            pen=pg.mkPen(COLOUR, width=2), symbol="o", symbolSize=5, symbolBrush=COLOUR, symbolPen=None
        )
        self._plot = plot
        self._column.insertWidget(1, plot)
        paint_plot(self._plot, self._theme)

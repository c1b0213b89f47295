import math
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._qt.layout import button, faint_label
from napari_annotrain._qt.palette import Theme
from napari_annotrain._qt.small_plot import new_plot, paint_plot

HEIGHT = 90
LOSS_COLOUR, RATE_COLOUR = "#8a94a6", "#ff9f1c"


class RateSearch(QWidget):
    """The search for a learning rate: its button, the loss while the rate grew, and the rate that was proposed.

    pyqtgraph is imported with the first curve.
    """

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = button(
            "find_rate_button",
            "Find a learning rate",
            "Trains for a hundred steps in which the learning rate grows, takes the rate at which the loss had made\n"
            "half of its way down, and forgets what it has learnt. Stop ends it and changes nothing.",
        )
        self.words = faint_label(name="rate_label")
        self.words.hide()
        self._plot: Any = None
        self._theme = Theme()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(self.button)
        self._column.addWidget(self.words)
        self.button.clicked.connect(lambda: self.wanted.emit())

    def show_curve(self, rates: Sequence[float], losses: Sequence[float], rate: float) -> None:
        """Show the smoothed loss against the learning rate, and the rate that is proposed."""
        if self._plot is None:
            self._create()
        across = [math.log10(one) for one in rates]
        self._curve.setData(across, list(losses))
        self._line.setValue(math.log10(rate))
        first, last = math.floor(min(across)), math.ceil(max(across))
        self._plot.setXRange(first, last, padding=0.03)
        self._plot.getAxis("bottom").setTicks([[(k, f"{10.0**k:g}") for k in range(first, last + 1, 2)]])
        low, high = min(losses), max(losses)
        self._plot.setYRange(low, high, padding=0.12)
        self._plot.getAxis("left").setTicks([[(one, f"{one:.2g}") for one in (low, high)]])
        self.words.setText(
            f"<span style='color:{LOSS_COLOUR}'>■</span> loss by learning rate &nbsp; "
            f"<span style='color:{RATE_COLOUR}'>■</span> taken: {rate:.2g}"
        )
        self.words.show()

    def set_theme(self, theme: Theme) -> None:
        """Draw in other colours."""
        self._theme = theme
        if self._plot is not None:
            paint_plot(self._plot, self._theme)

    def _create(self) -> None:
        import pyqtgraph as pg

        plot = new_plot(self, HEIGHT)
        self._curve = plot.plot(pen=pg.mkPen(LOSS_COLOUR, width=1.5))
        self._line = pg.InfiniteLine(angle=90, pen=pg.mkPen(RATE_COLOUR, width=2))
        plot.addItem(self._line)
        self._plot = plot
        self._column.insertWidget(1, plot)
        paint_plot(self._plot, self._theme)

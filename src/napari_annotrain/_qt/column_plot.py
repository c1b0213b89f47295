from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._qt.combos import ChoiceCombo
from napari_annotrain._qt.layout import form_layout, words
from napari_annotrain._qt.palette import Theme
from napari_annotrain.measurement.columns import column

HEIGHT, MARGIN = 164, 6
COLOUR, CHOSEN_COLOUR = "#2ec4f1", "#ff9f1c"
MOST_BARS, MOST_TICKS = 40, 8
#: Of more points every second, third, ... is drawn: each costs some 10 µs.
MOST_POINTS = 20_000
#: What the second combo holds for a histogram.
COUNT = ""
#: Columns that say which object it is, not what it is like.
NAMES = ("image", "label", "touches_border")


class ColumnPlot(QWidget):
    """How one column of a table is spread (a histogram), or one against another (a point for each row).

    pyqtgraph is imported when the first table arrives.

    Signals
    -------
    row_chosen
        Row of the table whose point was clicked.
    """

    row_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.across_combo = ChoiceCombo("plot_combo")
        self.across_combo.setToolTip("What is plotted from left to right.")
        self.up_combo = ChoiceCombo("plot_against_combo")
        self.up_combo.setToolTip("How many objects there are of each size (a histogram), or another column.")
        self._columns: Mapping[str, npt.NDArray[Any]] = {}
        self._chosen: int | None = None
        self._what = ""
        self._rows = np.arange(0)  # of the points
        self._theme = Theme()
        self._plot: Any = None
        form = form_layout()
        form.addRow(words("Plot"), self.across_combo)
        form.addRow(words("against"), self.up_combo)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._layout.addLayout(form)
        self.across_combo.choice_changed.connect(self.redraw)
        self.up_combo.choice_changed.connect(self.redraw)

    def set_columns(self, columns: Mapping[str, npt.NDArray[Any]], what: str, prefer: str) -> None:
        """Plot columns of a table: at first `prefer`, against the number of `what` ("cells")."""
        self._columns, self._chosen, self._what = columns, None, what
        names = [(name, column(name).words) for name in columns if name not in NAMES]
        had_choice = self.across_combo.choice() is not None
        self.across_combo.set_choices(names)
        self.up_combo.set_choices([(COUNT, f"number of {what}"), *names])
        if not had_choice:
            self.across_combo.choose(prefer)
        self.redraw()

    def choose(self, row: int | None) -> None:
        """Mark the point of a row."""
        self._chosen = row
        self._mark()

    def set_theme(self, theme: Theme) -> None:
        """Draw in other colours."""
        self._theme = theme
        if self._plot is not None:
            self._paint_theme()

    def redraw(self, *_: Any) -> None:
        """Draw what is chosen."""
        across, up = self.across_combo.choice(), self.up_combo.choice()
        if across not in self._columns or not (up == COUNT or up in self._columns):
            return
        if self._plot is None:
            self._create()
        values = self._columns[across].astype(float)
        self._plot.setLabel("bottom", column(across).words)
        is_histogram = up == COUNT
        self._plot.setLabel("left", self._what if is_histogram else column(up).words)
        self._plot.getAxis("bottom").setTickSpacing(levels=[(1, 0)] if _are_few(values) else None)
        self._bars.setVisible(is_histogram)
        self._points.setVisible(not is_histogram)
        if is_histogram:
            self._bars.setData(*bars(values)[::-1])
            self._points.clear()
        else:
            others = self._columns[up].astype(float)
            known = np.flatnonzero(np.isfinite(values) & np.isfinite(others))
            self._rows = known[:: -(-len(known) // MOST_POINTS) or 1]
            if len(self._rows) < len(known):
                self._plot.setLabel("bottom", f"{column(across).words} · {len(self._rows):,} of {len(known):,} points")
            self._points.setData(values[self._rows], others[self._rows])
        self._plot.getPlotItem().enableAutoRange()
        self._mark()

    def _mark(self) -> None:
        if self._plot is None:
            return
        across, up, row = self.across_combo.choice(), self.up_combo.choice(), self._chosen
        known = row is not None and across in self._columns and row < len(self._columns[across])
        self._line.setVisible(known and up == COUNT)
        self._mark_point.clear()
        if row is None or not known:
            return
        value = float(self._columns[across][row])
        if up == COUNT:
            self._line.setValue(value)
        else:
            self._mark_point.setData([value], [float(self._columns[up][row])])

    def _create(self) -> None:
        import pyqtgraph as pg

        plot = pg.PlotWidget(self, enableMenu=False)
        plot.setObjectName("measure_plot")
        menu = plot.plotItem.ctrlMenu
        menu.setParent(plot, menu.windowFlags())  # pyqtgraph leaves it a window of its own, which outlives the panel
        plot.hideButtons()
        plot.setMouseEnabled(x=False, y=False)
        plot.setFixedHeight(HEIGHT)
        plot.setMinimumWidth(60)
        plot.setAntialiasing(True)
        self._bars = pg.PlotCurveItem(
            [0, 1], [0], stepMode="center", fillLevel=0, brush=COLOUR + "90", pen=pg.mkPen(COLOUR)
        )
        self._points = pg.ScatterPlotItem(size=6, pen=None, brush=COLOUR + "a0", hoverable=True, hoverSize=9, tip=None)
        self._points.sigClicked.connect(self._clicked)
        self._line = pg.InfiniteLine(pen=pg.mkPen(CHOSEN_COLOUR, width=2))
        self._mark_point = pg.ScatterPlotItem(size=11, pen=pg.mkPen(CHOSEN_COLOUR, width=2), brush=None)
        for item in (self._bars, self._points):
            plot.addItem(item)
        for item in (self._line, self._mark_point):
            plot.addItem(item, ignoreBounds=True)
        plot.plotItem.layout.setContentsMargins(0, MARGIN, 0, MARGIN)  # labels hang out of the axes
        self._plot = plot
        self._layout.addWidget(plot)
        self._paint_theme()

    def _clicked(self, item: Any, points: Any, event: Any = None) -> None:
        if len(points):
            self.row_chosen.emit(int(self._rows[points[0].index()]))

    def _paint_theme(self) -> None:
        self._plot.setBackground(self._theme.background)
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.enableAutoSIPrefix(False)
            axis.setPen(self._theme.faint)
            axis.setTextPen(self._theme.faint)
            axis.setStyle(tickLength=-4, tickTextOffset=2)


def _are_few(values: npt.NDArray[Any]) -> bool:
    """Whether they are whole numbers, few enough for a tick each."""
    return bool(np.array_equal(values, np.round(values)) and np.ptp(values) < MOST_TICKS)


def bars(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Heights and edges of a histogram: a bar for each whole number where they are few, else about sqrt(n) bars."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.zeros(1), np.array([0.0, 1.0])
    low, high = known.min(), known.max()
    if np.array_equal(known, np.round(known)) and high - low < MOST_BARS:
        return np.histogram(known, np.arange(low - 0.5, high + 1))
    return np.histogram(known, min(MOST_BARS, max(5, round(len(known) ** 0.5))))

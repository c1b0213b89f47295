"""What the panel's small plots have in common: no menu, no mouse, the window's colours."""

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_annotrain._qt.palette import Theme

#: Signal-to-noise ratio of images at the upper end of an axis of scores, in dB.
MOST_DB = 50.0
#: The axis of the losses of images, which are small, reaches at least so far.
LEAST_LOSS_OF_IMAGES = 1e-6


def height_of(score: float, measure: str) -> float:
    """Where a score is drawn on an axis from 0 to 1: see `events.Validated`."""
    return score if measure == "IoU" else score / MOST_DB


def new_plot(parent: QWidget, height: int | None = None, axis_width: int = 36) -> Any:
    """A plot of pyqtgraph, which is imported with the first one.

    Parameters
    ----------
    height
        In px; None: as high as there is room.
    axis_width
        Room for the numbers left of it, in px.
    """
    import pyqtgraph as pg

    plot = pg.PlotWidget(parent, enableMenu=False)
    menu = plot.plotItem.ctrlMenu
    menu.setParent(plot, menu.windowFlags())  # pyqtgraph leaves it a window of its own, which outlives the panel
    plot.hideButtons()
    plot.setMouseEnabled(x=False, y=False)
    plot.setMinimumWidth(60)
    if height is not None:
        plot.setFixedHeight(height)
    plot.setAntialiasing(True)
    plot.getAxis("left").setWidth(axis_width)
    return plot


def plot_scores_by_seconds(plot: Any, padding: float) -> None:
    """Give a plot axes for scores of 0 to 1 against seconds."""
    plot.setYRange(0, 1, padding=padding)
    plot.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
    plot.getAxis("bottom").tickStrings = _seconds
    plot.showGrid(y=True, alpha=0.15)


def paint_plot(plot: Any, theme: Theme) -> None:
    """Draw a plot in the colours of the window."""
    plot.setBackground(theme.background)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(theme.faint)
        axis.setTextPen(theme.faint)
        axis.setStyle(tickLength=-4, tickTextOffset=2)


def _seconds(values: list[float], scale: float, spacing: float) -> list[str]:
    return [f"{value:g} s" for value in values]

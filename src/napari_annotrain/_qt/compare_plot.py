from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._qt.layout import faint_label
from napari_annotrain._qt.palette import Theme, class_colour
from napari_annotrain._qt.plot import SMOOTHING
from napari_annotrain._qt.small_plot import (
    LEAST_LOSS_OF_IMAGES,
    MOST_DB,
    height_of,
    new_plot,
    paint_plot,
    plot_scores_by_seconds,
)

HEIGHT = 150
#: The curve of a loss is drawn with this opacity (hexadecimal), so that the scores stand out.
FAINT = "70"
#: Of more steps every second, third, ... is drawn.
MOST_POINTS = 2000


@dataclass(frozen=True)
class Curves:
    """What is drawn of one candidate: (seconds, value) of its losses and of its scores, and what these are."""

    name: str
    losses: Sequence[tuple[float, float]] = field(repr=False)
    scores: Sequence[tuple[float, float]] = field(repr=False)
    measure: str = "IoU"


def colour_of(k: int) -> str:
    """Colour of a candidate by its number, in plot and table."""
    return class_colour(k + 1)


class ComparePlot(QWidget):
    """The learning curves of several candidates over each other: score (thick) and loss (thin) against seconds.

    Nothing is shown before the first curves; pyqtgraph is imported with them.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare_plot")
        self._legend = faint_label(name="compare_legend")
        self._plot: Any = None
        self._drawn: list[tuple[Any, Any]] = []
        self._theme = Theme()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addWidget(self._legend)
        self.hide()

    def show_curves(self, curves: Sequence[Curves]) -> None:
        """Draw these curves instead of those before."""
        self.setVisible(bool(curves))
        if not curves:
            return
        if self._plot is None:
            self._create()
        self._have(len(curves))
        smoothed = [_smoothed(one.losses) for one in curves]
        images = any(one.measure != "IoU" for one in curves)
        largest = max([LEAST_LOSS_OF_IMAGES if images else 1.0, *(loss for _, losses in smoothed for loss in losses)])
        for one, (times, losses), (thin, thick) in zip(curves, smoothed, self._drawn, strict=True):
            thin.setData(times, [loss / largest for loss in losses])
            thick.setData([t for t, _ in one.scores], [height_of(score, one.measure) for _, score in one.scores])
        names = " &nbsp; ".join(f"<span style='color:{colour_of(k)}'>■</span> {c.name}" for k, c in enumerate(curves))
        scale = "" if largest == 1 else f", 1 is {largest:.2g}"
        score = f"PSNR (1: {MOST_DB:.0f} dB)" if images else "validation score"
        thick = f"thick: {score} · " if any(one.scores for one in curves) else ""
        self._legend.setText(f"{names}<br>{thick}thin: loss{scale}")

    def set_theme(self, theme: Theme) -> None:
        """Draw in other colours."""
        self._theme = theme
        if self._plot is not None:
            paint_plot(self._plot, self._theme)

    def _have(self, n: int) -> None:
        """As many pairs of curves as there are candidates."""
        import pyqtgraph as pg

        while len(self._drawn) > n:
            for item in self._drawn.pop():
                self._plot.removeItem(item)
        for k in range(len(self._drawn), n):
            colour = colour_of(k)
            thin = self._plot.plot(pen=pg.mkPen(colour + FAINT, width=1))
            look = {"symbol": "o", "symbolSize": 5, "symbolBrush": colour, "symbolPen": None}
            self._drawn.append((thin, self._plot.plot(pen=pg.mkPen(colour, width=2), **look)))

    def _create(self) -> None:
        plot = new_plot(self, HEIGHT, axis_width=28)
        plot_scores_by_seconds(plot, padding=0.08)
        self._plot = plot
        self._column.addWidget(plot)
        paint_plot(self._plot, self._theme)


def _smoothed(losses: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Times and smoothed losses, thinned out: single batches jump too much to be read."""
    times: list[float] = []
    values: list[float] = []
    for t, loss in losses:
        times.append(t)
        values.append(loss if not values else SMOOTHING * values[-1] + (1 - SMOOTHING) * loss)
    step = -(-len(times) // MOST_POINTS) or 1
    return times[::-step][::-1], values[::-step][::-1]

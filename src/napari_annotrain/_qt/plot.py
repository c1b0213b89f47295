from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._qt.layout import faint_label
from napari_annotrain._qt.palette import Theme
from napari_annotrain._qt.small_plot import MOST_DB, height_of, new_plot, paint_plot, plot_scores_by_seconds

HEIGHT, EMPTY_HEIGHT = 116, 22
REDRAW_MS = 150
LOSS_COLOUR, SCORE_COLOUR = "#8a94a6", "#ff9f1c"
#: Weight of what came before in the drawn loss: single batches jump too much to be read.
SMOOTHING = 0.9
#: With more points, every second one is forgotten: a training without a limit may go on for hours.
MOST_POINTS = 4000


class LossPlot(QWidget):
    """The learning curve: smoothed loss and validation score against training time.

    pyqtgraph is imported when the first point arrives; until then this is a holder with a line of text.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("loss_plot")
        self.setFixedHeight(EMPTY_HEIGHT)
        self._words = faint_label("The learning curve appears here.")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self._words)
        self._plot: Any = None
        self._curves: tuple[Any, Any] | None = None
        self._theme = Theme()
        self.clear()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_MS)
        self._timer.timeout.connect(self.redraw)

    def clear(self, least_top: float = 1.0) -> None:
        """Forget all points; the axis of the loss begins at 0 and reaches at least so far."""
        self._measure, self._least_top = "IoU", least_top
        self.loss: tuple[list[float], list[float]] = ([], [])  # seconds, smoothed loss
        self.score: tuple[list[float], list[float]] = ([], [])  # seconds, score
        if self._curves is not None:
            self.redraw()

    def add_loss(self, seconds: float, loss: float) -> None:
        """Add one step."""
        times, values = self.loss
        times.append(seconds)
        values.append(loss if not values else SMOOTHING * values[-1] + (1 - SMOOTHING) * loss)
        _thin_out(times, values)
        self._schedule()

    def add_score(self, seconds: float, score: float, measure: str = "IoU") -> None:
        """Add one validation: 0 to 1, or of images in dB, which are drawn up to `MOST_DB`."""
        self._measure = measure
        self.score[0].append(seconds)
        self.score[1].append(score)
        _thin_out(*self.score)
        self._schedule()

    def set_theme(self, theme: Theme) -> None:
        """Draw in other colours."""
        self._theme = theme
        if self._plot is not None:
            paint_plot(self._plot, self._theme)

    def redraw(self) -> None:
        """Draw the points there are."""
        if self._curves is None:
            self._create()
        assert self._curves is not None
        times, losses = self.loss
        largest = max([self._least_top, *losses])  # a sum of several losses starts above 1
        self._curves[0].setData(times, [loss / largest for loss in losses])
        times, scores = self.score
        self._curves[1].setData(times, [height_of(score, self._measure) for score in scores])
        self._words.setText(self._legend())

    def _legend(self) -> str:
        """What the colours mean, with the latest values."""
        digits = ".2f" if self._least_top >= 1 else ".2g"
        loss = f" {self.loss[1][-1]:{digits}}" if self.loss[1] else ""
        words = f"<span style='color:{LOSS_COLOUR}'>■</span> loss{loss}"
        if self.score[1]:
            last = self.score[1][-1]
            score = (
                f"score {last:.2f}"
                if self._measure == "IoU"
                else f"PSNR {last:.1f} dB (1:\N{NO-BREAK SPACE}{MOST_DB:.0f}\N{NO-BREAK SPACE}dB)"
            )
            words += f" &nbsp; <span style='color:{SCORE_COLOUR}'>■</span> validation {score}"
        return words

    def _schedule(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _create(self) -> None:
        import pyqtgraph as pg

        self.setFixedHeight(HEIGHT)
        plot = new_plot(self, axis_width=28)
        plot_scores_by_seconds(plot, padding=0.12)
        self._curves = (
            plot.plot(pen=pg.mkPen(LOSS_COLOUR, width=1.5)),
            plot.plot(
                pen=pg.mkPen(SCORE_COLOUR, width=2), symbol="o", symbolSize=5, symbolBrush=SCORE_COLOUR, symbolPen=None
            ),
        )
        self._plot = plot
        self._layout.addWidget(plot)
        paint_plot(self._plot, self._theme)


def _thin_out(times: list[float], values: list[float]) -> None:
    if len(times) > MOST_POINTS:  # the latest one stays
        del times[-2::-2], values[-2::-2]

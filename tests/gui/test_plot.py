import pytest

from napari_annotrain._qt import plot as plotting
from napari_annotrain._qt.plot import LossPlot

pytestmark = pytest.mark.gui


def test_however_long_a_training_goes_on_the_curve_stays_small_and_ends_with_the_latest(qtbot, monkeypatch):
    monkeypatch.setattr(plotting, "MOST_POINTS", 100)
    plot = LossPlot()
    qtbot.addWidget(plot)
    for step in range(1000):
        plot.add_loss(0.1 * step, 1.0)
        plot.add_score(0.1 * step, 0.5)
    for times, values in (plot.loss, plot.score):
        assert 50 <= len(times) == len(values) <= 100
        assert times == sorted(times)
        assert times[0] < 20
        assert times[-1] == pytest.approx(99.9)

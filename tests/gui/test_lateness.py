"""Whether somebody works in the window, told by how late its thread is; on a clock of the test."""

from types import SimpleNamespace

import pytest

from napari_annotrain._qt import lateness


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(lateness, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def tick(watch, clock, seconds, gap):
    """Let the timer fire so long, with so much time between two times."""
    for _ in range(round(seconds / gap)):
        clock[0] += gap
        watch._look()


@pytest.mark.parametrize(
    ("gap", "in_use"),
    [(0.02, False), (0.0204, False), (0.024, True), (0.045, True), (0.4, True)],
    ids=["idle", "follows a training", "paints with a graphics card", "paints without", "stands still"],
)
def test_the_window_is_in_use_when_its_thread_comes_late(qtbot, clock, gap, in_use):
    watch = lateness.Lateness()
    watch.start()
    tick(watch, clock, 2.0, gap)
    assert watch.in_use == in_use
    watch.stop()
    assert not watch.in_use


def test_what_is_over_is_forgotten_within_a_second(qtbot, clock):
    watch = lateness.Lateness()
    watch.start()
    tick(watch, clock, 1.0, 0.06)
    assert watch.in_use
    tick(watch, clock, 1.0, 0.02)
    assert not watch.in_use


def test_the_timer_looks_by_itself(qtbot):
    watch = lateness.Lateness()
    watch.start()
    qtbot.waitUntil(lambda: watch.share > 0)  # no timer is exact
    watch.stop()

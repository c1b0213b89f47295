"""One run at a time, and whoever waits hears of it when nothing comes of that."""

import threading

import pytest

from napari_annotrain._qt.lane import Lane, Run
from napari_annotrain.events import Note


@pytest.fixture
def lane(qtbot):
    made = Lane()
    yield made
    made.close(10)


def endless():
    while True:
        threading.Event().wait(0.005)
        yield Note("still here")


def run(told, name, make=endless):
    return Run(
        make,
        lambda: told.append(f"{name} starts"),
        lambda event: None,
        lambda stopped: told.append(f"{name} ends"),
        f"annotrain-{name}",
        lambda: told.append(f"{name} dropped"),
    )


def test_a_run_that_waits_is_told_when_it_is_stopped_before_it_began(lane, qtbot):
    told = []
    lane.start(run(told, "first"))
    lane.start(run(told, "second"))
    assert not lane.stopping  # the second is still to come
    lane.stop()
    assert lane.stopping
    qtbot.waitUntil(lambda: not lane.busy)
    assert told == ["first starts", "second dropped", "first ends"]


def test_of_those_that_wait_the_newest_wins_and_the_others_are_told(lane, qtbot):
    told = []
    for name in ("first", "second", "third"):
        lane.start(run(told, name))
    qtbot.waitUntil(lambda: "third starts" in told)
    lane.stop()
    qtbot.waitUntil(lambda: not lane.busy)
    assert told == ["first starts", "second dropped", "first ends", "third starts", "third ends"]

import os
import sys
import threading
import weakref

import pytest

from napari_annotrain._qt.job import NICENESS, Job, sentence
from napari_annotrain._qt.lane import Lane, Run
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Failed, Note


def collect(job):
    got = []
    job.happened.connect(lambda event: got.append((event, threading.current_thread())))
    return got


def test_events_arrive_in_order_in_the_main_thread(qtbot):
    job = Job(lambda: (Note(str(i)) for i in range(500)))
    got = collect(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert [event.text for event, _ in got] == [str(i) for i in range(500)]
    assert {thread for _, thread in got} == {threading.main_thread()}
    assert not job.alive


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AnnotrainError("The image is empty: choose another."), "The image is empty: choose another."),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "Not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "Not enough memory"),
        (MemoryError(), "Not enough memory"),
        (RuntimeError("shapes differ"), "RuntimeError: shapes differ (details in the log)"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "PyTorch is not installed"),
        (KeyError("x"), "KeyError: 'x' (details in the log)"),
        (StopIteration(), "(details in the log)"),
    ],
)
def test_any_exception_becomes_a_last_event_with_a_sentence(qtbot, error, words):
    def run():
        yield Note("begun")
        raise error

    job = Job(run)
    got = collect(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert [type(event) for event, _ in got] == [Note, Failed]
    assert words in got[-1][0].sentence
    assert "Traceback" in got[-1][0].details


def test_an_exception_while_the_generator_is_made_is_told_too(qtbot):
    job = Job(lambda: 1 / 0)
    got = collect(job)
    with qtbot.waitSignal(job.ended):
        job.start()
    assert isinstance(got[-1][0], Failed)


def test_stop_closes_the_generator_in_its_own_thread(qtbot):
    closed, pace = [], threading.Event()

    def run():
        try:
            while True:
                pace.wait(0.01)  # a run works between its events, and does not flood the window
                yield Note("going")
        finally:
            closed.append(threading.current_thread().name)

    job = Job(run, "annotrain-test")
    got = collect(job)
    job.start()
    qtbot.waitUntil(lambda: len(got) > 3)
    with qtbot.waitSignal(job.ended):
        job.stop()
    assert closed == ["annotrain-test"]
    assert job.stopped
    assert not any(isinstance(event, Failed) for event, _ in got)


@pytest.mark.parametrize("fails", [False, True])
def test_what_it_worked_with_is_let_go(qtbot, fails):
    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)

    def make(held):
        def run():
            yield Note(str(held))
            if fails:
                raise ValueError(held)

        return run

    job = Job(make(big))
    del big
    with qtbot.waitSignal(job.ended):
        job.start()
    assert gone() is None


def test_a_muted_job_delivers_nothing_and_can_be_joined(qtbot):
    go = threading.Event()

    def run():
        yield Note("first")
        go.wait(5)
        yield Note("second")

    job = Job(run)
    got = collect(job)
    job.start()
    job.mute()
    job.stop()
    go.set()
    assert job.join(5)
    qtbot.wait(1)
    assert got == []


def test_a_job_never_started_can_be_joined():
    assert Job(lambda: iter(())).join(1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness of one thread is a thing of Linux")
def test_the_thread_is_nicer_than_the_window(qtbot):
    nice = []

    def run():
        nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        yield Done(None)

    job = Job(run)
    with qtbot.waitSignal(job.ended):
        job.start()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice == [min(19, own + NICENESS)]


def test_long_messages_are_cut():
    assert len(sentence(ValueError("x" * 5000))) < 260


def test_of_several_runs_the_newest_wins(qtbot):
    lane, log = Lane(), []

    def endless():
        while True:
            yield Note("endless")

    def run(name, make):
        return Run(
            make,
            lambda: log.append(f"{name} starts"),
            lambda event: None,
            lambda stopped: log.append(f"{name} ends {'stopped' if stopped else 'done'}"),
        )

    lane.start(run("first", endless))
    lane.start(run("second", endless))
    lane.start(run("third", lambda: iter([Note("x")])))
    qtbot.waitUntil(lambda: not lane.busy)
    assert log == ["first starts", "first ends stopped", "third starts", "third ends done"]


def test_a_closed_lane_is_silent(qtbot):
    lane, ends = Lane(), []

    def endless():
        while True:
            yield Note("endless")

    lane.start(Run(endless, lambda: None, lambda event: None, ends.append))
    assert lane.close(5)
    assert not lane.busy
    assert ends == []

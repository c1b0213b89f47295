from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari_annotrain._qt.job import Job
from napari_annotrain._qt.lateness import Lateness
from napari_annotrain.events import Event


@dataclass(frozen=True)
class Run:
    """What a lane needs to know of a job.

    Attributes
    ----------
    make
        Makes the generator of events, in the worker thread.
    on_start
        Called in the main thread when it really starts, an earlier run being over.
    on_event
        Called in the main thread with each event.
    on_end
        Called in the main thread when the run has ended, with whether it was stopped.
    on_drop
        Called in the main thread instead of all others, when the run is forgotten before it has started.
    """

    make: Callable[[], Iterator[Event]]
    on_start: Callable[[], None]
    on_event: Callable[[Event], None]
    on_end: Callable[[bool], None]
    name: str = "annotrain"
    on_drop: Callable[[], Any] = lambda: None


class Lane:
    """One run at a time. Starting another stops the present one first; of those that wait, the newest wins."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._run: Run | None = None
        self._waiting: Run | None = None
        self._lateness = Lateness()

    def in_use(self) -> bool:
        """Whether someone works in the window while a run goes on; any thread may ask."""
        return self._lateness.in_use

    @property
    def busy(self) -> bool:
        """Whether a run goes on or waits."""
        return self._job is not None

    @property
    def stopping(self) -> bool:
        """Whether all there is to do was asked to stop: a run that waits for the present one was not."""
        return self._job is not None and self._job.stopped and self._waiting is None

    def start(self, run: Run) -> None:
        """Start a run, now or as soon as the present one has stopped."""
        if self._job is not None:
            self._drop()
            self._waiting = run
            self._job.stop()
            return
        self._run = run
        run.on_start()
        self._job = Job(run.make, run.name)
        self._job.happened.connect(run.on_event)
        self._job.ended.connect(self._ended)
        self._lateness.start()
        self._job.start()

    def stop(self) -> None:
        """Ask the present run to stop and forget the one that waits."""
        if self._job is not None:
            self._job.stop()
        self._drop()

    def _drop(self) -> None:
        dropped, self._waiting = self._waiting, None
        if dropped is not None:
            dropped.on_drop()

    def close(self, seconds: float) -> bool:
        """Stop, deliver nothing more and wait at most so long; True when the thread has ended."""
        self._waiting = None
        job, self._job, self._run = self._job, None, None
        self._lateness.stop()
        if job is None:
            return True
        job.mute()
        job.stop()
        return job.join(seconds)

    def _ended(self) -> None:
        job, run = self._job, self._run
        self._job, self._run = None, None
        self._lateness.stop()
        try:
            if run is not None and job is not None:
                run.on_end(job.stopped)
        finally:
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                self.start(waiting)

import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_annotrain.errors import AnnotrainError, is_out_of_memory
from napari_annotrain.events import Event, Failed

#: Added to the niceness of a job's thread on Linux, so that painting stays fluent while both cores train.
NICENESS = 19
#: Longest time spent on events before the window gets its turn.
MOST_SECONDS = 0.03
log = logging.getLogger("napari_annotrain")


class Job(QObject):
    """A thread that runs a generator of events and hands them to the main thread.

    Any exception becomes a last `Failed` event, so that whoever listens hears of every end. A stop is looked at
    after each event; the generator is closed in the thread that ran it. A job runs once.

    Signals
    -------
    happened
        One event, in the main thread, in order.
    ended
        The thread has finished (as asked, stopped or failed); nothing follows.
    """

    happened = Signal(object)
    ended = Signal()
    _posted = Signal()

    def __init__(self, make: Callable[[], Iterator[Event]], name: str = "annotrain") -> None:
        super().__init__()
        self._make: Callable[[], Iterator[Event]] | None = make
        self._box: deque[Event | None] = deque()
        self._stop = threading.Event()
        self._muted = False
        self._posted.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the generator to end after its next event."""
        self._stop.set()

    def join(self, seconds: float) -> bool:
        """Wait for the thread, at most so long; True when it has ended."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def mute(self) -> None:
        """Deliver nothing more: for a window that is closing."""
        self._muted = True
        self._box.clear()

    def _work(self) -> None:
        lower_priority()
        make, self._make = self._make, None
        try:
            assert make is not None
            self._run(make())
        except BaseException as error:  # a thread that dies silently would leave the panel waiting for ever
            details = traceback.format_exc()
            if not isinstance(error, AnnotrainError):  # whose sentence says all
                log.error("A run failed.\n%s", details)
            self._post(Failed(sentence(error), details))
            error.__traceback__ = None  # its frames hold the model and the images
        finally:
            del make
            self._post(None)

    def _run(self, events: Iterator[Event]) -> None:
        try:
            for event in events:
                self._post(event)
                if self._stop.is_set():
                    return
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def _post(self, event: Event | None) -> None:
        if self._muted:
            return
        self._box.append(event)
        if len(self._box) > 1:  # a delivery is under way and takes this one along
            return
        try:
            self._posted.emit()
        except RuntimeError:  # Qt's half of this object is gone: the application is closing
            self._muted = True

    def _deliver(self) -> None:
        # an event leaves the box only after it was handled, so that `_post` need not emit again meanwhile
        until = time.monotonic() + MOST_SECONDS
        while self._box and not self._muted:
            event = self._box[0]
            if event is None:
                self._box.clear()
                self._thread.join(1.0)  # it has nothing left to do; nobody meets it half-alive
                self.ended.emit()
                return
            try:
                self.happened.emit(event)
            finally:
                if self._box:
                    self._box.popleft()
            if self._box and time.monotonic() > until:  # let the window breathe
                self._posted.emit()
                return


def sentence(error: BaseException) -> str:
    """Say in one sentence what happened.

    An `AnnotrainError` is such a sentence already; running out of memory, on the GPU or not, gets advice.
    """
    if isinstance(error, AnnotrainError):
        return str(error)
    text = " ".join(str(error).split())
    if is_out_of_memory(error):
        return "Not enough memory: choose a smaller batch, patch or tile in the settings, or close other programs."
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "torch":
        return "PyTorch is not installed: install it (pip install torch) to train and predict; painting works without."
    if len(text) > 200:
        text = text[:200] + " ..."
    return f"{type(error).__name__}: {text} (details in the log)"


def lower_priority() -> None:
    """Make the calling thread nicer where the system can do so for one thread (Linux)."""
    setter: Any = getattr(os, "setpriority", None)
    if setter is None or not os.path.isdir("/proc/self/task"):
        return
    try:
        own = threading.get_native_id()
        setter(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + NICENESS))
    except OSError:  # a container that forbids it: slower painting, nothing worse
        log.debug("The priority of the thread could not be lowered.", exc_info=True)

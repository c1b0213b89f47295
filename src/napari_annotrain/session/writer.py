import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.sheet import Rows
from napari_annotrain.session.state import SessionState

log = logging.getLogger("napari_annotrain")
#: With more bytes of strokes waiting for the disk, `SessionWriter.full` asks to wait.
MOST_WAITING = 256_000_000
#: After a refusal (a full disk) it is tried again so soon.
AGAIN_SECONDS = 2.0
#: A model that so often could not be written is given up: it must not keep strokes from the disk.
MOST_TRIES = 3


class SessionWriter:
    """A thread that writes a session, so that nobody waits for the disk; what is refused is kept and tried again.

    Of rows that change again while they wait only the latest are written, so that what waits is never more than what is
    painted.

    Parameters
    ----------
    folder
        Open; `close` closes it.
    told
        Called in that thread with a sentence whenever writing fails, and with "" when it works again.
    """

    def __init__(self, folder: SessionFolder, told: Callable[[str], None]) -> None:
        self.folder, self._told = folder, told
        self._rows: dict[tuple[str, tuple[int, ...], int, int], Rows] = {}
        self._state: SessionState | None = None
        self._models: deque[tuple[str, Callable[[Path], object]]] = deque()
        self._change = threading.Condition()
        self._ending = self._working = self._refused = self._told_of = False
        self._tries: dict[str, int] = {}
        self._thread = threading.Thread(target=self._work, name="annotrain-saving", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether so much waits for the disk that more should wait outside."""
        with self._change:
            return sum(rows.values.nbytes for rows in self._rows.values()) > MOST_WAITING

    def put(self, batch: Iterable[Rows]) -> None:
        """Write rows that changed together; their values must not change any more."""
        with self._change:
            for rows in batch:
                self._rows[rows.sheet, rows.plane, rows.top, rows.left] = rows
            self._change.notify_all()

    def save(self, state: SessionState) -> None:
        """Write everything else; only the latest counts."""
        with self._change:
            self._state = state
            self._change.notify_all()

    def add_model(self, file: str, save: Callable[[Path], object]) -> None:
        """Let a model be written."""
        with self._change:
            self._models.append((file, save))
            self._change.notify_all()

    def wait(self, seconds: float) -> bool:
        """Wait until all is on the disk; False where that did not come within so many seconds."""
        with self._change:
            return self._change.wait_for(lambda: not (self._waits or self._working), seconds)

    def close(self, seconds: float) -> bool:
        """Write what waits, then close the folder; False where something could not be written."""
        with self._change:
            self._ending = True
            self._change.notify_all()
        self._thread.join(seconds)
        ended = not self._thread.is_alive()
        clean = ended and not self._waits
        if ended:
            self.folder.close(clean)
        return clean

    @property
    def _waits(self) -> bool:
        return bool(self._rows or self._state or self._models)

    def _work(self) -> None:
        while True:
            with self._change:
                self._working = False
                self._change.notify_all()
                if self._refused:
                    self._change.wait_for(lambda: self._ending, AGAIN_SECONDS)
                self._change.wait_for(lambda: self._waits or self._ending)
                last = self._ending
                if not self._waits:
                    return
                self._working = True
            errors = [error for step in (self._write_state, self._write_rows, self._write_models) for error in step()]
            self._tell(errors)
            if last and errors:  # it was tried once more
                return

    def _tell(self, errors: list[Exception]) -> None:
        """Say why it cannot be written, once, and when it can again."""
        for error in errors:
            if not isinstance(error, AnnotrainError):
                log.error("A session could not be written.", exc_info=error)
        trouble = str(errors[0]) if errors else self.folder.trouble
        if trouble and not self._told_of:
            self._told(f"{trouble.rstrip('.')}; what you do is kept and written when that works.")
        if not trouble and self._told_of:
            self._told("")
        self._refused, self._told_of = bool(errors), bool(trouble)

    def _write_state(self) -> Iterator[Exception]:
        """First, for it names the annotations that rows are of."""
        with self._change:
            state = self._state
        if state is None:
            return
        try:
            self.folder.save(state)
        except Exception as error:
            yield error
            return
        with self._change:
            self._state = None if self._state is state else self._state

    def _write_rows(self) -> Iterator[Exception]:
        with self._change:
            rows = dict(self._rows)
        if not rows:
            return
        try:
            self.folder.write(list(rows.values()))
        except Exception as error:
            yield error
            return
        with self._change:
            self._rows = {key: now for key, now in self._rows.items() if now is not rows.get(key)}

    def _write_models(self) -> Iterator[Exception]:
        """Last; a session whose model is missing opens without it."""
        with self._change:
            models = list(self._models)
        for file, save in models:
            try:
                self.folder.add_model(file, save)
            except Exception as error:
                self._tries[file] = self._tries.get(file, 0) + 1
                yield error
                if self._tries[file] < MOST_TRIES:
                    continue
            with self._change:
                self._models.remove((file, save))

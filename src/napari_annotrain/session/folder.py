import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy.typing as npt

from napari_annotrain.data.locks import locked
from napari_annotrain.data.places import refusing
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.journal import Journal
from napari_annotrain.session.sheet import Rows, Sheet
from napari_annotrain.session.state import STATE, SessionState, read_state, write_state

log = logging.getLogger("napari_annotrain")
LOCK, JOURNAL, SHEETS, MODELS = "lock", "journal", "annotations", "models"
#: A longer journal is begun anew: by then all of it is in the sheets.
MOST_JOURNAL = 64_000_000
#: More pixels than this, in bytes, become several entries of the journal.
MOST_ENTRY = 32_000_000


class SessionFolder:
    """A session on the disk, written by one process at a time; whatever ends that, it opens as it was.

    ::

        session.json      images, regions, settings, names of models (`state.SessionState`), replaced in one step
        annotations/      one ``.npy`` each (`sheet.Sheet`)
        models/           one ``.safetensors`` each
        journal           strokes, each whole or not at all (`journal.Journal`)
        lock              held while it is open

    Strokes, states and models may come from different threads.
    """

    def __init__(self, path: Path, state: SessionState, held: ExitStack, made: bool = False) -> None:
        self.path, self.state = path, state
        self._held, self._busy, self._made = held, threading.Lock(), made
        self._journal = Journal(path / JOURNAL)
        self._sheets: dict[str, Sheet] = {}
        self._models = {model.file for model in state.models}  # all that were ever in it, as far as is known
        self.trouble = ""  # why strokes that are in the journal are not in their sheet

    @classmethod
    def create(cls, path: Path) -> "SessionFolder":
        """Make a session that is empty still.

        Raises
        ------
        AnnotrainError
            There is something of that name already, or it cannot be written there.
        """
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise AnnotrainError(f"{path} exists already: choose another name for the session.")
        with refusing(path):
            for name in (SHEETS, MODELS):
                (path / name).mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            _lock(held, path)
            with refusing(path):
                write_state(path, SessionState())
            return cls(path, SessionState(), held.pop_all(), made=True)

    @classmethod
    def open(cls, path: Path) -> "SessionFolder":
        """Open a session as it was at the last moment, however it ended.

        Raises
        ------
        AnnotrainError
            It is none, it is damaged, of a newer version, or open in another window.
        """
        read_state(path)  # before a lock is left where there is no session
        with ExitStack() as held:
            _lock(held, path)
            made = cls(path, read_state(path), held.pop_all())  # as whoever had it before has left it
        try:
            made._replay()
        except BaseException:
            made.close()
            raise
        return made

    def new_sheet(self, shape: Sequence[int], dtype: npt.DTypeLike) -> str:
        """Make an empty annotation; the name that `Rows.sheet` and `ImageState.sheet` call it by."""
        name = uuid4().hex[:12]
        with refusing(self.path):
            self._sheets[name] = Sheet.create(self._sheet_path(name), shape, dtype)
        return name

    def read_sheet(self, name: str) -> npt.NDArray[Any]:
        """An annotation as it is now, lazily; changes stay in memory.

        Raises
        ------
        AnnotrainError
            Its file is missing or damaged.
        """
        return self._sheet(name).read()

    def write(self, batch: Sequence[Rows]) -> None:
        """Put down rows that changed together: all of them survive from now on, or (after an error) none.

        More than `MOST_ENTRY` of them survive part by part.
        """
        with self._busy, refusing(self.path):
            for part in _parts(batch):
                self._journal.add(part)
                self._apply(part)
            if self._journal.size > MOST_JOURNAL:
                self._replay() if self.trouble else self._settle()

    def save(self, state: SessionState) -> None:
        """Put down everything else."""
        with self._busy, refusing(self.path):
            write_state(self.path, state)
            self.state = state

    def new_model(self) -> str:
        """A name for the file of a model, for `ModelState.file`; the file itself comes with `add_model`."""
        name = f"{uuid4().hex[:12]}.safetensors"
        self._models.add(name)
        return name

    def add_model(self, file: str, save: Callable[[Path], object]) -> None:
        """Let a model be written; `save` writes a file that is whole or not there."""
        save(self.model_path(file))

    def model_path(self, file: str) -> Path:
        """Where a model lies."""
        return self.path / MODELS / file

    def close(self, clean: bool = True) -> None:
        """Let another window open it.

        Parameters
        ----------
        clean
            Whether all that was done is on the disk: then models that the session has forgotten go, and so does a
            session made here in which nothing was done. Nothing goes that was not made by sessions.
        """
        with self._busy:
            try:
                if clean:
                    for name in self._models - {model.file for model in self.state.models}:
                        self.model_path(name).unlink(missing_ok=True)
                    if self._made and not self.state.has_content:
                        self._remove()
            except OSError:  # a file that is in use (Windows): it stays
                log.debug("Something of %s could not be removed.", self.path, exc_info=True)
            finally:
                self._held.close()
        if clean and self._made and not self.state.has_content:
            with suppress(OSError):
                self.path.rmdir()

    def _remove(self) -> None:
        """Remove what sessions make; whatever else lies there stays."""
        for file in (self.path / STATE, self.path / JOURNAL, *(self.path / SHEETS).glob("*.npy")):
            file.unlink(missing_ok=True)
        for folder in (SHEETS, MODELS):
            (self.path / folder).rmdir()

    def _sheet_path(self, name: str) -> Path:
        return self.path / SHEETS / f"{name}.npy"

    def _sheet(self, name: str) -> Sheet:
        if name not in self._sheets:
            self._sheets[name] = Sheet.open(self._sheet_path(name))
        return self._sheets[name]

    def _apply(self, batch: Sequence[Rows]) -> None:
        """Write rows to their sheets; those that cannot be written stay in the journal."""
        for rows in batch:
            try:
                sheet = self._sheet(rows.sheet)
                if not sheet.fits(rows):
                    raise AnnotrainError(f"The annotation {sheet.path} has another size than what was painted.")
                sheet.write(rows)
            except OSError as error:
                self.trouble = f"{self.path} cannot be written ({error.strerror}): make room on the disk."
            except AnnotrainError as error:
                self.trouble = str(error)

    def _replay(self) -> None:
        """Bring the sheets up to date; the journal stays as long as that does not work for all of them."""
        self.trouble = ""
        with refusing(self.path):
            for batch in self._journal.entries():
                self._apply([rows for rows in batch if self._sheet_path(rows.sheet).exists()])
            if not self.trouble:
                self._settle()

    def _settle(self) -> None:
        """Sync the sheets; the journal is needed no longer."""
        for sheet in list(self._sheets.values()):
            sheet.sync()
        self._journal.clear()


def _parts(batch: Sequence[Rows]) -> Iterator[list[Rows]]:
    """The rows in parts of about `MOST_ENTRY` bytes."""
    part: list[Rows] = []
    for rows in batch:
        if part and sum(one.values.nbytes for one in part) + rows.values.nbytes > MOST_ENTRY:
            yield part
            part = []
        part.append(rows)
    if part:
        yield part


def is_session(path: Path) -> bool:
    """Whether a folder holds a session."""
    return (path / STATE).is_file()


def _lock(held: ExitStack, path: Path) -> None:
    try:
        held.enter_context(locked(path / LOCK))
    except BlockingIOError:
        raise AnnotrainError(
            f"The session {path.name} is open in another window: close it there, or choose another one."
        ) from None
    except OSError as error:
        raise AnnotrainError(
            f"The session {path} cannot be opened ({error.strerror}): copy it to a place that you may write to."
        ) from error

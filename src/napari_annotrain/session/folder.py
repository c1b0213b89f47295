import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
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

LOCK, JOURNAL, SHEETS, MODELS = "lock", "journal", "annotations", "models"
#: A longer journal is begun anew: by then all of it is in the sheets.
MOST_JOURNAL = 64_000_000


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

    def __init__(self, path: Path, state: SessionState, held: ExitStack) -> None:
        self.path, self.state = path, state
        self._held, self._busy = held, threading.Lock()
        self._journal = Journal(path / JOURNAL)
        self._sheets: dict[str, Sheet] = {}

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
            return cls(path, SessionState(), held.pop_all())

    @classmethod
    def open(cls, path: Path) -> "SessionFolder":
        """Open a session as it was at the last moment, however it ended.

        Raises
        ------
        AnnotrainError
            It is none, it is damaged, of a newer version, or open in another window.
        """
        state = read_state(path)
        with ExitStack() as held:
            _lock(held, path)
            made = cls(path, state, held.pop_all())
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
        """Put down rows that changed together: all of them survive from now on, or (after an error) none."""
        with self._busy, refusing(self.path):
            self._journal.add(batch)
            self._apply(batch)
            if self._journal.size > MOST_JOURNAL:
                self._settle()

    def save(self, state: SessionState) -> None:
        """Put down everything else."""
        with self._busy, refusing(self.path):
            write_state(self.path, state)
            self.state = state

    def new_model(self) -> str:
        """A name for the file of a model, for `ModelState.file`; the file itself comes with `add_model`."""
        return f"{uuid4().hex[:12]}.safetensors"

    def add_model(self, file: str, save: Callable[[Path], object]) -> None:
        """Let a model be written; `save` writes a file that is whole or not there."""
        save(self.model_path(file))

    def model_path(self, file: str) -> Path:
        """Where a model lies."""
        return self.path / MODELS / file

    def close(self) -> None:
        """Let another window open it; models that it no longer has go, and all of one that nothing was done in."""
        with self._busy:
            kept = {model.file for model in self.state.models}
            for file in (self.path / MODELS).glob("*.safetensors"):
                if file.name not in kept:
                    file.unlink(missing_ok=True)
            self._held.close()
            if not self.state.has_content:
                shutil.rmtree(self.path, ignore_errors=True)

    def _sheet_path(self, name: str) -> Path:
        return self.path / SHEETS / f"{name}.npy"

    def _sheet(self, name: str) -> Sheet:
        if name not in self._sheets:
            self._sheets[name] = Sheet.open(self._sheet_path(name))
        return self._sheets[name]

    def _apply(self, batch: Sequence[Rows]) -> None:
        for rows in batch:
            sheet = self._sheet(rows.sheet)
            if not sheet.fits(rows):
                raise AnnotrainError(f"The annotation {sheet.path} has another size than what was painted.")
            sheet.write(rows)

    def _replay(self) -> None:
        """Bring the sheets up to date."""
        with refusing(self.path):
            for batch in self._journal.entries():
                self._apply([rows for rows in batch if self._sheet_path(rows.sheet).exists()])
            self._settle()

    def _settle(self) -> None:
        """Sync the sheets; the journal is needed no longer."""
        for sheet in self._sheets.values():
            sheet.sync()
        self._journal.clear()


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

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from platformdirs import user_data_path

from napari_annotrain.data.locks import locked
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.folder import LOCK, is_session
from napari_annotrain.session.state import ImageState, SessionState, read_state

#: A folder that sessions go to instead of the user's data folder.
ELSEWHERE = "ANNOTRAIN_SESSIONS"


@dataclass(frozen=True)
class Found:
    """A session that can be opened."""

    path: Path
    state: SessionState

    @property
    def when(self) -> str:
        """When it was changed last, such as "26 Nov, 14:32"."""
        if not self.state.changed:
            return "an unknown time"
        changed = datetime.fromisoformat(self.state.changed)
        return f"{changed.day} {changed:%b, %H:%M}"


def automatic_folder() -> Path:
    """Where sessions go that nobody has chosen a place for."""
    chosen = os.environ.get(ELSEWHERE)
    return Path(chosen) if chosen else user_data_path("napari-annotrain", appauthor=False) / "sessions"


def new_place(image: str, now: datetime) -> Path:
    """A free name for a session that begins with work on this image."""
    words = re.sub(r"[^\w.-]+", "_", image).strip("._")[:60] or "image"
    folder = automatic_folder()
    name = f"{now:%Y-%m-%d_%H%M%S}_{words}"
    return next(p for p in (folder / f"{name}{'' if i == 0 else f'_{i}'}" for i in range(1000)) if not p.exists())


def find_sessions() -> list[Found]:
    """Sessions in the automatic place that hold something and are not open, the latest first."""
    folder = automatic_folder()
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if not is_session(path):
            continue
        try:
            state = read_state(path)
        except AnnotrainError:  # said when somebody opens it
            continue
        if state.has_content and state.changed and not _is_open(path):
            found.append(Found(path, state))
    return sorted(found, key=lambda one: one.state.changed, reverse=True)


def is_same(one: ImageState, other: ImageState) -> bool:
    """Whether two images are the same: by their pixels where those could be read, else by name or place."""
    if one.shape != other.shape:
        return False
    if one.fingerprint and other.fingerprint:
        return one.fingerprint == other.fingerprint
    return one.name == other.name or (bool(one.path) and one.path == other.path)


def _is_open(path: Path) -> bool:
    try:
        with locked(path / LOCK):
            return False
    except OSError:
        return True

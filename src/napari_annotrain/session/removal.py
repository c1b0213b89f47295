"""Old sessions make room: which there are, how much they take, and how one goes."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_annotrain.data.locks import locked
from napari_annotrain.data.places import refusing
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.folder import JOURNAL, LOCK, MODELS, SHEETS, is_session
from napari_annotrain.session.listing import automatic_folder
from napari_annotrain.session.state import STATE, read_state


@dataclass(frozen=True)
class Removed:
    """What has gone, and what could not: paths of sessions, and bytes on the disk."""

    paths: tuple[Path, ...] = ()
    open_ones: tuple[Path, ...] = ()
    size: int = 0

    def words(self) -> str:
        """One sentence about it."""
        n = len(self.paths)
        said = f"Removed {n} session{'s' * (n != 1)} ({megabytes(self.size)})" if n else "There was nothing to remove"
        held = f"; left {len(self.open_ones)} that {'is' if len(self.open_ones) == 1 else 'are'} open"
        return f"{said}{held if self.open_ones else ''}."


def place_of(name: str) -> Path:
    """The folder of a session: a path, or its name in the automatic folder.

    Raises
    ------
    AnnotrainError
        There is no session of this name.
    """
    named, path = automatic_folder() / name, Path(name)
    for place in (named, path):
        if name and is_session(place):
            return place
    raise AnnotrainError(f"There is no session {name} in {automatic_folder()}: annotrain sessions list names them.")


def remove_session(path: Path) -> Removed:
    """Remove a session for good, and nothing in its folder that sessions have not made.

    Raises
    ------
    AnnotrainError
        It is open in a window, or it cannot be removed.
    """
    size = size_of(path)
    try:
        with locked(path / LOCK), refusing(path):
            _remove(path)
    except BlockingIOError:
        raise AnnotrainError(f"The session {path.name} is open in a window: close it there first.") from None
    with suppress(OSError):  # something else lies there
        path.rmdir()
    return Removed((path,), (), size)


def remove_older(days: float, now: datetime) -> Removed:
    """Remove the sessions in the automatic folder in which nothing was done for so many days; open ones stay.

    Raises
    ------
    AnnotrainError
        `days` is negative, or one cannot be removed.
    """
    if not days >= 0:
        raise AnnotrainError(f"Sessions cannot be older than {days:g} days: give 0 or more.")
    folder = automatic_folder()
    gone: list[Path] = []
    held: list[Path] = []
    size = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not is_session(path) or (now - changed(path)).total_seconds() < days * 86_400:
            continue
        if _is_held(path):
            held.append(path)
            continue
        removed = remove_session(path)
        gone.append(path)
        size += removed.size
    return Removed(tuple(gone), tuple(held), size)


def changed(path: Path) -> datetime:
    """When something was done in a session last, local time; of one that cannot be read, when it was written."""
    with suppress(AnnotrainError, ValueError):
        return datetime.fromisoformat(read_state(path).changed)
    return datetime.fromtimestamp((path / STATE).stat().st_mtime)


def size_of(path: Path) -> int:
    """Bytes that a session takes on the disk; holes in its files take none where the system tells."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            with suppress(OSError):  # it has just gone
                found = (Path(folder) / name).stat()
                total += int(getattr(found, "st_blocks", -(-found.st_size // 512))) * 512
    return total


def megabytes(size: int) -> str:
    """Such as "41 MB" or "0.3 MB"."""
    return f"{size / 1e6:.1f} MB" if size < 10e6 else f"{size / 1e6:,.0f} MB"


def _is_held(path: Path) -> bool:
    try:
        with locked(path / LOCK):
            return False
    except BlockingIOError:
        return True


def _remove(path: Path) -> None:
    """What sessions make, `session.json` first: whatever stops this, no half session is offered."""
    made = [path / STATE, path / f".{STATE}.part", path / JOURNAL]
    made += [*(path / SHEETS).glob("*.npy"), *(path / MODELS).glob("*.safetensors")]
    for file in made:
        file.unlink(missing_ok=True)
    for folder in (SHEETS, MODELS):
        with suppress(OSError):  # something else lies there
            (path / folder).rmdir()

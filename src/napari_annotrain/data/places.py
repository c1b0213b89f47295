"""Where results go: what is in the way is found before any work, and what fails leaves nothing behind."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from napari_annotrain.data.chunks import is_store
from napari_annotrain.errors import AnnotrainError


def check_place(path: Path) -> None:
    """Refuse a path whose folder cannot be written, or whose name the system does not take; nothing is left behind.

    Raises
    ------
    AnnotrainError
        The sentence says why the system refuses.
    """
    with refusing(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # complains about a name that is too long
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir():
            raise AnnotrainError(f"{path} cannot be written ({folder} is a file, not a folder): choose another place.")
        with tempfile.TemporaryFile(dir=folder):
            pass


def check_way(path: Path, store: bool, overwrite: bool) -> None:
    """Refuse a path where something else is in the way of a file, or of a zarr store.

    Raises
    ------
    AnnotrainError
        Something is.
    """
    if path.is_dir() and not (store and (is_store(path) or not any(path.iterdir()))):
        raise AnnotrainError(f"{path} is a folder of other things: choose another name.")
    if store and path.is_file():
        raise AnnotrainError(f"{path} is a file, but OME-Zarr is a folder: choose another name for the result.")
    if store and path.exists() and not overwrite:
        raise AnnotrainError(f"{path} exists already: choose another name, or allow it to be overwritten.")


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Give a temporary path; what was written there replaces `path` at the end, or vanishes after an error.

    Raises
    ------
    AnnotrainError
        The system refuses to write there.
    """
    temporary = path.with_name(f".{uuid4().hex}.part")
    with refusing(path), making_folders(path):
        try:
            yield temporary
            put(temporary, path)
        finally:
            remove(temporary)


@contextmanager
def making_folders(path: Path) -> Iterator[None]:
    """Make the folders a path lies in; those that were not there before go again where the block fails."""
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # something else lies in them by now
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Word what the system says against writing to a path.

    Raises
    ------
    AnnotrainError
        An OSError was raised in the block.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or "the system refuses"
        raise AnnotrainError(f"{path} cannot be written ({why}): choose another place or make room.") from error


def put(new: Path, path: Path) -> None:
    """Let a finished file or folder appear under its name, instead of what was there."""
    if not path.is_dir():
        new.replace(path)
        return
    old = path.with_name(f".{uuid4().hex}.old")  # a folder cannot be replaced in one step
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    remove(old)


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as the system lets go of it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

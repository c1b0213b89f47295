"""Locks between processes, which the system lets go of when a process ends, however it ends."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


#: What the system answers where another process has the lock; else its disk knows no locks.
_TAKEN = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK}
_TRIES = 100


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that is this file; it and its folder are made, and go again if nothing else lies there.

    On a disk that knows no locks (some network file systems) everyone gets it.

    Raises
    ------
    BlockingIOError
        Another process, or another thread of this one, holds it.
    """
    file = _take(path)
    try:
        yield
    finally:
        if sys.platform == "win32":  # where no open file can be removed
            os.close(file)
            with suppress(OSError):
                path.unlink()
        else:
            with suppress(OSError):
                path.unlink()
            os.close(file)
        with suppress(OSError):
            path.parent.rmdir()


def _take(path: Path) -> int:
    while True:
        file = _open(path)
        try:
            _lock(file)
        except OSError as error:
            if error.errno in _TAKEN:
                os.close(file)
                raise BlockingIOError(str(path)) from error
        if _is(file, path):
            return file
        os.close(file)


def _open(path: Path) -> int:
    """Open the file, while whoever had the lock may be removing its folder."""
    for _ in range(_TRIES):
        with suppress(FileExistsError, FileNotFoundError):
            return _make(path)
    return _make(path)


def _make(path: Path) -> int:
    path.parent.mkdir(exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT)


def _is(file: int, path: Path) -> bool:
    """Whether an open file still has this name: who had the lock removes it at the end."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False

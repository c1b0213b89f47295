"""One at a time, whoever asks; and whoever is killed is in nobody's way."""

import errno
import subprocess
import sys
import threading

import pytest

from napari_annotrain.data import locks
from napari_annotrain.data.locks import locked

HOLD = "import sys; from pathlib import Path; from napari_annotrain.data.locks import locked\n"
HOLD += "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "lock"


@pytest.fixture
def other(path):
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_what_another_process_holds_is_refused(path, other):
    with pytest.raises(BlockingIOError), locked(path):
        pass
    assert path.exists()
    other.communicate()
    with locked(path):
        pass


def test_a_killed_process_holds_nothing(path, other):
    other.kill()
    other.wait()
    assert path.exists(), "test invalid"
    with locked(path):
        pass
    assert not path.parent.exists()


def test_what_this_process_holds_is_refused_too(path):
    with locked(path):
        with pytest.raises(BlockingIOError), locked(path):
            pass
        assert path.exists()


def test_nothing_of_it_stays_and_all_that_is_not_its_own_does(path):
    with locked(path):
        pass
    assert not path.parent.exists()
    with locked(path):
        (path.parent / "data").touch()
    assert [one.name for one in path.parent.iterdir()] == ["data"]


def test_on_a_disk_without_locks_everyone_gets_it(path, monkeypatch):
    def unknown(file):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", unknown)
    with locked(path), locked(path):
        pass


def test_no_two_have_it_at_once_though_its_file_comes_and_goes(path):
    holders, most, taken = [0], [0], [0]

    def grab():
        for _ in range(300):
            try:
                with locked(path):
                    holders[0] += 1
                    most[0] = max(most[0], holders[0])
                    taken[0] += 1
                    holders[0] -= 1
            except BlockingIOError:
                pass

    threads = [threading.Thread(target=grab) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert taken[0] > 100

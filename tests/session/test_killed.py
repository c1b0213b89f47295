"""Whatever ends a session, it opens as it was: a process is killed in the midst of random work, again and again."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from napari_annotrain.session.folder import SessionFolder
from tests.session.random_work import Work, named


def killed_after(path, seed, n_lines):
    """Let the process work until it has told so many lines, kill it; how many actions it had done for certain."""
    command = [sys.executable, "-m", "tests.session.random_work", str(path), str(seed)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    told = [run.stdout.readline().split() for _ in range(n_lines)]
    os.kill(run.pid, signal.SIGKILL)
    told += [line.split() for line in run.stdout.read().splitlines()]
    run.wait()
    run.stdout.close()
    done = [int(words[1]) for words in told if len(words) == 2 and words[0] == "done"]
    return max(done, default=0)


def check(path, seed, n_lines):
    """What is opened is the work up to the last action that was done, or with the one that was under way."""
    done = killed_after(path, seed, n_lines)
    work = Work(seed)
    for _ in range(done):
        work.act()
    folder = SessionFolder.open(path)
    sheet = folder.state.images[0].sheet
    found = folder.read_sheet(sheet)
    may_be = [(work.labels, named(work.state, sheet))]
    work.act()
    may_be.append((work.labels, named(work.state, sheet)))
    assert any(np.array_equal(found, labels) and folder.state == state for labels, state in may_be), (seed, done)
    del found
    folder.close()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("seed", range(20))
def test_a_killed_session_opens_as_it_was(tmp_path, seed):
    check(tmp_path / "session", seed, 2 + int(np.random.default_rng(seed).integers(120)))


@pytest.mark.nightly
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("seed", range(20, 220))
def test_two_hundred_killed_sessions_open_as_they_were(tmp_path, seed):
    check(tmp_path / "session", seed, 2 + int(np.random.default_rng(seed).integers(400)))

"""How torch's threads are told to wait for each other; a process of its own, as the word is read once."""

import os
import subprocess
import sys

import pytest

CODE = "import os, napari_annotrain; print(os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "None")],
    ids=["nothing", "a number", "a policy"],
)
def test_threads_wait_shortly_unless_the_user_has_said_how(given, expected):
    others = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", CODE], env=others | given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected

"""The README's first command: what it leaves behind, and what it says when it cannot."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from skimage.io import imread

from napari_annotrain import cli

NO_DISPLAY = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
needs_display = pytest.mark.skipif(NO_DISPLAY, reason="needs a display: install Xvfb")


def run_demo(out, seconds):
    command = [sys.executable, "-m", "napari_annotrain._napari.demo", str(out), "--headless", "--seconds", str(seconds)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.gui
@needs_display
def test_the_demo_trains_predicts_and_leaves_everything_behind(tmp_path):
    done = run_demo(tmp_path / "out", 10)
    assert done.returncode == 0, done.stderr
    assert "Pressing Train" in done.stdout
    screenshot = imread(tmp_path / "out" / "screenshot.png")
    assert screenshot.shape[0] > 600
    assert screenshot[..., :3].std() > 10
    assert imread(tmp_path / "out" / "labels.tif").shape == (512, 512)
    assert cli.run(["models", "show", str(tmp_path / "out" / "model.safetensors")]) == cli.DONE
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert set(scores) == {"cells", "new cells"}
    assert all(np.isfinite(score["ap50"]) for score in scores.values())


@pytest.mark.gui
@needs_display
def test_a_demo_that_cannot_write_says_so(tmp_path):
    (tmp_path / "out").write_text("a file in the way")
    done = run_demo(tmp_path / "out", 1)
    assert done.returncode == 1
    assert done.stderr.startswith("The demo failed: ")
    assert "Traceback" not in done.stderr


@pytest.fixture
def called(monkeypatch):
    """Commands that would have been run."""
    calls = []

    def run(command, env, check):
        calls.append((command, env))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="virtual screens are Linux's")
@pytest.mark.parametrize("words", [[], ["--headless"]])
def test_without_a_display_it_takes_a_virtual_one(words, called, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert cli.run(["demo", "--out", "there", *words]) == cli.DONE
    ((command, env),) = called
    assert command[0] == "xvfb-run"
    assert command[-2:] == ["there", "--headless"]
    assert env["QT_QPA_PLATFORM"] == "xcb"


def test_with_a_display_the_window_stays_open(called, monkeypatch):
    monkeypatch.setenv("DISPLAY", ":7")
    assert cli.run(["demo", "--out", "there"]) == cli.DONE
    ((command, _),) = called
    assert command[0] == sys.executable
    assert command[-1] == "there"


def test_a_failing_demo_gives_a_sentence_and_a_code(monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    assert cli.run(["demo"]) == cli.BAD_INPUT
    assert "exit code 1" in capsys.readouterr().err

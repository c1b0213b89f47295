"""Whatever is shown is run: the scripts in examples/, and the code in README and docs."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_annotrain import cli
from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cells
from napari_annotrain.data.writing import write_array
from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.listing import ELSEWHERE
from napari_annotrain.session.state import ImageState, SessionState

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NO_DISPLAY = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def commands(page):
    """Lines that call annotrain; the demo has a test of its own."""
    lines = "".join(blocks(page, "bash")).splitlines()
    return [line for line in lines if line.startswith("annotrain ") and not line.startswith("annotrain demo")]


def in_short(code):
    """The same code with a moment of training."""
    return re.sub(r"seconds([= ])(\d+)", lambda found: f"steps{found[1]}{int(found[2]) // 30}", code)


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """The files that README and docs speak of."""
    image, truth = cells((96, 96), n_cells=6)
    for k in (1, 2):
        write_array(tmp_path / "images" / f"{k}.tif", image, "YX")
        write_array(tmp_path / "gfp" / f"{k}.tif", image, "YX")
        write_array(tmp_path / "annotations" / f"{k}.tif", strokes(truth), "YX")
        write_array(tmp_path / "truth" / f"{k}.tif", truth, "YX")
        write_array(tmp_path / "DIC" / "01_RES" / f"mask{k:03}.tif", truth, "YX")
    write_array(tmp_path / "DIC" / "01_GT" / "SEG" / "man_seg001.tif", truth, "YX")
    write_array(tmp_path / "stack.tif", np.stack([image, image]), "ZYX")
    write_array(tmp_path / "nuclei.tif", image, "YX")
    write_array(tmp_path / "stack.zarr", np.stack([image, image]), "ZYX")
    write_array(tmp_path / "truth.tif", np.stack([truth, truth]), "ZYX")
    folder = SessionFolder.create(tmp_path / "my-session")
    folder.save(SessionState(images=(ImageState(name="cells", sheet=folder.new_sheet((9, 7), np.uint16)),)))
    folder.close()
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "sessions"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.stem)
def test_the_python_on_a_page_runs(page, data_folder):
    names = {}
    for block in blocks(page, "python"):
        exec(compile(in_short(block), page.name, "exec"), names)


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.stem)
def test_the_command_lines_on_a_page_run(page, data_folder, capsys):
    for line in commands(page):
        words = shlex.split(in_short(line), comments=True)
        assert cli.run(words[1:]) == cli.DONE, f"{line}\n{capsys.readouterr().err}"


def test_train_and_predict(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train_and_predict.py", "1"])
    runpy.run_path(str(EXAMPLES / "train_and_predict.py"))
    assert "average precision" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_command_line(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", str(EXAMPLES / "command_line.sh"), "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "iou" in done.stdout
    assert len(list(tmp_path.glob("*/labels.tif"))) == 1


@pytest.mark.gui
@pytest.mark.skipif(NO_DISPLAY, reason="needs a display: install Xvfb")
def test_open_panel():
    code = f"""
import napari, runpy
napari.run = lambda: None
viewer = runpy.run_path({str(EXAMPLES / "open_panel.py")!r})["viewer"]
print(*(name.split()[0] for name in viewer.window.dock_widgets), *(layer.name for layer in viewer.layers), sep=" | ")
viewer.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Annotrain | cell stack | cell stack annotation"

"""Sessions from the command line."""

import re
import zipfile
from datetime import datetime

import numpy as np
import pytest
import tifffile

from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.listing import ELSEWHERE
from napari_annotrain.session.sheet import Rows
from napari_annotrain.session.state import ImageState, ModelState, SessionState
from napari_annotrain.store.models import save_model
from tests.command_line import annotrain
from tests.inference.test_segment import threshold_model


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session with a stroke and a model, closed."""
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "sessions"))
    folder = SessionFolder.create(tmp_path / "sessions" / "one")
    sheet, model = folder.new_sheet((9, 7), np.uint16), folder.new_model()
    folder.add_model(model, lambda path: save_model(threshold_model(), path))
    image = ImageState(name="cells", sheet=sheet, annotation="cells annotation", shape=(9, 7))
    state = SessionState(images=(image,), models=(ModelState(file=model, name="model 1"),), model=model)
    folder.save(state.model_copy(update={"changed": "2026-11-26T15:00:00"}))
    folder.write([Rows(sheet, (), 2, np.full((3, 7), 2, np.uint16))])
    folder.close()
    return folder.path


def test_sessions_are_listed_with_what_is_in_them(session, capsys):
    assert annotrain("sessions", "list") == 0
    said = capsys.readouterr().out
    assert re.search(r"cells, 2026-11-26 15:00, \d\.\d MB: 1 annotation and 1 model", said)


def test_a_session_is_removed_by_its_name_and_nothing_else_that_lies_there(session, capsys):
    (session / "notes.txt").write_text("mine")
    assert annotrain("sessions", "remove", "one") == 0
    assert capsys.readouterr().out.startswith("Removed 1 session (")
    assert [path.name for path in session.iterdir()] == ["notes.txt"]
    assert annotrain("sessions", "remove", "one") == 2
    assert "There is no session one" in capsys.readouterr().err


def test_old_sessions_go_and_newer_or_open_ones_stay(session, capsys):
    newer = SessionFolder.create(session.parent / "two")
    newer.save(newer.state.model_copy(update={"changed": datetime.now().isoformat()}))
    newer.close(clean=False)
    folder = SessionFolder.open(session)
    folder.save(folder.state.model_copy(update={"changed": "2020-02-03T10:00:00"}))
    assert annotrain("sessions", "remove", "one") == 2
    assert "one is open in a window: close it there first." in capsys.readouterr().err
    assert annotrain("sessions", "remove", "--older-than", "365") == 0
    assert capsys.readouterr().out == "There was nothing to remove; left 1 that is open.\n"
    folder.close()
    assert annotrain("sessions", "remove", "--older-than", "365") == 0
    assert [path.name for path in session.parent.iterdir()] == ["two"]
    for words in ((), ("two", "--older-than", "0"), ("--older-than", "-1")):
        assert annotrain("sessions", "remove", *words) == 2
    assert (session.parent / "two").is_dir()


def test_an_exported_session_holds_annotation_model_and_methods(session, tmp_path):
    assert annotrain("sessions", "export", str(session), str(tmp_path / "all.zip")) == 0
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        packed.extractall(tmp_path / "all")
    labels = tifffile.imread(tmp_path / "all" / "annotations" / "1 cells.tif")
    assert labels.tolist() == [[2] * 7 if 2 <= y < 5 else [0] * 7 for y in range(9)]
    assert (tmp_path / "all" / "models" / "1 model 1.safetensors").stat().st_size > 0
    assert "21 pixels in 1 image" in (tmp_path / "all" / "methods.txt").read_text()


def test_a_session_that_is_open_or_none_is_refused(session, tmp_path, capsys):
    assert annotrain("sessions", "export", str(tmp_path), str(tmp_path / "all.zip")) == 2
    assert "is no session" in capsys.readouterr().err
    folder = SessionFolder.open(session)
    assert annotrain("sessions", "export", str(session), str(tmp_path / "all.zip")) == 2
    assert "open in another window" in capsys.readouterr().err
    folder.close()
    assert not (tmp_path / "all.zip").exists()

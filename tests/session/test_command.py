"""Sessions from the command line."""

import zipfile

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
    assert "cells, 26 Nov, 15:00: 1 annotation and 1 model" in capsys.readouterr().out


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

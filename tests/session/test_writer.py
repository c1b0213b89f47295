"""The thread that writes a session: what is refused is kept, tried again, and stops nothing else."""

import numpy as np
import pytest

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.sheet import Rows
from napari_annotrain.session.state import ImageState, SessionState
from napari_annotrain.session.writer import MOST_TRIES, SessionWriter


@pytest.fixture
def folder(tmp_path):
    return SessionFolder.create(tmp_path / "session")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("napari_annotrain.session.writer.AGAIN_SECONDS", 0.02)


def begun(folder):
    """A writer, the name of its annotation, and what it says."""
    said = []
    sheet = folder.new_sheet((4, 5), np.uint8)
    writer = SessionWriter(folder, said.append)
    writer.save(SessionState(images=(ImageState(name="a", sheet=sheet),)))
    return writer, sheet, said


def paint(sheet, value):
    return [Rows(sheet, (), 0, np.full((4, 5), value, np.uint8))]


def reopened(folder, sheet):
    again = SessionFolder.open(folder.path)
    values = np.array(again.read_sheet(sheet))
    again.close()
    return values


def test_a_model_that_cannot_be_saved_keeps_no_stroke_from_the_disk(folder):
    writer, sheet, said = begun(folder)
    tried = []

    def broken(path):
        tried.append(path)
        raise RuntimeError("CUDA error")

    writer.add_model(folder.new_model(), broken)
    writer.put(paint(sheet, 3))
    assert writer.wait(30)
    assert len(tried) == MOST_TRIES
    assert "CUDA error" in said[0]
    assert writer.close(30)
    assert (reopened(folder, sheet) == 3).all()


def test_when_there_is_room_again_at_the_end_it_is_written(folder, monkeypatch):
    writer, sheet, said = begun(folder)
    assert writer.wait(30)
    write, full = SessionFolder.write, [True]

    def refuse(self, batch):
        if full[0]:
            raise AnnotrainError("The disk is full.")
        write(self, batch)

    monkeypatch.setattr(SessionFolder, "write", refuse)
    monkeypatch.setattr("napari_annotrain.session.writer.AGAIN_SECONDS", 1000)
    writer.put(paint(sheet, 9))
    while not said:
        writer.wait(0.01)
    full[0] = False
    assert writer.close(30)
    assert (reopened(folder, sheet) == 9).all()


def test_what_is_never_written_is_told_at_the_end(folder, monkeypatch):
    writer, sheet, said = begun(folder)
    assert writer.wait(30)

    def refuse(self, batch):
        raise AnnotrainError("The disk is full.")

    monkeypatch.setattr(SessionFolder, "write", refuse)
    writer.put(paint(sheet, 9))
    assert not writer.close(30)
    assert said == ["The disk is full; what you do is kept and written when that works."]


def test_of_what_waits_only_the_latest_counts(folder):
    writer, sheet, _ = begun(folder)
    for value in range(1, 100):
        writer.put(paint(sheet, value))
    assert writer.close(30)
    assert (reopened(folder, sheet) == 99).all()

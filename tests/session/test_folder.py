"""A session on the disk: whole entries or none, one process at a time, old ones open, new ones are refused in words."""

import json
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import Session
from napari_annotrain.session.folder import JOURNAL, SessionFolder
from napari_annotrain.session.journal import Journal
from napari_annotrain.session.methods import methods
from napari_annotrain.session.sheet import Rows, Sheet
from napari_annotrain.session.state import (
    FORMAT,
    ImageState,
    ModelState,
    SessionState,
    read_state,
    restore_settings,
    settings_of,
)
from napari_annotrain.specs import NetSpec, TrainSpec

SHAPE = (2, 9, 7)


def rows(value, plane=0, top=0, height=3, sheet="a"):
    return Rows(sheet, (plane,), top, np.full((height, SHAPE[-1]), value, np.uint16))


@pytest.fixture
def folder(tmp_path):
    made = SessionFolder.create(tmp_path / "session")
    yield made
    made.close()


def with_sheet(folder):
    sheet = folder.new_sheet(SHAPE, np.uint16)
    folder.save(SessionState(images=(ImageState(name="cells", sheet=sheet),)))
    return sheet


STROKES = st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 4), st.integers(1, 7), st.integers(0, 65535))


@given(st.lists(STROKES, max_size=12))
@settings(max_examples=40, deadline=None)
def test_a_sheet_is_the_array_that_was_written_to_it_directly_or_through_the_journal(tmp_path_factory, strokes):
    folder = tmp_path_factory.mktemp("sheet")
    sheet, journal = Sheet.create(folder / "a.npy", SHAPE, np.uint16), Journal(folder / "journal")
    again = Sheet.create(folder / "b.npy", SHAPE, np.uint16)
    wanted = np.zeros(SHAPE, np.uint16)
    for plane, top, left, width, value in strokes:
        wanted[plane, top : top + 3, left : left + width] = value
        part = Rows("a", (plane,), top, wanted[plane, top : top + 3, left : left + width].copy(), left)
        assert sheet.fits(part)
        sheet.write(part)
        journal.add([part])
    for (part,) in journal.entries():
        again.write(part)
    assert np.array_equal(again.read(), wanted)
    assert np.array_equal(Sheet.open(sheet.path).read(), wanted)
    assert np.array_equal(np.load(sheet.path), wanted)  # any program that knows .npy reads it


def test_what_is_changed_in_a_sheet_that_was_read_stays_in_memory(tmp_path):
    sheet = Sheet.create(tmp_path / "a.npy", SHAPE, np.uint16)
    sheet.read()[...] = 5
    assert not sheet.read().any()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_journal_that_was_cut_off_anywhere_has_its_whole_entries(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("journal") / "journal"
    journal, ends = Journal(path), [0]
    for value in range(1, 5):
        journal.add([rows(value), rows(value, plane=1, sheet="b")])
        ends.append(journal.size)
    cut = data.draw(st.integers(0, ends[-1]))
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    found = list(Journal(path).entries())
    assert len(found) == sum(end <= cut for end in ends[1:])
    for value, (one, other) in enumerate(found, 1):
        assert (one.values == value).all()
        assert (one.sheet, other.sheet, other.plane) == ("a", "b", (1,))


def test_the_journal_of_an_older_version_has_whole_rows(tmp_path):
    new, old = Journal(tmp_path / "new"), Journal(tmp_path / "old")
    new.add([rows(3)])
    body = zlib.decompress((tmp_path / "new").read_bytes()[12:])
    line, _, pixels = body.partition(b"\n")
    fields = [entry[:-1] for entry in json.loads(line)]  # format 1 said no first column
    packed = zlib.compress(json.dumps(fields).encode() + b"\n" + pixels)
    (tmp_path / "old").write_bytes(struct.pack("<QI", len(packed), zlib.crc32(packed)) + packed)
    ((found,),) = old.entries()
    assert found.left == 0
    assert np.array_equal(found.values, rows(3).values)


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_damaged_entry_is_never_taken_for_paint(tmp_path_factory, where, change):
    path = tmp_path_factory.mktemp("journal") / "journal"
    Journal(path).add([rows(3)])
    body = bytearray(path.read_bytes())
    body[where % len(body)] ^= change
    path.write_bytes(body)
    assert not list(Journal(path).entries())


def test_strokes_survive_without_closing(folder, tmp_path):
    sheet = with_sheet(folder)
    folder.write([rows(4, top=2, sheet=sheet), rows(5, plane=1, sheet=sheet)])
    folder._held.close()  # as the system does when a process ends
    again = SessionFolder.open(folder.path)
    found = again.read_sheet(sheet)
    assert (found[0, 2:5] == 4).all()
    assert (found[1, :3] == 5).all()
    assert found.sum() == 3 * 7 * (4 + 5)
    again.close()


def test_what_a_killed_process_had_begun_to_write_is_written_again(folder):
    sheet = with_sheet(folder)
    folder._journal.add([rows(8, sheet=sheet)])  # the journal has it, the sheet not yet
    folder._held.close()
    again = SessionFolder.open(folder.path)
    assert (again.read_sheet(sheet)[0, :3] == 8).all()
    assert not (folder.path / JOURNAL).exists()
    again.close()


def test_only_one_window_has_a_session(folder):
    with_sheet(folder)
    with pytest.raises(AnnotrainError, match="open in another window"):
        SessionFolder.open(folder.path)


def test_a_session_in_which_nothing_was_done_leaves_nothing(tmp_path):
    SessionFolder.create(tmp_path / "session").close()
    assert not list(tmp_path.iterdir())


def test_models_that_were_forgotten_go_and_the_others_stay(folder):
    with_sheet(folder)
    files = [folder.new_model() for _ in range(2)]
    for file in files:
        folder.add_model(file, lambda path: path.write_bytes(b"weights"))
    folder.save(folder.state.model_copy(update={"models": (ModelState(file=files[1], name="model 2"),)}))
    folder.close()
    assert [path.name for path in (folder.path / "models").iterdir()] == [files[1]]


def test_nothing_goes_that_sessions_did_not_make(tmp_path):
    """A folder that was made by hand, or unpacked from somewhere, and holds other things."""
    (tmp_path / "session.json").write_text(json.dumps({"format": FORMAT}))
    (tmp_path / "thesis.txt").write_text("chapter one")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.safetensors").write_bytes(b"weights")
    SessionFolder.open(tmp_path).close()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["mine.safetensors", "models", "session.json", "thesis.txt"]


def test_what_was_not_written_in_the_end_keeps_its_model(folder):
    with_sheet(folder)
    file = folder.new_model()
    folder.add_model(file, lambda path: path.write_bytes(b"weights"))
    folder.close(clean=False)  # the state that names it was refused
    assert folder.model_path(file).exists()


def test_a_damaged_annotation_leaves_the_others_and_its_strokes(folder):
    good, bad = folder.new_sheet(SHAPE, np.uint16), folder.new_sheet(SHAPE, np.uint16)
    folder.save(SessionState(images=(ImageState(name="a", sheet=good), ImageState(name="b", sheet=bad))))
    folder._journal.add([rows(3, sheet=good), rows(4, sheet=bad)])
    folder._held.close()
    path = folder.path / "annotations" / f"{bad}.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    again = SessionFolder.open(folder.path)
    assert (again.read_sheet(good)[0, :3] == 3).all()
    with pytest.raises(AnnotrainError, match="restore it from a copy"):
        again.read_sheet(bad)
    again.close()
    path.write_bytes(whole)  # from a copy
    mended = SessionFolder.open(folder.path)
    assert (mended.read_sheet(bad)[0, :3] == 4).all()
    mended.close()


def test_more_than_an_entry_holds_becomes_several(folder, monkeypatch):
    monkeypatch.setattr("napari_annotrain.session.folder.MOST_ENTRY", 50)
    sheet = with_sheet(folder)
    folder.write([rows(value, top=top, sheet=sheet) for value, top in ((1, 0), (2, 3), (3, 6))])
    assert len(list(folder._journal.entries())) == 3
    assert [int(folder.read_sheet(sheet)[0, y, 0]) for y in (0, 3, 6)] == [1, 2, 3]


def test_a_journal_that_could_not_be_written_hides_nothing_that_follows(tmp_path, monkeypatch):
    journal, sync = Journal(tmp_path / "journal"), os.fsync
    journal.add([rows(1)])

    def refuse(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_annotrain.session.journal.os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        journal.add([rows(2)])
    monkeypatch.setattr("napari_annotrain.session.journal.os.fsync", sync)
    journal.add([rows(3)])
    assert [int(entry[0].values[0, 0]) for entry in journal.entries()] == [1, 3]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        (json.dumps({"format": FORMAT + 1}), "newer version"),
        (json.dumps({"format": FORMAT, "images": 3}), "damaged"),
    ],
)
def test_what_is_no_session_of_ours_is_refused_in_one_sentence(tmp_path, text, words):
    (tmp_path / "session.json").write_text(text)
    with pytest.raises(AnnotrainError, match=words) as refused:
        SessionFolder.open(tmp_path)
    assert str(refused.value).endswith(".")


def test_a_folder_of_other_things_is_no_session_and_stays(tmp_path):
    (tmp_path / "thesis.txt").write_text("chapter one")
    with pytest.raises(AnnotrainError, match="is no session"):
        SessionFolder.open(tmp_path)
    with pytest.raises(AnnotrainError, match="exists already"):
        SessionFolder.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_settings_of_another_version_are_taken_as_far_as_they_are_known():
    session = Session()
    told = settings_of(Session(target="cells", train=TrainSpec(seconds=7, patch=64)))
    told |= {"colour_of_the_moon": "grey", "preset": 17}
    told["train"] |= {"optimiser": "a newer one", "invented": 1}
    restore_settings(session, told)
    assert session.target == "cells"
    assert session.preset == "fast"
    assert (session.train.seconds, session.train.patch, session.train.optimiser) == (7, 64, "adamw")


def test_settings_come_back_as_they_were():
    net = NetSpec(up="bilinear")
    before = Session(
        target="cells", net=net, train=TrainSpec(seconds=None, steps=40), class_names={0: "background", 1: "cell"}
    )
    after = Session()
    restore_settings(after, json.loads(json.dumps(settings_of(before))))
    assert settings_of(after) == settings_of(before)
    assert after.train.seconds is None
    assert after.net == net


def test_what_a_session_does_not_say_is_as_in_a_new_one():
    session = Session(net=NetSpec(up="bilinear"), keep_training=True)
    restore_settings(session, {"target": "cells"})
    assert (session.target, session.net, session.keep_training) == ("cells", None, False)


def test_the_methods_paragraph_names_what_is_not_the_u_net_of_the_paper():
    settings = {"loss": {"cross_entropy": 1, "dice": 0.5}, "schedule": "cosine"}
    card = {"target": "classes", "net": NetSpec(down="none", block="residual").model_dump()}
    said = methods(card | {"provenance": {"settings": settings}}, 1, "5 pixels", "0.1.0")
    for words in ("relative of the U-Net", "no pooling", "block residual", "1 x weighted", "0.5 x soft Dice", "cosine"):
        assert words in said
    assert "levels of pooling" not in said


#: As version 0.1.0 wrote it.
OLD = {
    "format": 1,
    "made_by": "0.1.0",
    "changed": "2026-11-26T15:00:00",
    "images": [{"name": "cells", "path": "/data/cells.tif", "shape": [9, 7], "sheet": "abc", "annotation": "strokes"}],
    "settings": {"target": "cells", "train": {"seconds": 30.0}},
    "models": [{"file": "m.safetensors", "name": "model 1", "score": 0.8}],
    "model": "m.safetensors",
}


def test_a_session_of_an_older_version_opens(tmp_path):
    (tmp_path / "session.json").write_text(json.dumps(OLD))
    state = read_state(tmp_path)
    assert state.images[0].shape == (9, 7)
    assert state.models[0].score == 0.8
    assert state.words() == "1 annotation and 1 model"


def test_the_methods_paragraph_says_what_a_reviewer_asks():
    card = {
        "target": "cells",
        "net": {"width": 16, "depth": 4},
        "provenance": {"steps": 210, "seconds": 60.0, "device": "CPU, 2 cores", "precision": "float32", "seed": 3}
        | {"base": "cells-2d", "validation_iou": 0.8123, "versions": {"torch": "2.13.0"}}
        | {"settings": {"patch": 128, "augment": {"elastic_px": 6.0}, "weights": {"border": 10.0}}},
    }
    said = methods(card, 2, "12 cells, 3,400 pixels", "0.1.0")
    for words in ("12 cells, 3,400 pixels", "2 images", "cells-2d", "210 steps", "seed 3", "6.0 px", "0.81", "torch"):
        assert words in said
    assert "Ronneberger" in methods(None, 1, "5 pixels", "0.1.0")

"""How far a prediction is, in words."""

import pytest

from napari_annotrain._napari.predict import progress as progressing
from napari_annotrain._napari.predict.progress import Progress
from napari_annotrain._napari.runs.events import Advanced, LeftOut
from napari_annotrain._qt.predict import IMAGES, STACK
from napari_annotrain.events import Note, Started


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progressing.time, "monotonic", lambda: now[0])
    return now


STARTED = Started("prediction", 4, None, "a test", "float32")


def test_one_image(clock):
    one = Progress(STACK, [])
    clock[0] += 5  # until it is loaded
    one.take(STARTED)
    clock[0] += 10
    one.take(Advanced(0, 1, 1, 4, None))
    assert one.bar() == (1, 4)
    assert one.words() == "1 of 4 · 30 s left"
    assert one.closing_words(False) == "Predicted the whole stack in 0:10."


def test_the_clock_is_started_once_for_several_images_of_any_size(clock):
    all_of_them = Progress(IMAGES, [])
    for piece, total in ((0, 2), (1, 50)):
        all_of_them.take(STARTED)
        clock[0] += 10
        all_of_them.take(Advanced(piece, 3, total, total, 7 * (piece + 1)))
    assert all_of_them.words() == "image 2 of 3 · 10 s left"
    assert all_of_them.bar() == (667, 1000)
    assert all_of_them.closing_words(False) == "Predicted all images in 0:20: 14 cells."


def test_what_was_left_out_is_said_at_the_end(clock):
    one = Progress(IMAGES, ["a was left out: it is odd."])
    one.take(Note("A note."))
    one.take(LeftOut(1, "b", "it has 3 channels."))
    words = one.closing_words(False)
    assert words.endswith("A note. a was left out: it is odd. b was left out: it has 3 channels.")

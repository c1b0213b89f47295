import numpy as np
import pytest

from napari_annotrain.metrics.corrections import count_corrections
from napari_annotrain.session import Session, shares_of, when_to_stop


def test_only_what_is_newly_annotated_counts():
    before = np.array([[1, 2, 0, 0, 0]])
    now = np.array([[1, 1, 2, 1, 0]])
    predicted = np.array([[1, 1, 1, 1, 1]])
    assert count_corrections(before, now, predicted, cells=False) == (3, 2)
    assert count_corrections(now, now, predicted, cells=False) == (0, 0)


def test_erasing_is_no_annotation():
    assert count_corrections(np.array([[2]]), np.array([[0]]), np.array([[1]]), cells=False) == (0, 0)


def test_of_cells_what_was_merged_split_or_missed_is_wrong_whatever_the_ids():
    now = np.ones((10, 40), np.int32)
    now[:, 0:10], now[:, 10:20], now[:, 25:35] = 7, 9, 4
    before = np.zeros_like(now)
    right = np.zeros_like(now)
    right[:, 0:10], right[:, 10:20], right[:, 25:35] = 30, 10, 20
    assert count_corrections(before, now, right, cells=True) == (400, 0)
    merged = np.where(right == 10, 30, right)
    assert count_corrections(before, now, merged, cells=True) == (400, 100)
    split = right.copy()
    split[:, 25:28] = 99
    assert count_corrections(before, now, split, cells=True) == (400, 30)
    assert count_corrections(before, now, np.zeros_like(now), cells=True) == (400, 300)


def test_the_sentence_says_when_to_stop():
    session = Session()
    assert when_to_stop(session.rounds) == ""
    session.add_round(1000, 400)
    assert when_to_stop(session.rounds) == "In the last round the model was wrong on 40 % of what you annotated anew."
    for wrong in (100, 20, 10, 6):
        session.add_round(1000, wrong)
    assert shares_of(session.rounds) == pytest.approx([0.4, 0.1, 0.02, 0.01, 0.006])
    assert when_to_stop(session.rounds) == (
        "In the last 3 rounds the model was wrong on 1.2 % of what you annotated anew: going on brings little."
    )
    session.add_round(1000, 300)
    assert when_to_stop(session.rounds).endswith("it still learns from you.")

import json
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from skimage.metrics import adapted_rand_error, variation_of_information

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.metrics import (
    CellCounts,
    count_cells,
    count_classes,
    pool,
    score_cells,
    score_classes,
    summarise,
)

label_images = arrays(np.int32, (6, 9), elements=st.integers(0, 5))
# truth 1: columns 0-3, truth 2: columns 4-7; the prediction finds 3 of 4 columns of 1, half of 2, and invents a 9
TRUTH = np.array([[1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0]])
FOUND = np.array([[5, 5, 5, 0, 0, 0, 7, 7, 0, 0, 9, 9]])


def matched_by_assignment(found, true, threshold):
    """Size of the largest one-to-one matching of pairs with IoU of at least the threshold, by brute force."""
    a, b = np.setdiff1d(found, 0), np.setdiff1d(true, 0)
    iou = np.array([[np.sum((found == i) & (true == j)) / np.sum((found == i) | (true == j)) for j in b] for i in a])
    good = (iou.reshape(len(a), len(b)) >= threshold - 1e-9).astype(int)
    return int(good[linear_sum_assignment(good, maximize=True)].sum())


def test_a_small_case_by_hand():
    scores = score_cells(FOUND, TRUTH)
    # IoU 3/4 and 2/4: two matches up to 0.50, one up to 0.75; three found, two true
    assert scores["ap50"] == scores["ap"]["0.50"] == 2 / 3
    assert scores["ap"]["0.55"] == scores["ap"]["0.75"] == 1 / 4
    assert scores["ap"]["0.80"] == scores["ap"]["0.95"] == 0
    assert scores["map"] == pytest.approx((2 / 3 + 5 / 4) / 10)
    assert scores["f1_50"] == 4 / 5
    assert scores["pq_50"] == pytest.approx((0.75 + 0.5) / (2 + 0.5))
    # exactly half of truth 2 is covered, which is not more than half
    assert scores["seg"] == 0.75 / 2


def test_all_thresholds_are_named():
    assert list(score_cells(FOUND, TRUTH)["ap"]) == [f"0.{n}" for n in range(50, 100, 5)]


def test_two_halves_of_an_object_at_one_half_match_once():
    halves, whole = np.array([[1, 1, 2, 2]]), np.array([[7, 7, 7, 7]])
    for found, true in ((halves, whole), (whole, halves)):
        scores = score_cells(found, true)
        assert scores["ap50"] == 1 / 2
        assert scores["pq_50"] == pytest.approx(0.5 / 1.5)


@given(label_images, label_images)
@settings(max_examples=40, deadline=None)
def test_matching_is_the_largest_one_to_one(found, true):
    matched = count_cells(found, true).matched
    assert [matched_by_assignment(found, true, k / 20) for k in range(10, 20)] == list(matched)


@given(label_images, label_images)
@settings(max_examples=40, deadline=None)
def test_rand_and_variation_of_information_agree_with_scikit_image(found, true):
    scores = score_cells(found, true)
    if not true.any():
        assert scores["rand_error"] is scores["vi_split"] is scores["vi_merge"] is None
        return
    with np.errstate(invalid="ignore", divide="ignore"):  # it also divides for a precision that is not asked here
        rand_error, _, _ = adapted_rand_error(true, found, ignore_labels=(0,))
        split, merge = variation_of_information(true, found, ignore_labels=(0,))
    assert scores["vi_split"] == pytest.approx(split, abs=1e-9)
    assert scores["vi_merge"] == pytest.approx(merge, abs=1e-9)
    if scores["rand_error"] is None:
        assert np.isnan(rand_error)
    else:
        assert scores["rand_error"] == pytest.approx(rand_error, abs=1e-9)


@given(label_images)
@settings(max_examples=40, deadline=None)
def test_a_perfect_prediction_is_perfect(true):
    scores = score_cells(true, true)
    assert all(value == 1 for value in scores["ap"].values())
    assert scores["map"] == scores["f1_50"] == scores["pq_50"] == 1
    assert scores["seg"] == (1 if true.any() else None)
    assert scores["rand_error"] in (0, None)
    assert not scores["vi_split"]
    assert not scores["vi_merge"]
    assert set(score_classes(true, true)["iou"].values()) <= {1, None}


@given(label_images, label_images, st.permutations([1, 2, 3, 4, 5]))
@settings(max_examples=40, deadline=None)
def test_the_names_of_objects_do_not_matter(found, true, names):
    renamed = np.array([0, *names])[found] * 1_000_003
    assert astuple(count_cells(renamed, true))[1:] == pytest.approx(astuple(count_cells(found, true))[1:])
    assert count_cells(renamed, true).matched == count_cells(found, true).matched


@given(label_images, label_images)
@settings(max_examples=40, deadline=None)
def test_pooling_equals_images_side_by_side(found, true):
    here, there = count_cells(found, true), count_cells(true, found)
    beside = count_cells(
        # the predicted background is a segment of each image to Rand and VI, so it must not be one of both
        np.hstack([np.where(found == 0, 50, found), np.where(true == 0, 60, true + 10)]),
        np.hstack([true, np.where(found > 0, found + 10, 0)]),
    )
    pooled = pool([here, there])
    assert (pooled.pairs_both, pooled.pairs_predicted, pooled.pairs_true, pooled.pixels) == (
        beside.pairs_both,
        beside.pairs_predicted,
        beside.pairs_true,
        beside.pixels,
    )
    assert pooled.split_bits == pytest.approx(beside.split_bits)
    assert pooled.merge_bits == pytest.approx(beside.merge_bits)
    assert pooled.n_true == beside.n_true


def test_three_equal_images_pool_and_average_to_one():
    one = count_cells(FOUND, TRUTH)
    summary = summarise({"a": one, "b": one, "c": one})
    assert list(summary["images"]) == ["a", "b", "c"]
    for scores in (summary["mean"], summary["pooled"]):
        assert scores.keys() == one.scores().keys()
        for key, value in one.scores().items():
            assert scores[key] == pytest.approx(value), key


def test_pooled_weighs_objects_and_mean_weighs_images():
    perfect = count_cells(np.array([[1, 0]]), np.array([[1, 0]]))
    missed = count_cells(np.zeros((1, 6), int), np.array([[1, 0, 2, 0, 3, 0]]))
    summary = summarise({"perfect": perfect, "missed": missed})
    assert summary["mean"]["ap50"] == 1 / 2
    assert summary["pooled"]["ap50"] == summary["pooled"]["seg"] == 1 / 4


def test_undefined_scores_are_left_out_of_the_mean():
    nothing = np.zeros((3, 3), int)
    empty, half = count_cells(nothing, nothing), count_cells(FOUND, TRUTH)
    assert empty.scores()["ap50"] == empty.scores()["f1_50"] == empty.scores()["pq_50"] == 1
    assert empty.scores()["seg"] is None
    summary = summarise({"empty": empty, "half": half})
    assert summary["mean"]["seg"] == half.scores()["seg"]
    assert summarise({"empty": empty})["mean"]["vi_split"] is None


def test_one_side_empty_scores_zero():
    nothing = np.zeros_like(TRUTH)
    assert score_cells(nothing, TRUTH)["ap50"] == score_cells(TRUTH, nothing)["ap50"] == 0
    assert score_cells(nothing, TRUTH)["seg"] == 0
    assert score_cells(TRUTH, nothing)["seg"] is None


def test_small_objects_vanish_on_both_sides():
    counts = count_cells(FOUND, TRUTH, min_size=3)
    assert (counts.n_predicted, counts.n_true) == (1, 2)
    assert count_cells(FOUND, TRUTH, min_size=5) == CellCounts()
    # what vanished from the prediction is background to Rand and VI: one segment with the background proper
    cleaned = np.where(FOUND == 5, 5, 0)
    assert counts == count_cells(cleaned, TRUTH)


def test_an_object_is_one_however_far_apart_its_planes():
    true = np.zeros((3, 4, 4), np.uint16)
    true[:, 1:3, 1:3] = 4
    planes = np.arange(1, 4)[:, None, None] * (true > 0)
    assert score_cells(true, true)["ap50"] == 1
    assert score_cells(planes, true)["ap50"] == 0
    assert score_cells(planes, true)["vi_split"] == pytest.approx(np.log2(3))


def test_huge_ids_and_every_integer_type():
    found = np.where(FOUND > 0, FOUND.astype(np.uint64) + 2**60, 0).astype(np.uint64)
    assert count_cells(found, TRUTH.astype(np.uint8)) == count_cells(FOUND, TRUTH)
    assert count_cells(TRUTH > 1, TRUTH > 1).n_true == 1
    assert count_cells(FOUND.astype(np.float32), TRUTH) == count_cells(FOUND, TRUTH)


def test_classes_by_hand():
    found, true = np.array([[0, 0, 1, 1, 3]]), np.array([[0, 1, 1, 1, 1]])
    assert score_classes(found, true) == {
        "iou": {"0": 1 / 2, "1": 2 / 4, "3": 0},
        "dice": {"0": 2 / 3, "1": 4 / 6, "3": 0},
    }


def test_background_is_named_even_where_it_does_not_occur():
    ones = np.ones((2, 2), int)
    assert score_classes(ones, ones) == {"iou": {"0": None, "1": 1}, "dice": {"0": None, "1": 1}}


def test_every_image_names_every_class():
    one, two = np.array([[0, 1]]), np.array([[0, 2]])
    summary = summarise({"one": count_classes(one, one), "two": count_classes(two, one)})
    assert summary["images"]["one"]["iou"] == {"0": 1, "1": 1, "2": None}
    assert summary["mean"]["iou"] == {"0": 1, "1": 1 / 2, "2": 0}
    assert summary["pooled"]["iou"] == {"0": 1, "1": 1 / 2, "2": 0}
    assert summary["pooled"]["dice"]["1"] == 2 / 3


@pytest.mark.parametrize("count", [count_cells, count_classes])
@pytest.mark.parametrize(
    ("found", "words"),
    [
        (np.zeros((2, 3), int), "2 x 3"),
        (np.full((2, 2), 0.5), "fractions"),
        (np.full((2, 2), np.nan), "fractions"),
        (np.full((2, 2), -1), "negative"),
        (np.full((2, 2), "a"), "fractions"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(count, found, words):
    with pytest.raises(AnnotrainError, match=words) as error:
        count(found, np.zeros((2, 2), int))
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_nothing_to_summarise():
    with pytest.raises(AnnotrainError, match="nothing to evaluate"):
        summarise({})


def test_no_pixels_at_all():
    none = np.zeros((0, 5), int)
    assert score_cells(none, none)["ap50"] == 1
    assert score_classes(none, none)["iou"] == {"0": None}


def test_the_summary_is_plain_json():
    cells = summarise({"a": count_cells(FOUND.astype(np.uint16), TRUTH.astype(np.uint8))})
    classes = summarise({"a": count_classes(FOUND.astype(np.uint16), TRUTH.astype(np.uint8))})
    for summary in (cells, classes):
        assert json.loads(json.dumps(summary)) == summary

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.metrics.changes import GONE, NEW, compare_cells, compare_classes


def cells(*boxes, shape=(60, 60)):
    labels = np.zeros(shape, np.int32)
    for k, (y, x, height, width) in enumerate(boxes, 1):
        labels[y : y + height, x : x + width] = k
    return labels


def test_new_pixels_are_new_and_lost_ones_gone():
    before, after = np.array([[0, 1, 1, 2]]), np.array([[1, 1, 0, 1]])
    changes = compare_classes(before, after)
    assert changes.map.tolist() == [[NEW, 0, GONE, NEW]]
    assert (changes.n_new, changes.n_gone) == (2, 1)


def test_a_cell_whose_outline_has_moved_is_the_same_and_is_not_coloured():
    before, after = cells((10, 10, 20, 20), (40, 5, 10, 10)), cells((40, 5, 10, 10), (11, 12, 20, 19))
    changes = compare_cells(before, after)
    assert not changes.map.any()
    assert changes.in_words().startswith("Nothing has changed")


def test_a_cell_that_overlaps_no_more_than_half_is_another_one():
    before, after = cells((10, 10, 10, 10)), cells((10, 15, 10, 10))
    changes = compare_cells(before, after)
    assert (changes.n_new, changes.n_gone) == (1, 1)
    assert (changes.map[10:20, 10:15] == GONE).all()
    assert (changes.map[10:20, 15:25] == NEW).all()


def test_the_parts_of_a_split_cell_are_new_and_a_swallowed_cell_is_gone():
    split = compare_cells(cells((10, 10, 10, 20)), cells((10, 10, 10, 9), (10, 20, 10, 10)))
    assert (split.n_new, split.n_gone) == (2, 1)
    swallowed = compare_cells(cells((10, 10, 20, 20), (10, 30, 20, 4)), cells((10, 10, 20, 24)))
    assert (swallowed.n_new, swallowed.n_gone) == (0, 1)
    assert (swallowed.map[10:30, 30:34] == GONE).all()
    assert (swallowed.map == GONE).sum() == 80
    assert swallowed.in_words() == "0 cells are new (green), 1 is gone (red)"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_what_is_gone_one_way_is_new_the_other_way_whatever_the_ids(seed):
    rng = np.random.default_rng(seed)
    before, after = (cells(*rng.integers(1, 40, (6, 4))) for _ in range(2))
    forth, back = compare_cells(before, after), compare_cells(after, before)
    assert (forth.n_new, forth.n_gone) == (back.n_gone, back.n_new)
    shuffled = rng.permutation(np.arange(1, 90))[after] * (after > 0)
    assert np.array_equal(compare_cells(before, shuffled).map, forth.map)
    assert not compare_cells(after, shuffled).map.any()


@pytest.mark.parametrize("compare", [compare_cells, compare_classes])
def test_two_empty_places_are_the_same(compare):
    empty = np.zeros((1, 1, 5, 5), np.uint8)
    assert not compare(empty, empty).map.any()

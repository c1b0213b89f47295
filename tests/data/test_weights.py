import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage as ndi

from napari_annotrain.data.weights import (
    IGNORE,
    balance_classes,
    border_weights,
    cell_borders,
    cell_distances,
    cell_targets,
    class_borders,
    class_targets,
)
from napari_annotrain.specs import WeightSpec


def two_squares(gap):
    """Two cells (annotation values 2 and 3) with `gap` columns of background between them."""
    labels = np.ones((20, 30 + gap), np.int32)
    labels[5:15, 5:15] = 2
    labels[5:15, 15 + gap : 25 + gap] = 3
    return labels


def test_targets_follow_the_values_and_ignore_the_rest():
    assert class_targets(np.array([[0, 1, 5, 9]]), [1, 5]).tolist() == [[IGNORE, 0, 1, IGNORE]]


def test_a_huge_value_costs_no_memory():
    assert class_targets(np.array([[0, 1, 2**30]]), [1, 2**30]).tolist() == [[IGNORE, 0, 1]]


def test_touching_cells_get_one_pixel_of_background_between_them():
    target = cell_targets(two_squares(0))
    assert (target[5:15, 5:25] == 0).sum() == 10
    assert ndi.label(target == 1)[1] == 2


def test_border_weight_is_the_papers_formula():
    spec = WeightSpec(border=10, sigma_px=5)
    labels = two_squares(4)
    weight = border_weights(labels - 1, labels == 1, spec)
    # in the second of four gap columns: 2 px to the left cell, 3 px to the right one
    assert weight[10, 16] == pytest.approx(10 * np.exp(-((2 + 3) ** 2) / 50))
    assert weight[10, 10] == 0
    assert weight[0, 0] < 0.2


@given(st.integers(1, 12))
def test_border_weight_falls_with_the_gap(gap):
    spec = WeightSpec()
    near, far = (border_weights(two_squares(g) - 1, two_squares(g) == 1, spec).max() for g in (gap, gap + 1))
    assert near > far


def test_border_weight_needs_two_objects():
    labels = np.ones((20, 20), np.int32)
    labels[5:15, 5:15] = 2
    assert not border_weights(labels - 1, labels == 1, WeightSpec()).any()


def test_unpainted_pixels_have_no_border_weight():
    labels = two_squares(4)
    labels[labels == 1] = 0
    target = cell_targets(labels)
    assert not cell_borders(labels, target, WeightSpec()).any()


def test_cells_and_classes_agree_where_cells_do_not_touch():
    labels = two_squares(3)
    by_cell = cell_borders(labels, cell_targets(labels), WeightSpec())
    by_class = class_borders(class_targets(np.minimum(labels, 2), [1, 2]), 2, WeightSpec())
    assert np.allclose(by_cell[labels == 1], by_class[labels == 1])


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=5), st.floats(0, 1))
def test_class_weights_have_mean_one_over_the_pixels_and_favour_the_rare(counts, balance):
    weight = balance_classes(counts, WeightSpec(balance=balance))
    assert np.average(weight, weights=counts) == pytest.approx(1, rel=1e-4)
    assert weight[np.argmin(counts)] >= weight[np.argmax(counts)] - 1e-6


def test_two_strokes_are_not_taken_for_two_objects():
    strokes = np.zeros((20, 30), np.int32)
    strokes[8:12, 4:10] = strokes[8:12, 16:22] = 2
    strokes[8:12, 12:14] = 1
    target = class_targets(strokes, [1, 2])
    assert not class_borders(target, 2, WeightSpec()).any()
    complete = class_targets(np.maximum(strokes, 1), [1, 2])
    assert class_borders(complete, 2, WeightSpec())[10, 13] > 1


def test_the_cell_distance_is_highest_in_the_middle_of_every_cell_whatever_its_size():
    labels = np.ones((40, 60), np.int32)
    labels[10:15, 5:10], labels[10:25, 20:35] = 2, 10**6
    distance = cell_distances(labels, cell_targets(labels))
    assert not distance[labels == 1].any()
    for cell, middle in ((2, (12, 7)), (10**6, (17, 27))):
        assert distance[middle] == distance[labels == cell].max() == 1
        assert (distance[labels == cell] > 0).all()


def test_the_cell_distance_saturates_so_that_a_neck_between_wide_places_is_no_border():
    labels = np.ones((100, 200), np.int32)
    labels[10:90, 10:80] = labels[10:90, 120:190] = labels[38:62, 60:140] = 2
    distance = cell_distances(labels, cell_targets(labels))
    assert distance[50, 45] == distance[50, 100] == 1


def test_touching_cells_each_have_a_summit_and_a_valley_between():
    labels = np.ones((30, 40), np.int32)
    labels[5:25, 5:20], labels[5:25, 20:35] = 2, 3
    middle = cell_distances(labels, cell_targets(labels))[15]
    assert middle[12] == 1
    assert middle[27] == 1
    assert middle[19:21].min() < 0.2

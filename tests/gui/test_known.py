"""What is known of a prediction layer, compared with a layer of which every pixel remembers its run."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain._napari.predict.known import MOST_BOXES, Known, without

SHAPE = (1, 2, 6, 7)
OF = (object(), "classes")


@st.composite
def boxes(draw):
    starts = [draw(st.integers(0, n - 1)) for n in SHAPE]
    return tuple(slice(a, draw(st.integers(a + 1, n))) for a, n in zip(starts, SHAPE, strict=True))


def filled(known, region, cells=False, of=OF):
    known.begin(of, region, cells)
    known.finish(of, region)


@given(boxes(), boxes())
def test_what_is_outside_is_cut_into_boxes_that_do_not_overlap(region, box):
    count = np.zeros(SHAPE, int)
    for part in without(region, box):
        count[part] += 1
    expected = np.zeros(SHAPE, int)
    expected[region] = 1
    expected[box] = 0
    assert np.array_equal(count, expected)


@given(st.lists(boxes(), max_size=6), boxes())
def test_of_classes_all_that_any_run_filled_is_known(runs, view):
    known, mask = Known(), np.zeros(SHAPE, bool)
    for run in runs:
        filled(known, run)
        mask[run] = True
    missing = known.missing(OF, view, cells=False)
    if missing is None:
        assert mask[view].all()
        return
    mask[missing] = True
    assert mask[view].all()
    assert all(v.start <= m.start < m.stop <= v.stop for m, v in zip(missing, view, strict=True))


@given(st.lists(boxes(), max_size=6), boxes())
def test_of_cells_a_view_is_known_where_one_run_filled_it_last(runs, view):
    known, last = Known(), np.full(SHAPE, -1)
    for i, run in enumerate(runs):
        filled(known, run, cells=True)
        last[run] = i
    missing = known.missing(OF, view, cells=True)
    assert missing in (None, view)
    if missing is None:
        assert len(np.unique(last[view])) == 1
        assert last[view].min() >= 0


ALL = tuple(slice(0, n) for n in SHAPE)


def test_nothing_is_known_of_another_model_image_or_layer():
    known = Known()
    filled(known, ALL)
    assert known.missing(OF, ALL, cells=False) is None
    assert known.missing((object(), "classes"), ALL, cells=False) == ALL
    assert known.missing((OF[0], "cells"), ALL, cells=True) == ALL
    filled(known, ALL, of=(object(), "classes"))
    assert known.missing(OF, ALL, cells=False) == ALL


def test_a_run_that_was_forgotten_meanwhile_counts_for_nothing():
    known = Known()
    known.begin(OF, ALL, cells=False)
    known.forget()
    known.finish(OF, ALL)
    assert known.missing(OF, ALL, cells=False) == ALL


def test_a_run_of_cells_that_does_not_end_leaves_nothing_known_where_it_wrote():
    known = Known()
    filled(known, ALL, cells=True)
    known.begin(OF, (slice(0, 1), slice(0, 1), slice(2, 4), slice(2, 4)), cells=True)
    assert known.missing(OF, ALL, cells=True) == ALL
    assert known.missing(OF, (slice(0, 1), slice(1, 2), *ALL[2:]), cells=True) is None


def test_no_more_is_remembered_than_can_be_looked_through_quickly():
    known = Known()
    for i in range(2 * MOST_BOXES):
        filled(known, (slice(i, i + 1), slice(0, 1), slice(0, 5), slice(0, 5)))
    assert len(known._boxes) == MOST_BOXES
    assert known.missing(OF, (slice(i, i + 1), slice(0, 1), slice(1, 5), slice(0, 5)), cells=False) is None

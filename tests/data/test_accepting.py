"""Accepting a prediction: what was painted stays, what was open becomes what is predicted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage as ndi

from napari_annotrain.data.accepting import RING_PX, accept_cells, accept_classes, accept_object

SHAPE = st.shared(st.tuples(st.integers(1, 10), st.integers(1, 10)), key="shape")
PAINTED = SHAPE.flatmap(lambda s: arrays(np.uint16, s, elements=st.integers(0, 4)))
PREDICTED = SHAPE.flatmap(lambda s: arrays(np.int32, s, elements=st.integers(0, 3)))
WHERE = SHAPE.flatmap(lambda s: arrays(bool, s))


@given(PAINTED, PREDICTED, WHERE)
def test_classes_take_every_open_pixel_of_the_area_and_no_other(painted, predicted, where):
    after = accept_classes(painted, predicted, where)
    open_ = where & (painted == 0)
    assert (after[~open_] == painted[~open_]).all()
    assert (after[open_] == predicted[open_] + 1).all()


@given(PAINTED, PREDICTED, WHERE)
def test_cells_never_overwrite_and_ids_are_unique(painted, predicted, where):
    after = accept_cells(painted, predicted, where, 10)
    open_ = where & (painted == 0)
    assert (after[~open_] == painted[~open_]).all()
    assert (after[open_ & (predicted == 0)] == 1).all()
    new = np.unique(after[after >= 10])
    assert new.tolist() == list(range(10, 10 + len(new)))  # free ids, one after the other
    for value in new:  # each is one piece of one predicted cell
        assert len(np.unique(predicted[after == value])) == 1
        assert ndi.label(after == value, np.ones((3, 3)))[1] == 1
    grown = (after != painted) & (after > 1) & (after < 10)
    for y, x in np.argwhere(grown):  # what a painted cell has gained belongs to a predicted cell it was painted in
        inside = painted[predicted == predicted[y, x]]
        assert set(inside[inside > 1]) == {after[y, x]}


@given(PAINTED, PREDICTED, WHERE)
def test_accepting_twice_changes_nothing_more(painted, predicted, where):
    once = accept_cells(painted, predicted, where, 10)
    assert (accept_cells(once, predicted, where, 100) == once).all()


def test_the_picture_in_the_docstring():
    painted = np.zeros((1, 20), np.uint16)
    painted[0, 6], painted[0, 11], painted[0, 13], painted[0, 17] = 2, 2, 3, 1
    predicted = np.repeat([1, 2, 3, 4], 5)[None].astype(np.int32)
    after = accept_cells(painted, predicted, np.ones((1, 20), bool), 9)[0]
    assert after[:5].tolist() == [9] * 5
    assert after[5:10].tolist() == [2] * 5
    assert after[10:15].tolist() == [0, 2, 0, 3, 0]
    assert after[15:].tolist() == [10, 10, 1, 11, 11]


def row(*values):
    return np.array([values])


def accept_row(painted, predicted):
    return accept_cells(row(*painted), row(*predicted), np.ones((1, len(painted)), bool), 9)[0].tolist()


def test_a_stroke_that_spills_into_the_next_predicted_cell_does_not_take_it():
    assert accept_row([0, 2, 2, 2, 0], [5, 5, 5, 6, 6]) == [2, 2, 2, 2, 2]  # half of it: no cell of its own is left
    assert accept_row([2, 2, 2, 0, 0], [5, 5, 6, 6, 6]) == [2, 2, 2, 9, 9]
    assert accept_row([0, 2, 2, 2, 0, 0], [5, 5, 5, 6, 6, 6]) == [2, 2, 2, 2, 9, 9]
    assert accept_row([2, 2, 2, 2, 0, 0], [0, 0, 0, 6, 6, 6]) == [2, 2, 2, 2, 9, 9]  # of a cell that was missed
    assert accept_row([0, 0, 2, 2, 0, 0], [5, 5, 5, 6, 6, 6]) == [2] * 6  # painted across both


def test_several_pieces_of_what_is_left_are_several_cells():
    assert accept_row([2, 2, 2, 2, 2, 0, 2, 0, 0], [4, 4, 4, 4, 5, 5, 5, 5, 5]) == [2, 2, 2, 2, 2, 9, 2, 10, 10]


def test_the_other_half_of_a_cell_takes_its_id_when_the_view_moves_on():
    predicted = np.zeros((4, 12), np.int32)
    predicted[1:3, 2:10] = 7
    left, right = np.arange(12) < 6, np.arange(12) >= 6
    painted = accept_cells(np.zeros((4, 12), np.uint16), predicted, np.broadcast_to(left, (4, 12)), 2)
    after = accept_cells(painted, predicted, np.broadcast_to(right, (4, 12)), 3)
    assert (after == np.where(predicted == 7, 2, 1)).all()


@given(PAINTED, PREDICTED, st.data())
def test_an_object_comes_with_a_thin_ring_and_nothing_far(painted, predicted, data):
    seed = data.draw(st.tuples(*(st.integers(0, n - 1) for n in predicted.shape)))
    single_cells = data.draw(st.booleans())
    after = accept_object(painted, predicted, seed, single_cells, 10)
    changed = after != painted
    assert (painted[changed] == 0).all()
    if predicted[seed] == 0:
        assert not changed.any()
        return
    own = predicted == predicted[seed]
    far = ndi.distance_transform_cdt(~own, "chessboard") > RING_PX if own.any() else own
    assert not changed[far].any()
    assert not (changed & ~own & (predicted > 0)).any()  # nothing of other objects
    assert (after[changed & ~own] == 1).all()


def test_of_classes_the_object_is_what_hangs_together():
    predicted = np.zeros((9, 30), np.uint8)
    predicted[3:6, 3:6] = predicted[3:6, 20:23] = 2
    after = accept_object(np.zeros((9, 30), np.uint8), predicted, (4, 4), False, 10)
    assert (after[3:6, 3:6] == 3).all()
    assert (after[:, 12:] == 0).all()
    assert (after == 1).sum() == 9 * 9 - 9

"""Correcting cells: what is meant changes, nothing else does, and ids stay unique."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage as ndi

from napari_annotrain.objects import edits

PLANES = arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 5))
POINT = st.tuples(st.floats(-3, 14), st.floats(-3, 14))
PATHS = st.lists(POINT, min_size=2, max_size=5).map(np.array)


def applied(plane, edit):
    changed = plane.copy()
    if edit is not None:
        changed[edit.box] = edit.values
    return changed


def disc(shape=(20, 24), centre=(10, 12), radius=7):
    y, x = np.indices(shape)
    return ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2).astype(np.uint16) * 5


@given(PLANES, st.integers(0, 6), st.integers(0, 6))
def test_merging_moves_one_cell_and_nothing_else(plane, kept, other):
    merged = applied(plane, edits.merge(plane, kept, other))
    if kept == other or min(kept, other) < 2:
        assert (merged == plane).all()
        return
    assert not (merged == other).any()
    assert ((merged == kept) == np.isin(plane, [kept, other])).all()
    rest = ~np.isin(plane, [kept, other])
    assert (merged[rest] == plane[rest]).all()


@given(PLANES, PATHS)
def test_splitting_changes_one_cell_loses_no_pixel_and_is_taken_back_by_merging(plane, path):
    edit = edits.split(plane, path, 10)
    after = applied(plane, edit)
    if edit is None:
        return
    cell = edits.cell_under(plane, path)
    own = plane == cell
    assert (after[~own] == plane[~own]).all()
    new = set(np.unique(after[own]).tolist())
    assert cell in new
    assert new - {cell} == set(range(10, 10 + len(new) - 1))
    assert len(new) >= 2
    sizes = {value: int((after == value).sum()) for value in new}
    assert sizes[cell] == max(sizes.values())
    for value in new - {cell}:
        after = applied(after, edits.merge(after, cell, value))
    assert (after == plane).all()


@given(PLANES, PATHS)
def test_a_line_that_only_notches_a_cell_does_not_split_it(plane, path):
    edit = edits.split(plane, path, 10)
    if edit is None:
        return
    new = applied(plane, edit)
    cell = edits.cell_under(plane, path)
    on = np.zeros(plane.shape, bool)
    on[edits._line(path, plane.shape)] = True
    _, before = ndi.label(plane == cell, np.ones((3, 3)))
    left = ndi.label((plane == cell) & ~on, np.ones((3, 3)))[1]
    assert left > 1
    assert len(np.unique(new[plane == cell])) <= left + before


@pytest.mark.parametrize("end", [(19, 12), (19, 23), (19, 3)])
def test_a_line_across_a_disc_gives_two_halves_that_are_whole(end):
    plane = disc()
    after = applied(plane, edits.split(plane, np.array([(0, 12), end], float), 6))
    assert set(np.unique(after)) == {0, 5, 6}
    for value in (5, 6):
        assert ndi.label(after == value, np.ones((3, 3)))[1] == 1
    assert ((after > 0) == (plane > 0)).all()


def test_new_ids_may_be_larger_than_the_type_of_the_plane():
    plane = disc().astype(np.uint8)
    edit = edits.split(plane, np.array([(0, 12), (19, 12)], float), 256)
    assert set(np.unique(edit.values)) == {0, 5, 256}


def test_a_line_that_ends_inside_the_cell_is_refused():
    assert edits.split(disc(), np.array([(0, 12), (10, 12)], float), 6) is None


def test_a_line_beside_all_cells_and_beyond_the_image_is_refused():
    assert edits.split(disc(), np.array([(0, 0), (-5, -5)], float), 6) is None
    assert edits.split(disc(), np.array([(-5, 0), (-5, 30)], float), 6) is None


@given(PLANES, st.integers(0, 6), st.sampled_from([0, 1]))
def test_removing_changes_one_cell_only(plane, cell, instead):
    after = applied(plane, edits.remove(plane, cell, instead))
    expected = np.where((plane == cell) & (cell > 1), instead, plane)
    assert (after == expected).all()


@given(PLANES, st.integers(0, 6))
def test_filling_holes_takes_nothing_from_other_cells(plane, cell):
    after = applied(plane, edits.fill_holes(plane, cell))
    changed = after != plane
    assert (plane[changed] <= 1).all()
    assert (after[changed] == cell).all()
    if cell > 1 and (plane == cell).any():
        holes = ndi.binary_fill_holes(plane == cell)
        assert (after[holes & (plane <= 1)] == cell).all()
    else:
        assert not changed.any()


def test_a_ring_is_filled_but_not_the_cell_in_it():
    plane = disc()
    plane[8:13, 10:15] = 0
    plane[10, 12] = 9
    after = applied(plane, edits.fill_holes(plane, 5))
    assert after[10, 12] == 9
    assert (after == 5).sum() == (disc() == 5).sum() - 1


def test_cells_that_touch_at_a_corner_are_not_apart():
    plane = np.array([[2, 0, 0], [0, 3, 0], [0, 0, 0]], np.uint16)
    assert not edits.are_apart(plane, 2, 3)
    assert edits.are_apart(np.roll(plane, 1, 1) * (np.arange(3) != 1), 2, 3)

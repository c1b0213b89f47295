"""Ids of cells stay apart, whatever is predicted after what."""

import numpy as np
import pytest

from napari_annotrain._napari.annotate.cell_ids import CellIds


def box(z, rows=slice(0, 4)):
    return (slice(0, 1), slice(z, z + 1), rows, slice(0, 4))


def plane(first, n_rows=4):
    """One cell a row."""
    return np.repeat(np.arange(first, first + n_rows), 4).reshape(1, 1, n_rows, 4).astype(np.int32)


def ids_by_plane(canvas):
    return [set(np.unique(one).tolist()) - {0} for one in canvas[0]]


@pytest.fixture
def canvas():
    return np.zeros((1, 3, 4, 4), np.int32)


def test_planes_predicted_one_by_one_share_no_id(canvas):
    ids = CellIds()
    for z in range(3):
        with ids.writing(canvas, box(z)) as write:
            write(box(z), plane(1))
    assert ids_by_plane(canvas) == [{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}]


def test_predicting_again_gives_the_ids_again_so_that_they_stay_small(canvas):
    ids = CellIds()
    for _ in range(50):
        with ids.writing(canvas, box(0)) as write:
            write(box(0), plane(1))
    assert ids_by_plane(canvas)[0] == {1, 2, 3, 4}


def test_what_is_partly_seen_again_gets_ids_above_what_stays(canvas):
    ids = CellIds()
    for rows in (slice(0, 3), slice(2, 4)):
        part = box(0, rows)
        with ids.writing(canvas, part) as write:
            write(part, plane(1, rows.stop - rows.start))
    assert canvas[0, 0, :, 0].tolist() == [1, 2, 4, 5]


def test_the_whole_stack_starts_from_one(canvas):
    ids = CellIds()
    with ids.writing(canvas, box(1)) as write:
        write(box(1), plane(1))
    with ids.writing(canvas, None) as write:
        for z in range(3):
            write(box(z), plane(1 + 4 * z))
    assert ids_by_plane(canvas) == [{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}]


def test_a_cancelled_run_leaves_ids_of_their_own_to_what_it_did_not_reach(canvas):
    ids = CellIds()
    with ids.writing(canvas, None) as write:
        for z in range(3):
            write(box(z), plane(1 + 4 * z))
    with ids.writing(canvas, None) as write:
        write(box(0), plane(1) * 2)  # 2, 4, 6, 8: two of them were plane 1's
    by_plane = ids_by_plane(canvas)
    assert by_plane[0] == {2, 4, 6, 8}
    assert [len(one) for one in by_plane] == [4, 4, 4]
    assert len(set.union(*by_plane)) == 12
    with ids.writing(canvas, box(1)) as write:  # and what comes after knows of it
        write(box(1), plane(1))
    assert len(set.union(*ids_by_plane(canvas))) == 12


def test_a_plane_without_cells_takes_no_ids(canvas):
    ids = CellIds()
    for z in range(2):
        with ids.writing(canvas, box(z)) as write:
            write(box(z), plane(1) * (z > 0))
    assert ids_by_plane(canvas)[1] == {1, 2, 3, 4}

"""In which order tiles come; a plane of 3 x 3 tiles of 10 px:

0 1 2
3 4 5
6 7 8
"""

from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.inference.nearest import nearest_first
from napari_annotrain.tiles.grid import Tile


def tiles_of(t=0, z=0):
    boxes = [(slice(y, y + 10), slice(x, x + 10)) for y in (0, 10, 20) for x in (0, 10, 20)]
    return [Tile(box, box, box) for box in boxes]


def names(run):
    return [(t, z, tiles_of().index(tile)) for t, z, tile in run]


PLANES = [(t, z) for t in range(2) for z in range(3)]
looks = st.one_of(st.none(), st.tuples(st.integers(0, 1), st.integers(0, 2), st.floats(0, 30), st.floats(0, 30)))


@given(st.lists(looks, min_size=1), st.booleans())
def test_every_tile_comes_once_wherever_somebody_looks(places, whole_planes):
    steps = iter(places * 60)
    found = names(nearest_first(PLANES, tiles_of, lambda: next(steps), whole_planes))
    assert sorted(found) == [(t, z, k) for t, z in PLANES for k in range(9)]
    if whole_planes:
        planes = [(t, z) for t, z, _ in found]
        assert [planes[i : i + 9] for i in range(0, 54, 9)] == [[p] * 9 for p in dict.fromkeys(planes)]


def test_where_nobody_looks_they_come_in_order():
    assert names(nearest_first(PLANES, tiles_of, lambda: None)) == [(t, z, k) for t, z in PLANES for k in range(9)]


def test_the_shown_plane_comes_first_outwards_from_what_is_seen():
    found = names(nearest_first(PLANES, tiles_of, lambda: (1, 1, 15, 25)))
    assert {(t, z) for t, z, _ in found[:9]} == {(1, 1)}
    assert found[0] == (1, 1, 5)
    assert found[8] == (1, 1, 3) or found[8][2] in (0, 3, 6)
    assert {(t, z) for t, z, _ in found[9:36]} == {(0, 1), (1, 0), (1, 2)}


def test_scrolling_reorders_what_is_left():
    look = [(0, 0, 5, 5)]
    run = nearest_first(PLANES, tiles_of, lambda: look[0])
    assert names([next(run), next(run)])[0] == (0, 0, 0)
    look[0] = (1, 2, 25, 25)
    assert names([next(run)]) == [(1, 2, 8)]
    look[0] = (0, 0, 5, 5)
    assert names([next(run)])[0][:2] == (0, 0)


def test_finished_tiles_are_left_out():
    left = {(0, 0): tiles_of()[4:6], (0, 1): []}
    assert names(nearest_first(list(left), lambda t, z: left[t, z], lambda: (0, 1, 0, 0))) == [(0, 0, 4), (0, 0, 5)]

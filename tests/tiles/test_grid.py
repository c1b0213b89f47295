import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.specs import NetSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.tiles.grid import cut, mirror, read_mirrored

nets = st.builds(
    NetSpec, depth=st.integers(0, 4), convolutions=st.integers(1, 2), padding=st.sampled_from(["same", "valid"])
)


@st.composite
def regions(draw):
    starts = [draw(st.integers(0, 90)) for _ in range(2)]
    return tuple(slice(s, s + draw(st.integers(1, 120))) for s in starts)


@given(nets, regions(), st.integers(1, 100))
def test_the_written_cores_partition_the_region(net, region, core):
    seen = np.zeros([s.stop for s in region], int)
    for tile in cut(region, core, geometry(net)):
        seen[tile.write] += 1
    assert (seen[region] == 1).all()
    assert seen.sum() == seen[region].size


@given(nets, regions(), st.integers(1, 100))
def test_every_tile_starts_on_the_grid_and_reads_at_least_the_reach_around_its_core(net, region, core):
    shape = geometry(net)
    for tile in cut(region, core, shape):
        for read, write, crop in zip(tile.read, tile.write, tile.crop, strict=True):
            assert (read.start + shape.before) % shape.grid == 0
            assert write.start - read.start >= shape.reach
            assert read.stop - write.stop >= shape.reach
            assert crop.stop - crop.start == write.stop - write.start
            assert crop.start - shape.crop == write.start - (read.start + shape.before)


@given(nets, regions(), st.integers(1, 100), st.integers(1, 50))
def test_a_tile_cut_again_into_smaller_ones_keeps_its_area(net, region, core, smaller):
    shape = geometry(net)
    tile = cut(region, core, shape)[0]
    area = sum(np.prod([s.stop - s.start for s in part.write]) for part in cut(tile.write, smaller, shape))
    assert area == np.prod([s.stop - s.start for s in tile.write])


@given(nets, regions(), st.integers(1, 100))
def test_a_tile_cut_again_to_its_own_size_is_itself(net, region, core):
    shape = geometry(net)
    for tile in cut(region, core, shape):
        assert cut(tile.write, core, shape) == [tile]


def test_mirroring_does_not_repeat_the_edge():
    assert mirror(-2, 6, 4).tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


@given(st.integers(1, 20), st.integers(-100, 0), st.integers(1, 100))
def test_mirroring_is_numpys_reflection_as_often_as_needed(length, start, stop):
    line = np.arange(length)
    before, after = -start, max(0, stop - length)
    expected = np.pad(line, (before, after), mode="reflect" if length > 1 else "edge")[: stop - start]
    assert mirror(start, stop, length).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (50, 50)])
def test_reading_beyond_the_image_reads_the_mirrored_image_and_never_outside(shape):
    plane = np.arange(np.prod(shape)).reshape(1, *shape)

    def read(box):
        assert all(0 <= s.start < s.stop <= n for s, n in zip(box, shape, strict=True))
        return plane[:, *box]

    window = read_mirrored(read, shape, (slice(-96, shape[0] + 96), slice(-96, shape[1] + 96)))
    assert window.shape == (1, shape[0] + 192, shape[1] + 192)
    assert np.array_equal(window[:, 96 : 96 + shape[0], 96 : 96 + shape[1]], plane)
    if min(shape) > 1:
        assert np.array_equal(window[0], np.pad(plane[0], 96, mode="reflect"))

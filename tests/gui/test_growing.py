"""A result on the disk as an array: before it exists, while it grows, and after it has moved to its place."""

from copy import deepcopy

import numpy as np
import pytest

from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.viewer import layer_array
from napari_annotrain._napari.viewer.brackets import split
from napari_annotrain._napari.viewer.layer_array import LayerArray
from napari_annotrain.data import filling
from napari_annotrain.errors import AnnotrainError

PLANE = slice(0, 6), slice(0, 8)


def piece(t, z):
    return slice(t, t + 1), slice(z, z + 1), *PLANE


@pytest.fixture
def way(tmp_path):
    """A result of two time points and three planes, on its way."""
    return filling.begin(tmp_path / "out" / "a.ome.zarr", (2, 3, 6, 8), np.uint8, "TZYX", {}, {})


@pytest.fixture
def growing(way):
    made = Growing((2, 3, 6, 8), np.uint8)
    made.follow(way.path)
    return made


def fill(way, t, z, value):
    way.write(piece(t, z), np.full((1, 1, 6, 8), value, np.uint8))


def test_nothing_is_zeros(tmp_path):
    nowhere = Growing((2, 3, 6, 8), np.uint8)
    assert not nowhere[1, 2].any()
    nowhere.follow(tmp_path / "not there.zarr")
    assert nowhere[1, 2].shape == (6, 8)
    assert not nowhere[...].any()


def test_pieces_are_seen_as_they_are_written_and_still_when_the_store_has_moved(way, growing):
    fill(way, 0, 1, 5)
    assert (growing[0, 1] == 5).all()
    assert not growing[0, 2].any()
    fill(way, 0, 2, 7)
    growing.changed(piece(0, 2))
    assert (growing[0, 2] == 7).all()
    list(way.iter_completing({}))
    growing.changed()
    assert growing[0, :, 0, 0].tolist() == [0, 5, 7], "it lies elsewhere now"


def test_it_is_read_again_only_where_it_has_changed(way, growing, monkeypatch):
    fill(way, 0, 1, 5)
    assert growing[0, 1].any()
    fill(way, 0, 0, 9)
    growing.changed(piece(0, 0))
    monkeypatch.setattr(growing, "_read", lambda window: pytest.fail("read again"))
    assert growing[0, 1].any()


def test_what_changes_while_it_is_read_is_not_kept(way, growing, monkeypatch):
    read = growing._read

    def slowly(window):
        values = read(window)
        fill(way, 0, 1, 5)  # the worker, meanwhile
        growing.changed(piece(0, 1))
        return values

    monkeypatch.setattr(growing, "_read", slowly)
    assert not growing[0, 1].any()
    monkeypatch.setattr(growing, "_read", read)
    assert growing[0, 1].all()


def test_a_store_that_moves_in_the_middle_of_reading_is_read_where_it_went(way, growing, monkeypatch):
    from napari_annotrain._napari.predict import growing as module

    fill(way, 0, 1, 5)
    take, moved = module.take, []

    def late(level, axes, window):
        if not moved:
            moved.append(list(way.iter_completing({})))
        return take(level, axes, window)

    monkeypatch.setattr(module, "take", late)
    assert (growing[0, 1] == 5).all()


def test_what_is_written_to_it_lies_over_the_disk_until_another_result_is_shown(way, growing, tmp_path):
    fill(way, 0, 1, 5)
    growing[0:1, 1:2, 2:4, 2:4] = np.full((1, 1, 2, 2), 9, np.uint8)
    growing[(..., slice(0, 1), slice(1, 2), slice(2, 4), slice(3, 5))] = 8
    assert growing[0, 1, 2].tolist() == [5, 5, 9, 8, 8, 5, 5, 5]
    growing.follow(way.path)
    assert (growing[0, 1] == 5).all()


def test_a_copy_reads_the_same_from_the_disk(way, growing):
    fill(way, 0, 1, 5)
    growing[0:1, 1:2, 2:4, 2:4] = np.full((1, 1, 2, 2), 9, np.uint8)
    copied = deepcopy(LayerArray(growing, "TZYX"))
    assert (copied[0, 1] == 5).all()
    list(way.iter_completing({}))
    assert (copied[0, 1] == 5).all()


def test_a_damaged_store_says_so(way, growing):
    fill(way, 0, 1, 5)
    assert growing[0, 1].any()
    chunk = next(path for path in way.store.rglob("*") if path.is_file() and path.name != "zarr.json")
    chunk.write_bytes(b"no chunk")
    growing.changed()
    with pytest.raises(AnnotrainError, match="cannot be read"):
        growing[0, 1]


@pytest.mark.parametrize("key", [(0, 1), (-1, slice(None), 2), (..., slice(1, None, 2)), (slice(0, 2), 1, slice(2, 4))])
def test_brackets_mean_what_they_mean_to_numpy(key):
    array = np.arange(2 * 3 * 6 * 8).reshape(2, 3, 6, 8)
    window, rest = split(key, array.shape)
    assert np.array_equal(array[window][rest], array[key])


@pytest.mark.parametrize(
    ("axes", "classes", "shape"),
    [
        ("ZYX", 0, (3, 6, 8)),
        ("TZYX", 0, (2, 3, 6, 8)),
        ("ZTYX", 0, (3, 2, 6, 8)),
        ("TCZYX", 0, (2, 1, 3, 6, 8)),
        ("XY", 0, (8, 6)),
        ("ZTYX", 4, (4, 3, 2, 6, 8)),
        ("TCZYX", 4, (4, 2, 1, 3, 6, 8)),
    ],
)
def test_a_layer_has_it_in_the_order_of_its_axes(axes, classes, shape):
    from napari_annotrain._napari.viewer.arrays import as_tzyx

    n_t, n_z = (2 if "T" in axes else 1), (3 if "Z" in axes else 1)
    growing = Growing((*[classes] * bool(classes), n_t, n_z, 6, 8), np.int32)
    layer = LayerArray(growing, axes)
    assert layer.shape == shape
    values = np.random.default_rng(0).integers(0, 99, growing.shape)
    growing[...] = values
    assert np.array_equal(as_tzyx(np.asarray(layer), axes), values)
    key = (0,) * (layer.ndim - 2) + (slice(1, 5), slice(None, None, 2))
    assert np.array_equal(layer[key], np.asarray(layer)[key])


def test_nobody_reads_all_of_a_large_one_or_paints_on_it(monkeypatch):
    layer = LayerArray(Growing((1, 3, 6, 8), np.uint8), "ZYX")
    monkeypatch.setattr(layer_array, "MOST_AT_ONCE", 10)
    with pytest.raises(AnnotrainError, match="too large to be read at once"):
        np.asarray(layer)
    with pytest.raises(AnnotrainError, match="too large to be read at once"):
        np.max(layer)
    with pytest.raises(AnnotrainError, match="cannot be painted on"):
        layer[0] = 1

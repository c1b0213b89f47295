"""What we write is read by others: an independent validator, and the reader of napari-ome-zarr."""

import warnings

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.data import filling, pyramid
from napari_annotrain.data.ngff import valid_order
from napari_annotrain.data.writing import write_array

SIZES = {"T": 2.0, "Z": 3.0, "Y": 0.5, "X": 0.25}


@pytest.fixture(autouse=True)
def small_levels(monkeypatch):
    monkeypatch.setattr(pyramid, "SMALLEST_PX", 16)


@pytest.fixture(params=["YX", "ZYX", "TYX", "TZYX", "CYX", "TCZYX"])
def stored(request, tmp_path):
    """A labels image, or an image with channels, and its axes."""
    axes = request.param
    shape = tuple({"T": 2, "C": 3, "Z": 4, "Y": 40, "X": 50}[a] for a in axes)
    rng = np.random.default_rng(0)
    array = rng.random(shape).astype(np.float32) if "C" in axes else rng.integers(0, 99, shape).astype(np.uint32)
    write_array(tmp_path / "a.ome.zarr", array, axes, {a: um for a, um in SIZES.items() if a in axes})
    return tmp_path / "a.ome.zarr", array, axes


def test_a_validator_of_others_finds_nothing(stored):
    yaozarrs = pytest.importorskip("yaozarrs")
    path, _, axes = stored
    group = yaozarrs.validate_zarr_store(str(path))
    multiscale = group.ome_metadata().multiscales[0]
    assert [axis.name for axis in multiscale.axes] == list(axes.lower())
    scale = multiscale.datasets[0].coordinateTransformations[0].scale
    assert scale == [SIZES.get(a, 1.0) for a in axes]


def test_another_reader_sees_the_same(stored):
    reader = pytest.importorskip("napari_ome_zarr._reader")
    path, array, axes = stored
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = reader.napari_get_reader(str(path))(str(path))
    data = layers[0][0]
    first = data[0] if isinstance(data, list) else data
    assert np.array_equal(np.asarray(first), array)
    if "C" not in axes:
        assert layers[0][1]["scale"] == [SIZES[a] for a in axes]


@given(st.permutations("TCZYX"), st.integers(2, 5))
def test_time_and_channel_come_first_and_space_keeps_its_order(letters, n):
    axes = "".join(letters[:n])
    found = valid_order(axes)
    assert sorted(found) == sorted(axes)
    assert [a for a in found if a not in "TC"] == [a for a in axes if a not in "TC"]
    assert found.startswith("TC" if {"T", "C"} <= set(axes) else "T" if "T" in axes else "C" if "C" in axes else "")


def test_a_result_that_was_filled_is_valid_too(tmp_path):
    yaozarrs = pytest.importorskip("yaozarrs")
    made = filling.begin(tmp_path / "o.zarr", (3, 40, 50), np.uint32, "TYX", {}, {"T": 2.0}, 20)
    piece = np.arange(400, dtype=np.uint32).reshape(1, 1, 20, 20)
    made.write((slice(1, 2), slice(0, 1), slice(20, 40), slice(0, 20)), piece, labels_cells=True)
    assert not (tmp_path / "o.zarr").exists()
    assert set(filling.unfinished(tmp_path / "o.zarr")) == {"store", "overwrite"}
    again = filling.go_on(tmp_path / "o.zarr", (3, 40, 50), "TYX")
    assert (len(again.finished.pieces), again.finished.last_id) == (1, 399)
    list(again.iter_completing({"made by": "a test"}))
    yaozarrs.validate_zarr_store(str(tmp_path / "o.zarr"))
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert group.attrs["made by"] == "a test"
    assert group["0"].chunks == (1, 20, 20)
    assert np.array_equal(group["0"][1, 20:, :20], piece[0, 0])
    assert np.array_equal(group["1"][1, 10:, :10], piece[0, 0, ::2, ::2])
    assert [p.name for p in tmp_path.iterdir()] == ["o.zarr"]

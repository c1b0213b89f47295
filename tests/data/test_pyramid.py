import numpy as np
import pytest
import zarr

from napari_annotrain.data import pyramid
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.writing import write_array

SIZES = {"Y": 0.5, "X": 0.25, "Z": 2.0}


@pytest.fixture(autouse=True)
def small_levels(monkeypatch):
    monkeypatch.setattr(pyramid, "SMALLEST_PX", 8)


def levels(path):
    group = zarr.open_group(path, mode="r")
    return [np.asarray(group[d["path"]][...]) for d in group.attrs["ome"]["multiscales"][0]["datasets"]]


@pytest.mark.parametrize("shape", [(3, 32, 20), (1, 33, 17), (2, 9, 2), (2, 8, 8)])
def test_every_second_pixel_of_labels_so_that_no_id_is_invented(tmp_path, shape):
    labels = np.random.default_rng(0).integers(0, 2**31, shape).astype(np.uint32)
    write_array(tmp_path / "a.zarr", labels, "ZYX", SIZES)
    found = levels(tmp_path / "a.zarr")
    for k, level in enumerate(found):
        assert np.array_equal(level, labels[:, :: 2**k, :: 2**k])
    assert max(found[-1].shape[1:]) <= 8
    assert len(found) == 1 or max(found[-2].shape[1:]) > 8


@pytest.mark.parametrize("shape", [(2, 32, 20), (2, 33, 17)])
def test_probabilities_are_averaged(tmp_path, shape):
    values = np.random.default_rng(0).random(shape).astype(np.float32)
    write_array(tmp_path / "a.zarr", values, "CYX", SIZES)
    half = levels(tmp_path / "a.zarr")[1]
    assert half[0, 3, 4] == pytest.approx(values[0, 6:8, 8:10].mean())
    assert half[1, -1, -1] == pytest.approx(values[1, (shape[1] - 1) // 2 * 2 :, (shape[2] - 1) // 2 * 2 :].mean())


def test_pixel_sizes_follow_the_levels(tmp_path):
    write_array(tmp_path / "a.zarr", np.ones((2, 32, 20), np.uint8), "ZYX", SIZES)
    datasets = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["ome"]["multiscales"][0]["datasets"]
    scales = [d["coordinateTransformations"][0]["scale"] for d in datasets]
    assert scales == [[2.0, 0.5 * f, 0.25 * f] for f in (1, 2, 4)]
    stack = open_stack(tmp_path / "a.zarr")
    assert stack.pixel_um == SIZES
    assert [level.shape for level in stack.levels] == [(2, 16, 10), (2, 8, 5)]


def test_levels_are_read_a_few_chunks_at_a_time(tmp_path, monkeypatch):
    read = []
    whole = zarr.Array.__getitem__

    def watched(self, selection):
        found = whole(self, selection)
        read.append(found.nbytes)
        return found

    write_array(tmp_path / "a.zarr", np.ones((4, 3000, 2500), np.uint8), "ZYX", SIZES)
    monkeypatch.setattr(zarr.Array, "__getitem__", watched)
    pyramid.add_levels(zarr.open_group(tmp_path / "a.zarr", mode="r+"), "ZYX")
    assert max(read) <= 4 * 1024**2

import json
import os

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_annotrain.data import writing
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.writing import check_writable, write_array
from napari_annotrain.errors import AnnotrainError

DTYPES = [
    "bool",
    "uint8",
    "int8",
    ">u2",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
]
NARROWER = {"uint64": "uint32", "int64": "int32", "float16": "float32"}
ORDERS = [
    "YX",
    "ZYX",
    "TYX",
    "CYX",
    "YXC",
    "TZYX",
    "CZYX",
    "ZCYX",
    "ZYXC",
    "CTYX",
    "TCZYX",
    "CTZYX",
    "XY",
    "XYZ",
    "YZX",
]
LABELS = np.arange(4 * 30 * 40, dtype=np.uint32).reshape(4, 30, 40) * 1000
SIZES = {"Z": 0.3, "Y": 0.1, "X": 1 / 3}


def canonical(array, axes):
    """The whole array in the order T, C, Z, Y, X."""
    stack = Stack.of(array, axes)
    return stack.overview(stack.array.size * 2)


@st.composite
def images(draw):
    axes = draw(st.sampled_from(ORDERS))
    shape = draw(st.tuples(*(st.integers(1, 5) for _ in axes)))
    dtype = draw(st.sampled_from(DTYPES))
    elements = st.integers(0, 2**31 - 1) if dtype in ("uint64", "int64") else None
    return axes, draw(hnp.arrays(dtype, shape, elements=elements))


@settings(max_examples=100, deadline=None)
@given(images(), st.sampled_from([".tif", ".ome.tiff", ".zarr", ".ome.zarr"]), st.booleans())
def test_round_trip(tmp_path_factory, image, suffix, lazy):
    axes, array = image
    path = tmp_path_factory.mktemp("out") / f"result{suffix}"
    sizes = {a: um for a, um in {"T": 2.5, **SIZES}.items() if a in axes}

    write_array(path, da.from_array(array, chunks=2) if lazy else array, axes, sizes)
    stack = open_stack(path)

    assert os.listdir(path.parent) == [path.name]
    assert stack.name == "result"
    assert stack.dtype == (NARROWER.get(array.dtype.name, array.dtype.name) if "tif" in suffix else array.dtype.name)
    np.testing.assert_array_equal(canonical(stack.array, stack.axes), canonical(array, axes))
    for axis, um in sizes.items():
        if axis in stack.axes:
            assert stack.pixel_um[axis] == pytest.approx(um)
    if "zarr" in suffix or (axes.endswith("YX") and min(array.shape) > 1):
        assert (stack.axes, stack.array.shape) == (axes, array.shape)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(st.sampled_from(["uint8", "uint16"]), hnp.array_shapes(min_dims=2, max_dims=2)))
def test_png_round_trip(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("out") / "result.png"
    write_array(path, array[None], "ZYX", SIZES)
    np.testing.assert_array_equal(open_stack(path).array, array)
    write_array(path, array, "XY")
    np.testing.assert_array_equal(open_stack(path).array, array.T)


@pytest.mark.parametrize("array", [np.zeros((2, 5, 5), np.uint8), np.zeros((1, 5, 5), np.uint32), np.zeros((1, 5, 5))])
def test_png_holds_one_plane_of_small_numbers(tmp_path, array):
    with pytest.raises(AnnotrainError, match=r"result\.png cannot hold this result"):
        write_array(tmp_path / "result.png", array, "ZYX")
    assert os.listdir(tmp_path) == []


def test_probabilities_stay_channel_first_for_other_readers(tmp_path):
    array = np.random.default_rng(0).random((3, 4, 6, 5), np.float32)
    write_array(tmp_path / "p.tif", array, "CZYX")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "p.tif"), array)
    write_array(tmp_path / "p.ome.zarr", array, "CZYX")
    np.testing.assert_array_equal(zarr.open(tmp_path / "p.ome.zarr", mode="r")["0"][:], array)


def test_metadata_of_a_label_zarr(tmp_path):
    write_array(tmp_path / "l.ome.zarr", LABELS, "ZYX", {"Z": 0.3, "X": 0.1})
    node = json.loads((tmp_path / "l.ome.zarr/zarr.json").read_text())
    assert (node["zarr_format"], node["node_type"]) == (3, "group")
    ome = node["attributes"]["ome"]
    assert ome["version"] == "0.5"
    assert ome["image-label"]["colors"] == [{"label-value": 0, "rgba": [0, 0, 0, 0]}]
    (image,) = ome["multiscales"]
    assert image["axes"] == [
        {"name": "z", "type": "space", "unit": "micrometer"},
        {"name": "y", "type": "space"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    scale = {"type": "scale", "scale": [0.3, 1.0, 0.1]}
    assert image["datasets"] == [{"path": "0", "coordinateTransformations": [scale]}]
    level = zarr.open(tmp_path / "l.ome.zarr", mode="r")["0"]
    assert (level.metadata.dimension_names, level.chunks) == (("z", "y", "x"), (1, 30, 40))


@pytest.mark.parametrize(("dtype", "axes"), [("float32", "ZYX"), ("uint8", "CYX"), ("bool", "ZYX")])
def test_images_are_not_called_labels(tmp_path, dtype, axes):
    write_array(tmp_path / "i.ome.zarr", LABELS.astype(dtype), axes)
    assert "image-label" not in zarr.open(tmp_path / "i.ome.zarr", mode="r").attrs["ome"]


def test_labels_are_small_on_disk(tmp_path):
    labels = np.kron(np.arange(64, dtype=np.uint16).reshape(8, 8), np.ones((64, 64), np.uint16))
    write_array(tmp_path / "l.tif", labels, "YX")
    assert (tmp_path / "l.tif").stat().st_size < labels.nbytes / 50


@pytest.mark.parametrize("dtype", ["uint64", "int64"])
def test_numbers_that_tiff_cannot_hold_are_refused(tmp_path, dtype):
    array = np.full((2, 5, 5), 2**40, dtype)
    with pytest.raises(AnnotrainError, match=r"a\.tif cannot hold numbers above \d+: write \.ome\.zarr"):
        write_array(tmp_path / "a.tif", array, "ZYX")
    assert os.listdir(tmp_path) == []
    write_array(tmp_path / "a.zarr", array, "ZYX")
    np.testing.assert_array_equal(open_stack(tmp_path / "a.zarr").array, array)


def test_large_results_become_bigtiff(tmp_path, monkeypatch):
    write_array(tmp_path / "small.tif", LABELS, "ZYX")
    monkeypatch.setattr(writing, "MOST_TIFF_BYTES", LABELS.nbytes - 1)
    write_array(tmp_path / "large.tif", LABELS, "ZYX", SIZES)
    for name, big in (("small.tif", False), ("large.tif", True)):
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.is_bigtiff == big
    stack = open_stack(tmp_path / "large.tif")
    assert stack.pixel_um == pytest.approx(SIZES)
    np.testing.assert_array_equal(stack.array, LABELS)


class Planes:
    """An array that is made while it is read: it remembers the largest part, and fails at a plane if told so."""

    shape, dtype = (6, 2, 30, 40), np.dtype(np.uint16)

    def __init__(self, fails_at=None):
        self.fails_at, self.largest = fails_at, 0

    def __getitem__(self, key):
        if self.fails_at is not None and key[0] == self.fails_at:
            raise ZeroDivisionError
        part = np.broadcast_to(np.arange(6, dtype=np.uint16)[:, None, None, None], self.shape)[key]
        self.largest = max(self.largest, part.size)
        return part


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_lazy_arrays_are_read_plane_by_plane(tmp_path, name):
    planes = Planes()
    write_array(tmp_path / name, planes, "TZYX")
    assert planes.largest == 30 * 40
    np.testing.assert_array_equal(open_stack(tmp_path / name).array, planes[:])


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
def test_each_chunk_of_a_dask_array_is_computed_once(tmp_path, name):
    computed = []

    def block(block_info=None):
        computed.append(block_info[None]["chunk-location"])
        return np.full(block_info[None]["chunk-shape"], len(computed), np.uint8)

    lazy = da.map_blocks(block, chunks=((3, 3, 1), (20,), (10, 10)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    write_array(tmp_path / name, lazy, "ZYX")
    assert len(computed) == len(set(computed)) == 6


# --- complete or not at all -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.tif", "a.ome.zarr"])
@pytest.mark.parametrize("before", [True, False])
def test_a_failing_write_leaves_what_was_there(tmp_path, name, before):
    if before:
        write_array(tmp_path / name, LABELS, "ZYX", SIZES)
    with pytest.raises(ZeroDivisionError):
        write_array(tmp_path / name, Planes(fails_at=4), "TZYX", overwrite=True)
    assert os.listdir(tmp_path) == ([name] if before else [])
    if before:
        np.testing.assert_array_equal(open_stack(tmp_path / name).array, LABELS)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.ome.zarr"])
def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch, name):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", fail)
    monkeypatch.setattr("PIL.Image.Image.save", fail)
    monkeypatch.setattr(zarr, "create_group", fail)
    with pytest.raises(AnnotrainError, match=rf"{name} cannot be written \(No space left on device\)"):
        write_array(tmp_path / name, LABELS[0].astype(np.uint8), "YX")
    assert os.listdir(tmp_path) == []


def test_a_store_that_cannot_be_moved_away_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.zarr"
    write_array(path, LABELS, "ZYX")
    rename = type(path).rename

    def fail_for_the_new_one(self, target):
        if self.suffix == ".part":
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(type(path), "rename", fail_for_the_new_one)
    with pytest.raises(AnnotrainError, match="Permission denied"):
        write_array(path, LABELS * 0, "ZYX", overwrite=True)
    assert os.listdir(tmp_path) == ["a.zarr"]
    np.testing.assert_array_equal(open_stack(path).array, LABELS)


def test_files_are_replaced_and_stores_only_if_told_so(tmp_path):
    for name in ("a.tif", "a.zarr"):
        write_array(tmp_path / name, LABELS, "ZYX")
    write_array(tmp_path / "a.tif", LABELS[:2], "ZYX")
    with pytest.raises(AnnotrainError, match=r"a\.zarr exists already"):
        write_array(tmp_path / "a.zarr", LABELS[:2], "ZYX")
    assert open_stack(tmp_path / "a.zarr").array.shape == LABELS.shape
    write_array(tmp_path / "a.zarr", LABELS[:2], "ZYX", overwrite=True)
    for name in ("a.tif", "a.zarr"):
        np.testing.assert_array_equal(open_stack(tmp_path / name).array, LABELS[:2])
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "a.zarr"]


def test_missing_folders_are_made(tmp_path):
    write_array(tmp_path / "new" / "newer" / "a.tif", LABELS, "ZYX")
    assert open_stack(tmp_path / "new/newer/a.tif").array.shape == LABELS.shape


@pytest.mark.parametrize("array", [np.zeros((0, 5), np.uint8), np.zeros((3, 4, 5), np.uint8)])
def test_arrays_that_do_not_suit_are_refused(tmp_path, array):
    with pytest.raises(AnnotrainError, match=r"would be empty|name 2 dimensions but the image has 3"):
        write_array(tmp_path / "a.tif", array, "YX")
    assert os.listdir(tmp_path) == []


# --- refusals before any work -----------------------------------------------------------------------------------


@pytest.fixture
def crowded(tmp_path):
    """A folder in which something is in the way of most results."""
    (tmp_path / "file").touch()
    (tmp_path / "file.zarr").touch()
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").touch()
    zarr.create_group(tmp_path / "store.zarr")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "overwrite", "words"),
    [
        ("a.czi", True, "let it end in .tif, .ome.zarr or .png"),
        ("a", True, "let it end in .tif, .ome.zarr or .png"),
        ("a.jpg", True, "let it end in .tif, .ome.zarr or .png"),
        ("file/a.tif", True, "is a file, not a folder"),
        ("file/deeper/a.zarr", True, "is a file, not a folder"),
        ("file.zarr", True, "is a file, but OME-Zarr is a folder"),
        ("folder.tif", True, "is a folder of other things"),
        ("mine.zarr", True, "is a folder of other things"),
        ("store.zarr", False, "exists already"),
        ("/proc/annotrain/a.tif", True, "/proc/annotrain/a.tif cannot be written"),
    ],
)
def test_places_that_cannot_be_written(crowded, name, overwrite, words):
    if name.startswith("/proc") and not os.path.isdir("/proc"):
        pytest.skip("there is no /proc on this system")
    before = sorted(crowded.rglob("*"))
    for refuse in (
        lambda: check_writable(crowded / name, overwrite),
        lambda: write_array(crowded / name, LABELS, "ZYX", overwrite=overwrite),
    ):
        with pytest.raises(AnnotrainError) as error:
            refuse()
        assert words in str(error.value)
        assert "\n" not in str(error.value)
    assert sorted(crowded.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["a.tif", "A.TIFF", "a.png", "a.zarr", "new/deep/a.ome.tif", "store.zarr", "empty.zarr"]
)
def test_places_that_can_be_written_stay_untouched(crowded, name):
    (crowded / "empty.zarr").mkdir()
    before = sorted(crowded.rglob("*"))
    check_writable(crowded / name, overwrite=True)
    assert sorted(crowded.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "shape", "axes", "dtype", "words"),
    [
        ("a.png", (5, 9, 9), "ZYX", "uint8", r"a\.png cannot hold this result: PNG holds one plane"),
        ("a.png", (2, 9, 9), "CYX", "float32", r"a\.png cannot hold this result"),
        ("a.PNG", (9, 9), "YX", "int32", r"a\.PNG cannot hold this result"),
        ("a.tif", (0, 9), "YX", "uint8", "would be empty"),
        ("a.tif", (4, 9, 9), "YX", "uint8", "name 2 dimensions"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_any_work(tmp_path, name, shape, axes, dtype, words):
    with pytest.raises(AnnotrainError, match=words):
        check_writable(tmp_path / name, shape=shape, axes=axes, dtype=dtype)
    check_writable(tmp_path / "a.png", shape=(1, 9, 9), axes="ZYX", dtype="uint16")
    check_writable(tmp_path / "a.zarr", shape=(5, 9, 9), axes="ZYX", dtype="float32")

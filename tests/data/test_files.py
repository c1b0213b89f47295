import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from napari_annotrain.data import tiff
from napari_annotrain.data.files import open_labels, open_stack
from napari_annotrain.data.lazy import FileArray
from napari_annotrain.errors import AnnotrainError

RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 4096, (6, 40, 50)).astype(np.uint16)
DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]


def values(stack):
    return np.asarray(stack.array)


@pytest.fixture
def lazily(monkeypatch):
    """Treat every TIFF as a large one."""
    monkeypatch.setattr(tiff, "SMALL_BYTES", 0)


# --- TIFF -------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, st.tuples(st.integers(2, 4), st.integers(2, 9), st.integers(5, 9)))
    ),
    byteorder=st.sampled_from("<>"),
    compression=st.sampled_from([None, "zlib"]),
    bigtiff=st.booleans(),
    large=st.booleans(),
)
def test_plain_tiff_of_every_type_and_byte_order_is_zyx(
    tmp_path_factory, array, byteorder, compression, bigtiff, large
):
    path = tmp_path_factory.mktemp("tiff") / "plain.tif"
    tifffile.imwrite(
        path,
        array,
        byteorder=byteorder,
        compression=compression,
        bigtiff=bigtiff,
        metadata=None,
        photometric="minisblack",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiff, "SMALL_BYTES", 0 if large else 1 << 20)
        stack = open_stack(path)
    assert isinstance(stack.array, FileArray) == large
    assert (stack.axes, stack.name, stack.pixel_um, stack.levels) == ("ZYX", "plain", {}, ())
    assert stack.dtype == array.dtype
    part = stack.read(0, (slice(1, 2), slice(0, 2), slice(1, 4)))
    assert part.dtype.isnative
    np.testing.assert_array_equal(values(stack), array)
    np.testing.assert_array_equal(part, array[None, 1:2, 0:2, 1:4])


def test_given_axes_win_and_are_checked(tmp_path):
    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"})
    assert open_stack(path).axes == "ZYX"
    assert open_stack(path, "tyx").axes == "TYX"
    with pytest.raises(AnnotrainError, match="name 2 dimensions but the image has 3"):
        open_stack(path, "YX")
    with pytest.raises(AnnotrainError, match="use each of T, C, Z, Y, X"):
        open_stack(path, "QYX")


@pytest.mark.parametrize("axes", ["TZCYX", "ZCYX", "CYX", "TYX", "ZYX"])
def test_imagej_hyperstack(tmp_path, axes):
    shape = tuple({"T": 2, "Z": 3, "C": 2, "Y": 8, "X": 9}[a] for a in axes)
    array = RNG.integers(0, 255, shape).astype(np.uint16)
    metadata = {"axes": axes, "unit": "micron", "spacing": 0.7, "finterval": 30.0}
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, resolution=(4, 5), metadata=metadata)
    stack = open_stack(tmp_path / "a.tif")
    assert stack.axes == axes
    np.testing.assert_array_equal(values(stack), array)
    expected = {"T": 30.0, "Z": 0.7, "Y": 0.2, "X": 0.25}
    assert stack.pixel_um == pytest.approx({a: um for a, um in expected.items() if a in axes})


@pytest.mark.parametrize("unit", [{}, {"unit": "pixel"}, {"unit": ""}])
def test_imagej_sizes_without_a_unit_of_length_are_not_believed(tmp_path, unit):
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, resolution=(4, 4), metadata={"spacing": 0.7, **unit})
    assert open_stack(tmp_path / "a.tif").pixel_um == {}


def test_ome_tiff_with_other_units(tmp_path):
    metadata = {"axes": "TCYX", "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.3}
    metadata |= {"TimeIncrement": 500, "TimeIncrementUnit": "ms", "PhysicalSizeZ": 9.0}
    array = STACK.reshape(3, 2, 40, 50)
    tifffile.imwrite(tmp_path / "a.ome.tif", array, metadata=metadata)
    stack = open_stack(tmp_path / "a.ome.tif")
    assert (stack.axes, stack.name) == ("TCYX", "a")
    assert stack.pixel_um == pytest.approx({"T": 0.5, "Y": 0.3, "X": 0.25})
    np.testing.assert_array_equal(values(stack), array)


@pytest.mark.parametrize("large", [True, False])
def test_tiled_pyramid_becomes_levels(tmp_path, monkeypatch, large):
    if large:
        monkeypatch.setattr(tiff, "SMALL_BYTES", 0)
    plane = RNG.integers(0, 255, (200, 300)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "p.ome.tif") as writer:
        options = {"tile": (64, 64), "compression": "zlib"}
        writer.write(plane, subifds=2, metadata={"axes": "YX"}, **options)
        for step in (2, 4):
            writer.write(plane[::step, ::step], subfiletype=1, **options)
    stack = open_stack(tmp_path / "p.ome.tif")
    assert [level.shape for level in stack.levels] == [(100, 150), (50, 75)]
    np.testing.assert_array_equal(stack.read(0, (slice(0, 1), slice(60, 70), slice(0, 300)))[0, 0], plane[60:70])
    for step, level in zip((2, 4), stack.levels, strict=True):
        np.testing.assert_array_equal(np.asarray(level), plane[::step, ::step])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("large", [True, False])
def test_opacity_of_colour_tiff_is_dropped(tmp_path, monkeypatch, large, planar):
    if large:
        monkeypatch.setattr(tiff, "SMALL_BYTES", 0)
    array = RNG.integers(0, 255, (30, 40, 4)).astype(np.uint8)
    data = array if planar == "contig" else np.moveaxis(array, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", planarconfig=planar, extrasamples=["unassalpha"])
    stack = open_stack(tmp_path / "a.tif")
    assert stack.axes == ("YXC" if planar == "contig" else "CYX")
    np.testing.assert_array_equal(
        stack.read(0, (slice(0, 1), slice(0, 30), slice(0, 40)))[:, 0], np.moveaxis(array, -1, 0)[:3]
    )
    np.testing.assert_array_equal(stack.array[-1], (array[..., :3] if planar == "contig" else data[:3])[-1])


def test_a_fourth_channel_that_is_no_opacity_stays(tmp_path):
    array = RNG.integers(0, 255, (30, 40, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "grey.tif", array, photometric="minisblack", planarconfig="contig")
    tifffile.imwrite(tmp_path / "rgb.tif", array, photometric="rgb", extrasamples=["unspecified"])
    for name in ("grey.tif", "rgb.tif"):
        assert open_stack(tmp_path / name).array.shape == (30, 40, 4)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_lzw_is_decoded_plane_by_plane(tmp_path, monkeypatch, dtype, large):
    if large:
        monkeypatch.setattr(tiff, "SMALL_BYTES", 0)
    array = STACK.astype(dtype)
    first, *more = [Image.fromarray(plane) for plane in array]
    first.save(tmp_path / "a.tif", save_all=True, append_images=more, compression="tiff_lzw")
    stack = open_stack(tmp_path / "a.tif")
    assert (stack.axes, stack.dtype) == ("ZYX", np.dtype(dtype))
    np.testing.assert_array_equal(stack.array[1:3, ::7, 5], array[1:3, ::7, 5])
    np.testing.assert_array_equal(stack.array[4], array[4])
    assert stack.array[3:3, 5].shape == (0, 50)
    np.testing.assert_array_equal(values(stack), array)


def test_a_compression_nobody_can_decode_is_named(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["Compression"].overwrite(34712)  # JPEG 2000
    if 34712 in tifffile.TIFF.DECOMPRESSORS:
        pytest.skip("imagecodecs is installed")
    with pytest.raises(AnnotrainError, match=r"a\.tif is compressed in a way that cannot be read here"):
        open_stack(path)


# --- reading no more than the window ----------------------------------------------------------------------------


def peak_of_window(stack):
    stack.read(0, (slice(0, 1), slice(0, 8), slice(0, 8)))
    tracemalloc.start()
    part = stack.read(0, (slice(50, 51), slice(100, 110), slice(200, 220)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert part.shape == (1, 1, 10, 20)
    return peak


def test_windows_of_a_memory_mapped_tiff(tmp_path, lazily):
    array = tifffile.memmap(tmp_path / "a.tif", shape=(100, 256, 512), dtype=np.uint16)
    array[50, 100:110, 200:220] = 7
    array.flush()
    stack = open_stack(tmp_path / "a.tif")
    assert peak_of_window(stack) < 100_000, "the whole is 26 MB"
    part = stack.read(0, (slice(50, 51), slice(100, 110), slice(200, 220)))
    assert (part == 7).all()
    part[:] = 0
    assert (stack.read(0, (slice(50, 51), slice(100, 110), slice(200, 220))) == 7).all(), "what is read is a copy"


def test_windows_of_a_zarr(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(100, 256, 512), chunks=(1, 64, 64), dtype="uint16", fill_value=7)
    assert peak_of_window(open_stack(tmp_path / "a.zarr")) < 500_000, "the whole is 26 MB"


@pytest.mark.parametrize("kind", ["strips", "tiles"])
def test_damage_is_met_only_where_it_lies(tmp_path, lazily, kind):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, compression="zlib", tile=(32, 32) if kind == "tiles" else None, metadata=None)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[3].dataoffsets[0]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 64)
    stack = open_stack(path)
    np.testing.assert_array_equal(stack.read(0, (slice(2, 3), slice(0, 40), slice(0, 50)))[0], STACK[2:3])
    with pytest.raises(AnnotrainError, match=r"a\.tif cannot be read"):
        stack.read(0, (slice(3, 4), slice(0, 40), slice(0, 50)))


def test_a_damaged_chunk_of_a_zarr(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=STACK, chunks=(1, 40, 50))
    (tmp_path / "a.zarr/c/3/0/0").write_bytes(b"damaged")
    stack = open_stack(tmp_path / "a.zarr")
    np.testing.assert_array_equal(stack.array[2], STACK[2])
    with pytest.raises(AnnotrainError, match=r"a\.zarr cannot be read"):
        stack.array[3]


def test_chunks_that_were_never_written_are_zeros_but_not_where_all_is_gone(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", shape=(4, 40, 50), chunks=(1, 40, 50), dtype="u2")[1] = STACK[1]
    assert len(list((tmp_path / "a.zarr").rglob("c/*/0/0"))) == 1, "test invalid"
    stack = open_stack(tmp_path / "a.zarr")
    np.testing.assert_array_equal(stack.array[1], STACK[1])
    assert not stack.array[2].any()
    (tmp_path / "a.zarr").rename(tmp_path / "b.zarr")
    with pytest.raises(AnnotrainError, match=r"a\.zarr is not there any more: put it back"):
        stack.array[2]


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_a_lazy_stack_travels_to_another_process(tmp_path, monkeypatch, lazily, options):
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite(tmp_path / "a.tif", STACK, **options)
    stack = open_stack("a.tif")
    np.testing.assert_array_equal(stack.array[2, 3:5], STACK[2, 3:5])
    sent = pickle.dumps(stack)
    monkeypatch.chdir("/")
    assert len(sent) < 2000, "the pixels stay at home"
    np.testing.assert_array_equal(pickle.loads(sent).array[2, 3:5], STACK[2, 3:5])


def test_a_file_array_is_indexed_as_numpy_is(tmp_path, lazily):
    tifffile.imwrite(tmp_path / "a.tif", STACK, compression="zlib")
    array = open_stack(tmp_path / "a.tif").array
    assert (array.ndim, array.size, array.nbytes, len(array)) == (3, STACK.size, STACK.nbytes, 6)
    for key in [..., 2, -1, (slice(-2, None), 3), (0, slice(5, 500, 7), slice(None)), slice(4, 2)]:
        np.testing.assert_array_equal(array[key], STACK[key])
    with pytest.raises(IndexError):
        array[6]


# --- PNG and JPEG -----------------------------------------------------------------------------------------------


def test_opacity_of_png_is_dropped(tmp_path):
    rgba = RNG.integers(0, 255, (30, 40, 4)).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    Image.fromarray(rgba[..., :2], "LA").save(tmp_path / "la.png")
    colour, grey = open_stack(tmp_path / "rgba.png"), open_stack(tmp_path / "la.png")
    assert (colour.axes, grey.axes) == ("YXC", "YX")
    np.testing.assert_array_equal(values(colour), rgba[..., :3])
    np.testing.assert_array_equal(values(grey), rgba[..., 0])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
def test_grey_png_keeps_its_values(tmp_path, dtype):
    plane = STACK[0].astype(dtype)
    Image.fromarray(plane).save(tmp_path / "a.png")
    stack = open_stack(tmp_path / "a.png")
    assert (stack.axes, stack.name, stack.dtype) == ("YX", "a", np.dtype(dtype))
    np.testing.assert_array_equal(values(stack), plane)


def test_palette_png_is_read_in_its_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(values(open_stack(tmp_path / "a.png"))[0], [[10, 20, 30], [40, 50, 60]])
    labels = open_labels(tmp_path / "a.png")
    assert labels.axes == "YX"
    np.testing.assert_array_equal(values(labels), [[0, 1], [1, 0]])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_labels_without_a_palette_are_read_as_images_are(tmp_path, mode):
    Image.fromarray(STACK[0].astype(np.uint8)).convert(mode).save(tmp_path / "a.png")
    stack, labels = open_stack(tmp_path / "a.png"), open_labels(tmp_path / "a.png")
    assert stack.axes == labels.axes
    np.testing.assert_array_equal(values(stack), values(labels))


def test_jpeg(tmp_path):
    Image.fromarray(np.full((16, 24, 3), (200, 100, 50), np.uint8)).save(tmp_path / "a.JPG", "JPEG")
    stack = open_stack(tmp_path / "a.JPG")
    assert (stack.axes, stack.name) == ("YXC", "a")
    np.testing.assert_allclose(values(stack).mean((0, 1)), (200, 100, 50), atol=3)


# --- zarr -------------------------------------------------------------------------------------------------------


def write_multiscale(path, version, axes, arrays, scales, **more):
    """An OME-Zarr as other programs write it: metadata 0.5 in zarr 3, older ones in zarr 2."""
    datasets = [
        {"path": f"s{i}", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        for i, scale in enumerate(scales)
    ]
    image = {"axes": axes, "datasets": datasets, **more}
    new = version == "0.5"
    attributes = {"ome": {"version": version, "multiscales": [image]}} if new else {"multiscales": [image]}
    group = zarr.create_group(path, zarr_format=3 if new else 2, attributes=attributes)
    for i, array in enumerate(arrays):
        group.create_array(f"s{i}", data=array, chunks=(1, *array.shape[1:]))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_with_levels_and_units(tmp_path, version):
    axes = [{"name": "t", "type": "time", "unit": "minute"}, {"name": "c", "type": "channel"}]
    axes += [{"name": "y", "type": "space", "unit": "nanometer"}, {"name": "x", "type": "space"}]
    array = STACK.reshape(3, 2, 40, 50)
    levels = [array, array[..., ::2, ::2]]
    write_multiscale(tmp_path / "a.ome.zarr", version, axes, levels, [[2, 1, 250, 0.5], [2, 1, 500, 1]])
    stack = open_stack(tmp_path / "a.ome.zarr")
    assert (stack.axes, stack.name) == ("TCYX", "a")
    assert stack.pixel_um == {"T": 120, "Y": 0.25}, "a size without a unit is not believed"
    np.testing.assert_array_equal(values(stack), array)
    np.testing.assert_array_equal(np.asarray(stack.levels[0]), levels[1])


def test_scales_of_the_dataset_and_of_the_whole_are_multiplied(tmp_path):
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    whole = [{"type": "scale", "scale": [2, 0.5, 0.5]}]
    write_multiscale(tmp_path / "a.zarr", "0.4", axes, [STACK], [[1, 3, 3]], coordinateTransformations=whole)
    assert open_stack(tmp_path / "a.zarr").pixel_um == {"Z": 2, "Y": 1.5, "X": 1.5}


def test_axes_of_older_ome_zarr(tmp_path):
    write_multiscale(tmp_path / "a.zarr", "0.3", ["z", "y", "x"], [STACK], [[1, 1, 1]])
    write_multiscale(tmp_path / "b.zarr", "0.1", None, [STACK.reshape(1, 2, 3, 40, 50)], [[1] * 5])
    write_multiscale(tmp_path / "c.zarr", "0.1", None, [STACK], [[1] * 3])
    assert open_stack(tmp_path / "a.zarr").axes == "ZYX"
    assert open_stack(tmp_path / "b.zarr").axes == "TCZYX"
    with pytest.raises(AnnotrainError, match="5 axes for 3 dimensions"):
        open_stack(tmp_path / "c.zarr")


def test_an_axis_of_unknown_meaning(tmp_path):
    axes = [{"name": "angle"}, *({"name": a, "type": "space", "unit": "um"} for a in "zyx")]
    write_multiscale(tmp_path / "one.zarr", "0.5", axes, [STACK[None]], [[1, 3, 1, 1]])
    write_multiscale(tmp_path / "two.zarr", "0.5", axes, [np.stack([STACK, STACK])], [[1, 3, 1, 1]])
    one, two = open_stack(tmp_path / "one.zarr"), open_stack(tmp_path / "two.zarr")
    assert (one.axes, one.array.shape, one.pixel_um["Z"]) == ("ZYX", STACK.shape, 3)
    np.testing.assert_array_equal(one.array[2, :5], STACK[2, :5])
    assert two.axes == "TZYX"
    assert open_stack(tmp_path / "one.zarr", "CZYX").axes == "CZYX"


def test_first_of_several_images(tmp_path):
    axes = [{"name": a, "type": "space"} for a in "zyx"]
    zarr.create_group(tmp_path / "a.zarr", zarr_format=2, attributes={"bioformats2raw.layout": 3})
    write_multiscale(tmp_path / "a.zarr" / "0", "0.4", axes, [STACK], [[1, 1, 1]])
    stack = open_stack(tmp_path / "a.zarr")
    assert (stack.axes, stack.name) == ("ZYX", "a")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_zarr_array(tmp_path, zarr_format):
    zarr.create_array(tmp_path / "a.zarr", data=STACK.astype(">u2"), zarr_format=zarr_format)
    stack = open_stack(tmp_path / "a.zarr")
    assert (stack.axes, stack.name) == ("ZYX", "a")
    assert stack.read(0, (slice(0, 1), slice(0, 2), slice(0, 2))).dtype == np.uint16
    np.testing.assert_array_equal(values(stack), STACK)
    assert open_stack(tmp_path / "a.zarr", "TYX").axes == "TYX"


def test_dimension_names_and_lone_arrays(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=STACK, dimension_names=["t", "y", "x"])
    zarr.create_array(tmp_path / "b.zarr", data=STACK, dimension_names=["row", "y", "x"])
    zarr.create_group(tmp_path / "c").create_array("only", data=STACK)
    assert open_stack(tmp_path / "a.zarr").axes == "TYX"
    assert open_stack(tmp_path / "b.zarr").axes == "ZYX"
    np.testing.assert_array_equal(values(open_stack(tmp_path / "c")), STACK)


# --- bad input --------------------------------------------------------------------------------------------------


def one_sentence(error, *words):
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith(".")
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.tif", b"", "is empty"),
        ("a.png", b"", "is empty"),
        ("a.tif", b"these are the notes of the experiment", "cannot be read"),
        ("a.tif", b"II*\x00", "cannot be read"),
        ("a.tif", b"II*\x00\x00\x00\x00\x00", "cannot be read"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 99, "cannot be read"),
        ("a.jpg", b"\xff\xd8\xff" + b"x" * 99, "cannot be read"),
        ("a.png", b"II*\x00", "cannot be read"),
        ("a.czi", b"ZISRAWFILE", "save it as TIFF, OME-TIFF, PNG or OME-Zarr"),
        ("a.txt", b"text", "save it as TIFF, OME-TIFF, PNG or OME-Zarr"),
        ("a", b"text", "save it as TIFF, OME-TIFF, PNG or OME-Zarr"),
    ],
)
def test_a_file_that_is_no_image(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnnotrainError) as error:
        open_stack(tmp_path / name)
    one_sentence(error, str(tmp_path / name), word)


def test_a_path_that_is_no_file(tmp_path):
    with pytest.raises(AnnotrainError) as error:
        open_stack(tmp_path / "gone.tif")
    one_sentence(error, "gone.tif", "check its name")
    with pytest.raises(AnnotrainError) as error:
        open_stack(tmp_path)
    one_sentence(error, str(tmp_path), "is a folder")


def test_a_zarr_without_an_image(tmp_path):
    (tmp_path / "empty.zarr").mkdir()
    zarr.create_group(tmp_path / "group.zarr")
    two = zarr.create_group(tmp_path / "two.zarr")
    two.create_array("a", data=STACK)
    two.create_array("b", data=STACK)
    zarr.create_group(tmp_path / "broken.zarr")
    (tmp_path / "broken.zarr/zarr.json").write_text("{")
    lost = {"axes": [{"name": a} for a in "zyx"], "datasets": [{"path": "0"}]}
    zarr.create_group(tmp_path / "lost.zarr", attributes={"ome": {"version": "0.5", "multiscales": [lost]}})
    for name in ("empty", "group", "two", "broken", "lost"):
        with pytest.raises(AnnotrainError) as error:
            open_stack(tmp_path / f"{name}.zarr")
        one_sentence(error, f"{name}.zarr")


def test_complex_numbers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((5, 5), np.complex64))
    with pytest.raises(AnnotrainError, match="complex64"):
        open_stack(tmp_path / "a.tif")


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"metadata": None},
        {},
        {"imagej": True},
        {"ome": True},
        {"metadata": None, "compression": "zlib"},
        {"ome": True, "compression": "zlib", "tile": (16, 16)},
        {"bigtiff": True, "metadata": None},
    ],
    ids=str,
)
def test_a_tiff_cut_off_anywhere_is_refused_or_complete(tmp_path, monkeypatch, options, large):
    if large:
        monkeypatch.setattr(tiff, "SMALL_BYTES", 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, **options)
    content = path.read_bytes()
    refused = 0
    for length in [*range(1, len(content), len(content) // 23), len(content) - 1]:
        path.write_bytes(content[:length])
        try:
            array = values(open_stack(path))
        except AnnotrainError:
            refused += 1
        else:
            np.testing.assert_array_equal(array, STACK)
    assert refused >= 20, "test invalid"


def test_a_png_cut_off_is_refused(tmp_path):
    Image.fromarray(STACK[0]).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    for length in (9, 40, len(content) // 2, len(content) - 30):
        (tmp_path / "a.png").write_bytes(content[:length])
        with pytest.raises(AnnotrainError) as error:
            open_stack(tmp_path / "a.png")
        one_sentence(error, "a.png", "cannot be read")


# --- files of other programs ------------------------------------------------------------------------------------


@pytest.fixture
def formats():
    folder = Path(os.environ.get("ANNOTRAIN_DATA", "")) / "formats"
    if "ANNOTRAIN_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("ANNOTRAIN_DATA is not set, or has no folder 'formats'")
    return folder


XY_HELA = 1 / 19.420064
GONUCLEAR = {"Z": 0.283718, "Y": 0.126786, "X": 0.126786}
WIDEFIELD = {"Z": 0.4994126, "Y": 1 / 1.953591, "X": 1 / 1.953591}
REAL = [
    ("neubias/xyc_16bit__hela-cells.tif", "YXC", (512, 672, 3), "uint16", {"Y": XY_HELA, "X": XY_HELA}, 0),
    ("neubias/xyc_16bit__nup_nuclei.tif", "CYX", (2, 420, 476), "uint16", {}, 0),
    ("neubias/xyc_8bit__membranes_nuclei.tif", "CYX", (2, 354, 475), "uint8", {}, 0),
    ("neubias/xyzc_16bit__dna_conf_wf.tif", "ZCYX", (45, 2, 130, 133), "uint16", WIDEFIELD, 0),
    ("bbbc022/IXMtest_A02_s9.tif", "CYX", (3, 395, 695), "uint16", {}, 0),
    ("timelapse-cc-by/cancer_cell_migration_crop.tif", "ZYX", (48, 130, 130), "uint16", {}, 0),
    ("rgba_fluo256_245b9958.png", "YXC", (256, 256, 3), "uint8", {}, 0),
    ("generated/bbbc039_A20_s4_pyramid.ome.tif", "YX", (520, 696), "uint16", {}, 2),
    ("generated/neubias_dna_conf_wf_ZCYX.ome.tif", "ZCYX", (20, 2, 130, 133), "uint16", WIDEFIELD, 0),
    ("generated/gonuclear_1135_v04.ome.zarr", "ZYX", (100, 100, 100), "uint8", GONUCLEAR, 1),
    ("generated/gonuclear_1135_v05.ome.zarr", "ZYX", (100, 100, 100), "uint8", GONUCLEAR, 1),
    ("generated/gonuclear_1135_v05.ome.zarr/labels/nuclei", "ZYX", (100, 100, 100), "uint16", GONUCLEAR, 1),
    ("generated/neubias_hela_cyx_v04.ome.zarr", "CYX", (3, 512, 672), "uint16", {"Y": 0.051493, "X": 0.051493}, 1),
]


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "axes", "shape", "dtype", "pixel_um", "n_levels"), REAL, ids=lambda v: None)
def test_metadata_of_real_files(formats, name, axes, shape, dtype, pixel_um, n_levels):
    stack = open_stack(formats / name)
    assert (stack.axes, stack.array.shape, stack.dtype) == (axes, shape, np.dtype(dtype))
    assert stack.pixel_um == pytest.approx(pixel_um, rel=1e-4)
    assert len(stack.levels) == n_levels


@pytest.mark.real_data
def test_every_real_file_opens_and_is_no_blank(formats):
    files = [path for path in formats.rglob("*") if path.suffix in (".tif", ".png") or path.name.endswith(".ome.zarr")]
    assert len(files) > 50
    for path in files:
        assert np.ptp(open_stack(path).overview(10_000)) > 0, path


@pytest.mark.real_data
def test_channels_and_levels_of_real_files_agree(formats):
    zarr_04 = open_stack(formats / "generated/neubias_hela_cyx_v04.ome.zarr")
    hela = open_stack(formats / "neubias/xyc_16bit__hela-cells.tif")
    window = (slice(0, 1), slice(100, 200), slice(50, 90))
    np.testing.assert_array_equal(zarr_04.read(0, window), hela.read(0, window))


@pytest.mark.real_data
def test_czi_is_refused_in_one_sentence(formats):
    with pytest.raises(AnnotrainError) as error:
        open_stack(formats / "neubias/xyz__multiple_images.czi")
    one_sentence(error, "save it as TIFF, OME-TIFF, PNG or OME-Zarr")

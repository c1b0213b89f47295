"""Numbers of objects whose size, shape and brightness are known."""

import csv
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Measured, Note
from napari_annotrain.measurement import iter_measurement, join, mean_columns, write_table
from napari_annotrain.measurement.columns import FIXED, INTENSITIES, column
from napari_annotrain.measurement.plane import compact

DOCS = Path(__file__).parents[2] / "docs" / "measure.md"


def disc(shape, y, x, radius):
    yy, xx = np.indices(shape)
    return (yy - y) ** 2 + (xx - x) ** 2 <= radius**2


def events_of(labels, image, pixel_um=None, axes=None, **more):
    image = Stack.of(image, axes, pixel_um=pixel_um or {})
    own = image.label_axes if len(image.label_axes) == labels.ndim else None
    return list(iter_measurement(Stack.of(labels, own, name="my labels"), image, **more))


def table_of(labels, image, **more):
    return events_of(labels, image, **more)[-1].result


def only(table):
    """The one row of a table."""
    assert table.n_rows == 1
    return {name: values[0] for name, values in table.items()}


def test_a_disc_is_as_large_and_as_round_as_it_was_drawn():
    labels = np.where(disc((101, 121), 50, 60, 30), 7, 0)
    row = only(table_of(labels, np.full(labels.shape, 3, np.uint8)))
    assert row["label"] == 7
    assert row["area_px"] == (labels > 0).sum()
    assert row["area_px"] == pytest.approx(np.pi * 30**2, rel=0.01)
    assert row["perimeter_px"] == pytest.approx(2 * np.pi * 30, rel=0.05)
    assert row["equivalent_diameter_px"] == pytest.approx(60, rel=0.01)
    assert row["major_axis_px"] == pytest.approx(60, rel=0.01)
    assert row["minor_axis_px"] == pytest.approx(60, rel=0.01)
    assert row["eccentricity"] == pytest.approx(0, abs=0.01)
    assert row["solidity"] == pytest.approx(1, abs=0.03)
    assert (row["centroid_y_px"], row["centroid_x_px"]) == (50, 60)
    assert not row["touches_border"]
    assert not any(name.endswith(("_um", "_um2", "_s")) for name in row)


def test_pixels_that_are_no_squares_make_physical_sizes():
    """A rectangle of 20 x 20 px is 10 µm high and 5 µm wide."""
    labels = np.zeros((60, 60), np.uint16)
    labels[10:30, 20:40] = 1
    row = only(table_of(labels, labels, pixel_um={"Y": 0.5, "X": 0.25}))
    assert row["area_um2"] == pytest.approx(50)
    assert row["equivalent_diameter_um"] == pytest.approx(2 * np.sqrt(50 / np.pi))
    assert row["major_axis_um"] == pytest.approx(2 * row["minor_axis_um"], rel=0.01)
    assert row["major_axis_px"] == pytest.approx(row["minor_axis_px"])
    assert row["orientation_deg"] == pytest.approx(90)  # upright
    assert (row["centroid_y_um"], row["centroid_x_um"]) == (19.5 * 0.5, 29.5 * 0.25)
    assert np.isnan(row["perimeter_um"])


def test_square_pixels_scale_every_length():
    labels = disc((50, 50), 20, 20, 9).astype(np.uint8)
    row = only(table_of(labels, labels, pixel_um={"Y": 0.5, "X": 0.5}))
    for name in ("perimeter", "major_axis", "minor_axis", "equivalent_diameter", "centroid_y", "centroid_x"):
        assert row[f"{name}_um"] == pytest.approx(row[f"{name}_px"] / 2), name


@pytest.mark.parametrize(("place", "touches"), [((0, 5), True), ((5, 0), True), ((15, 5), True), ((5, 5), False)])
def test_what_lies_at_the_edge_of_the_image_is_flagged(place, touches):
    labels = np.zeros((20, 30), np.uint8)
    labels[place[0] : place[0] + 5, place[1] : place[1] + 8] = 1
    assert only(table_of(labels, labels))["touches_border"] == touches


@pytest.mark.parametrize(
    ("way", "angle"), [((0, 1), 0), ((-1, 1), 45), ((1, 0), 90), ((1, 1), 135)], ids=["-", "/", "|", "\\"]
)
def test_the_angle_is_read_like_that_of_a_clock_hand_over_the_horizontal(way, angle):
    labels = np.zeros((41, 41), np.uint8)
    for k in range(-12, 13):
        labels[20 + k * way[0], 20 + k * way[1]] = 1
    assert only(table_of(labels, labels))["orientation_deg"] == pytest.approx(angle, abs=1e-6)


def test_every_channel_has_its_intensities():
    labels = np.zeros((10, 12), np.uint8)
    labels[2:4, 2:4] = 1
    image = np.zeros((2, 10, 12), np.uint16)
    image[0, 2:4, 2:4] = [[1, 2], [3, 65535]]
    image[1] = 10
    row = only(table_of(labels, image, axes="CYX"))
    assert [row[f"intensity_{what}_c0"] for what in INTENSITIES] == [65541 / 4, 1, 65535, 65541]
    assert [row[f"intensity_{what}_c1"] for what in INTENSITIES] == [10, 10, 10, 40]
    assert mean_columns(row) == ["intensity_mean_c0", "intensity_mean_c1"]


def test_further_images_are_further_channels_with_names():
    labels = np.zeros((2, 6, 6), np.uint8)
    labels[1, :2, :2] = 3
    first, second, colours = (
        Stack.of(np.full(shape, k), name=name)
        for k, (name, shape) in enumerate([("DAPI", (2, 6, 6)), ("GFP", (2, 6, 6)), ("RGB", (2, 6, 6, 3))], 1)
    )
    *_, done = iter_measurement(Stack.of(labels), first, also=[second, replace(colours, axes="ZYXC")])
    row = only(done.result)
    assert {name.removeprefix("intensity_mean_"): row[name] for name in mean_columns(row)} == {
        "DAPI": 1,
        "GFP": 2,
        "RGB_c0": 3,
        "RGB_c1": 3,
        "RGB_c2": 3,
    }
    assert column("intensity_mean_GFP").words == "mean intensity GFP"
    assert (column("intensity_sum_RGB_c1").title, column("intensity_sum_RGB_c1").unit) == ("sum", "RGB_c1")
    *_, done = iter_measurement(Stack.of(labels), first, also=[first])
    assert mean_columns(done.result) == ["intensity_mean_DAPI 0", "intensity_mean_DAPI 1"]


def test_pixels_that_are_no_numbers_are_left_out_and_told():
    labels = np.zeros((4, 9), np.uint8)
    labels[:2, :2], labels[:2, 4:6], labels[:2, 7:9] = 1, 2, 3
    image = np.ones((4, 9), np.float32)
    image[0, 0], image[:2, 4:6] = np.nan, np.inf
    *_, note, done = events_of(labels, image)
    assert note == Note("2 objects have NaN or infinite pixels, which are left out of the intensities.")
    assert done.result["intensity_sum"].tolist()[::2] == [3, 4]
    assert np.isnan(done.result["intensity_mean"][1])


def test_planes_and_times_are_counted_the_empty_ones_too():
    labels = np.zeros((2, 3, 20, 20), np.int32)
    labels[0, 1, 2:6, 2:6] = 5
    labels[1, 1, 2:6, 2:6], labels[1, 1, 12:16, 2:6], labels[1, 2, 2:6, 2:6] = 5, 900_000, 5
    table = table_of(labels, labels, axes="TZYX", pixel_um={"T": 30.0, "Z": 2.0, "Y": 1.0, "X": 1.0})
    assert table.counts() == {(0, 0): 0, (0, 1): 1, (0, 2): 0, (1, 0): 0, (1, 1): 2, (1, 2): 1}
    assert table["label"].tolist() == [5, 5, 900_000, 5]
    assert table["z"].tolist() == [1, 1, 1, 2]
    assert table["t"].tolist() == [0, 1, 1, 1]
    assert table["z_um"].tolist() == [2, 2, 2, 4]
    assert table["t_s"].tolist() == [0, 30, 30, 30]


def test_classes_have_a_row_a_plane_however_many_pieces_they_are_in():
    labels = np.zeros((2, 10, 10), np.uint8)
    labels[:, 1:3, 1:3] = labels[:, 6:9, 6:9] = 1
    labels[1, 5] = 2
    table = table_of(labels, labels, kind="classes")
    assert table["label"].tolist() == [1, 1, 2]
    assert table["area_px"].tolist() == [13, 13, 10]
    assert table["area_percent"].tolist() == [13, 13, 10]
    assert not {"eccentricity", "solidity", "touches_border"} & set(table)


def test_of_an_annotation_background_is_no_object():
    labels = np.ones((10, 10), np.uint8)
    labels[2:4, 2:4] = 3
    assert table_of(labels, labels, annotation=True)["label"].tolist() == [3]
    assert table_of(labels, labels)["label"].tolist() == [1, 3]


def test_a_lazy_stack_is_read_a_plane_at_a_time():
    read = []

    def plane(block_info=None):
        place = block_info[None]["array-location"]
        read.append(place)
        made = np.zeros([b - a for a, b in place], np.uint16)
        made[:, 3:6, 3:6] = place[0][0] + 1
        return made

    lazy = da.map_blocks(plane, chunks=((1,) * 4, (16,), (20,)), dtype=np.uint16, meta=np.empty((0, 0, 0), np.uint16))
    events = iter_measurement(Stack.of(lazy), Stack.of(lazy))
    assert not read
    next(events)
    assert {place[0] for place in read} == {(0, 1)}
    *_, done = events
    assert done.result["label"].tolist() == [1, 2, 3, 4]
    assert done.result["intensity_mean"].tolist() == [1, 2, 3, 4]


def test_it_tells_how_far_it_is_within_a_plane_too():
    labels = np.arange(1, 251).reshape(10, 25)
    events = events_of(labels, labels)
    assert events[:-1] == [Measured(100, 0, 1), Measured(200, 0, 1), Measured(250, 0, 1), Measured(250, 1, 1)]
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((10, 11), np.uint8), "my labels are 10 x 11 but the image image is 10 x 10"),
        (np.full((10, 10), 0.5), "my labels holds fractions"),
        (np.full((10, 10), np.nan), "my labels holds fractions"),
        (np.full((10, 10), -1), "my labels holds negative numbers"),
        (np.zeros((10, 10, 3), np.uint8), "my labels has 3 channels"),
    ],
)
def test_labels_that_are_none_are_refused_in_a_sentence(labels, words):
    with pytest.raises(AnnotrainError, match=words):
        events_of(labels, np.zeros((10, 10)))


def test_whole_numbers_stored_as_fractions_are_labels():
    assert table_of(np.array([[0.0, 2.0], [2.0, 0.0]]), np.ones((2, 2)))["label"].tolist() == [2]


@given(arrays(np.uint8, (9, 11), elements=st.integers(0, 4)))
def test_pixels_and_grey_values_are_all_counted_once(labels):
    image = np.arange(99).reshape(9, 11)
    table = table_of(labels, image)
    if not table.n_rows:
        assert not labels.any()
        return
    assert table["area_px"].sum() == np.count_nonzero(labels)
    assert table["intensity_sum"].sum() == image[labels > 0].sum()
    assert table["label"].tolist() == np.unique(labels[labels > 0]).tolist()
    assert np.all((table["solidity"] > 0) & (table["solidity"] <= 1))
    assert np.all(table["minor_axis_px"] <= table["major_axis_px"] + 1e-9)


@given(arrays(np.int64, (5, 6), elements=st.sampled_from([0, 1, 2, 29, 31, 10**12])))
def test_compact_labels_are_the_same_labels(labels):
    numbers, values = compact(labels)
    assert np.array_equal(values[numbers], labels)
    assert values[0] == 0
    assert numbers.max() < len(values)


def test_a_written_table_reads_the_same(tmp_path):
    labels = np.zeros((2, 20, 20), np.uint8)
    labels[0, 2:8, 0:5], labels[1, 5:9, 5:9] = 1, 2
    image = np.random.default_rng(0).random((2, 20, 20))
    image[1, 5:9, 5:9] = np.nan
    table = table_of(labels, image, pixel_um={"Y": 0.3, "X": 0.3})
    write_table(tmp_path / "new" / "cells.csv", table)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["cells.csv"]
    with (tmp_path / "new" / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(table)
    for name, values in table.items():
        read = [row[name] for row in rows]
        if values.dtype == bool:
            assert read == [str(value) for value in values]
        else:
            assert [float(text or "nan") for text in read] == pytest.approx(values, rel=1e-9, nan_ok=True)
    assert rows[1]["intensity_mean"] == ""
    assert rows[0]["area_px"] == "30"


def test_tables_of_several_images_become_one():
    labels = np.ones((6, 6), np.uint8)
    one = table_of(labels, labels)
    two = table_of(labels, np.stack([labels, labels]), axes="CYX", pixel_um={"Y": 1.0, "X": 1.0})
    empty = table_of(np.zeros((6, 6), np.uint8), labels)
    table = join({"a": one, "nothing": empty, "b": two})
    assert table["image"].tolist() == ["a", "b"]
    assert np.isnan(table["area_um2"][0])
    assert table["area_um2"][1] == 36
    assert next(iter(table)) == "image"


def test_the_page_in_the_docs_names_every_column_with_its_meaning():
    page = DOCS.read_text()
    for name in (*FIXED, *(f"intensity_{what}" for what in INTENSITIES)):
        assert f"| `{name}` |" in page, name
        assert column(name).meaning in page, name

"""Cells of a plane that is looked at in windows are those of the whole plane."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage as ndi

from napari_annotrain.metrics import score_cells
from napari_annotrain.objects.components import blocks_of, connect
from napari_annotrain.objects.instances import cells_of, cells_of_classes
from napari_annotrain.objects.plane import label_class_plane, label_plane, reach
from napari_annotrain.objects.room import room_for
from napari_annotrain.objects.rules import CellRules, Expected
from napari_annotrain.objects.windows import fitting


def scores(seed, shape, foreground, scale=3.0):
    """Probabilities with blobs of any shape on a part of the plane, and distances."""
    noise = ndi.gaussian_filter(np.random.default_rng(seed).random(shape), scale)
    noise = (noise - np.quantile(noise, 1 - foreground)) / noise.std()
    return np.stack([np.clip(0.6 + 0.3 * noise, 0, 1), np.clip(0.6 + 0.4 * noise, 0, 1)]).astype(np.float16)


def in_windows(values, rules, most_px, last_id=0):
    out = np.zeros(values.shape[1:], np.int32)
    last = label_plane(lambda box: values[:, *box], out, rules, most_px, last_id)
    assert last == max(last_id, out.max())
    return out


def assert_same_cells(found, wanted):
    """The same cells, whatever their ids."""
    assert np.array_equal(found > 0, wanted > 0)
    pairs = np.unique(np.stack([found[found > 0], wanted[wanted > 0]]), axis=1)
    assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


def too_large(mask, rules, most_px):
    """Which pixels lie in components that fit into no window."""
    parts = ndi.label(mask)[0]
    blocks = blocks_of(mask.shape, 50)
    found = connect(lambda i: mask[blocks[i]], blocks)
    large = ~fitting(found, reach(rules.sigma(rules.area)), most_px, mask.shape)
    names = {int(parts.ravel()[first]) for first in found.firsts[large]}
    return np.isin(parts, list(names))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_windows_give_the_cells_of_the_whole_plane(data):
    shape = tuple(data.draw(st.tuples(st.integers(40, 260), st.integers(40, 260))))
    values = scores(data.draw(st.integers(0, 999)), shape, data.draw(st.sampled_from([0.1, 0.3, 0.45])))
    diameter, hole = data.draw(st.sampled_from([8.0, 14.0])), data.draw(st.sampled_from([0, 30, None]))
    rules = CellRules(None, diameter, None, hole, data.draw(st.sampled_from([0.5, 0.55, 0.6])))
    most_px = data.draw(st.integers(6_000, 30_000))
    wanted = cells_of(*values, rules=rules)
    found = in_windows(values, rules, most_px, last_id=data.draw(st.sampled_from([0, 7])))
    mask = values[0] >= rules.threshold
    mask |= cells_of(mask, rules=CellRules(0, diameter, None, hole)) > 0  # what is closed makes components larger
    large = too_large(mask, rules, most_px)
    assert_same_cells(np.where(large, 0, found), np.where(large, 0, wanted))


@pytest.mark.parametrize("expected", [None, Expected(9, 30), Expected(60, 500)], ids=["unknown", "alike", "other"])
def test_the_size_of_cells_is_measured_over_all_windows(expected):
    values = scores(3, (300, 320), 0.25)[:1]
    rules = CellRules(threshold=0.6, expected=expected)
    assert_same_cells(in_windows(values, rules, 30_000), cells_of(*values, rules=rules))


def test_tissue_of_cells_of_unknown_size_has_cells():
    mask = np.zeros((423, 200), bool)
    mask[:, 33:167] = True
    mask[[6, 28, 50, 68, 87, 105, 125, 156, 184, 216, 242, 269, 302, 331, 359, 385, 411], 99:101] = False
    out = np.zeros(mask.shape, np.int32)
    last = label_class_plane(lambda box: mask[box].astype(np.uint8), out, [1], CellRules(largest_hole_px=0), 40_000)
    assert np.array_equal(out > 0, mask)
    assert last == out.max()


def test_ids_run_on_and_none_is_left_out():
    found = in_windows(scores(1, (200, 200), 0.3), CellRules(cell_diameter_px=9.0), 8_000, last_id=40)
    assert np.array_equal(np.unique(found[found > 0]), np.arange(41, found.max() + 1))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_plane_of_one_value_is_one_cell_or_none(value):
    found = in_windows(np.full((1, 90, 80), value, np.float16), CellRules(), 1_000, last_id=3)
    assert np.all(found == (4 if value else 0))


def tissue(n, pitch, gap):
    """Square cells side by side, each joined to its four neighbours, with a gap at its corners; where each lies."""
    y, x = np.mgrid[: n * pitch, : n * pitch]
    truth = y // pitch * n + x // pitch + 1
    near = np.stack([y % pitch, x % pitch]) < gap
    certain = np.select([near.all(0), near.any(0)], [0.1, 0.62], 0.97)
    return np.stack([certain, np.where(certain < 0.7, 0.1, 1)]).astype(np.float16), truth


def test_cells_of_tissue_are_whole_across_blocks():
    """One region without a gap, nine times as large as what is looked at at once."""
    values, truth = tissue(12, 20, 3)
    rules = CellRules(None, 20.0, None, 0, 0.6)
    found = in_windows(values, rules, 120 * 120)
    assert too_large(values[0] >= 0.6, rules, 120 * 120)[values[0] >= 0.6].all()
    assert score_cells(found, cells_of(*values, rules=rules))["ap"]["0.75"] == 1
    assert score_cells(found, truth)["ap50"] == 1


def test_tissue_is_the_same_wherever_the_blocks_are_asked_for():
    values, _ = tissue(9, 22, 3)
    rules = CellRules(None, 22.0, None, 0, 0.6)
    assert np.array_equal(in_windows(values, rules, 9_000), in_windows(values.copy(), rules, 9_000))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.sampled_from([0.0, None]), st.booleans())
def test_masks_with_many_equal_ways_too(seed, smoothing, to_file):
    mask = np.random.default_rng(seed).random((120, 120)) < 0.55
    mask = ndi.binary_opening(mask, iterations=seed % 2)
    rules = CellRules(0, 8.0, smoothing, 0)
    out, wanted = np.zeros(mask.shape, np.int32), cells_of(mask, rules=rules)
    with TemporaryDirectory() as folder:
        label_plane(lambda box: mask[None, *box], out, rules, 4_000, folder=Path(folder) if to_file else None)
    large = too_large(mask, rules, 4_000)
    assert_same_cells(np.where(large, 0, out), np.where(large, 0, wanted))


def test_room_is_asked_for_before_it_is_written_to(tmp_path, monkeypatch):
    """A file that grows as it is written to ends the process where the disk is full."""
    with room_for((300, 5000), bool, tmp_path) as room:
        assert room.shape == (300, 5000)
        assert not room.any()
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **how: FullDisk())
    with pytest.raises(OSError, match="No space left"), room_for((300, 5000), bool, tmp_path):
        pass


class FullDisk(io.BytesIO):
    def write(self, data):
        raise OSError(28, "No space left on device")


def test_classes_in_windows_are_those_of_the_whole_plane():
    grey = scores(5, (220, 240), 0.5)[0].astype(np.float32)
    classes = np.digitize(grey, [0.55, 0.7]).astype(np.uint8)
    for hole in (0, 25):
        rules = CellRules(None, 9.0, None, hole)
        out = np.zeros(classes.shape, np.int32)
        label_class_plane(lambda box: classes[box], out, [1, 2], rules, 12_000)
        wanted = cells_of_classes(classes, rules)
        large = np.zeros(classes.shape, bool)
        for value in (1, 2):
            mask = classes == value
            mask |= cells_of(mask, rules=CellRules(0, 9.0, None, hole)) > 0
            large |= too_large(mask, rules, 12_000)
        assert (~large & (wanted > 0)).any()
        assert_same_cells(np.where(large, 0, out), np.where(large, 0, wanted))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.tuples(st.integers(1, 60), st.integers(1, 60)), st.integers(1, 25), st.booleans())
def test_components_of_blocks_are_those_of_the_plane(seed, shape, side, diagonal):
    mask = np.random.default_rng(seed).random(shape) < 0.5
    blocks = blocks_of(shape, side)
    found = connect(lambda i: mask[blocks[i]], blocks, diagonal)
    parts, n = ndi.label(mask, np.ones((3, 3)) if diagonal else None)
    assert len(found) == n
    ids = np.zeros(shape, np.int64)
    for i, box in enumerate(blocks):
        ids[box] = found.at(i, mask[box], np.arange(1, n + 1))
    assert_same_cells(ids, parts)
    assert sorted(found.sizes) == sorted(np.bincount(parts.ravel())[1:])
    flat = parts.ravel()
    by_first = sorted(zip(found.firsts.tolist(), found.boxes.tolist(), strict=True))
    for (first, box), (y, x) in zip(by_first, ndi.find_objects(parts), strict=True):
        assert flat[first] == flat[:first].max(initial=0) + 1  # no pixel of it lies before
        assert box == [y.start, x.start, y.stop, x.stop]

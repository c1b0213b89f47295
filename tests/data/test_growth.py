"""What is painted while a training goes on: only what has changed is read, and the result is a new start's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.data.annotation import AnnotatedImage, CompleteRegion
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.feed import Feed, Repainted
from napari_annotrain.data.growth import Growth, grow
from napari_annotrain.data.patchwork import Patchwork
from napari_annotrain.data.stack import Stack
from napari_annotrain.specs import TrainSpec

SPEC = TrainSpec()
SHAPE = (2, 700, 900)
IMAGE = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def annotated(labels, regions=()):
    return AnnotatedImage(Stack.of(IMAGE[: len(labels)]), Stack.of(labels), regions)


def painted():
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, 10:30, 10:60], labels[0, 40:60, 20:50], labels[0, 300:310, 400:420] = 1, 2, 2
    labels[1, 600:620, 800:850] = 1
    return labels


def box_of(plane, y, x):
    return 0, plane, (slice(*y), slice(*x))


def by_place(dataset):
    return {(a.image, a.t, a.z, str(a.box)): a for a in dataset.areas}


def assert_same(one, other):
    """The same areas with the same contents, in any order."""
    one, other = by_place(one), by_place(other)
    assert one.keys() == other.keys()
    for place, area in one.items():
        for name in ("target", "weight", "held_out", "distance", "cells_px"):
            a, b = getattr(area, name), getattr(other[place], name)
            assert (a is None and b is None) or np.array_equal(a, b), (place, name)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["classes", "cells"]))
def test_step_by_step_gives_what_a_new_start_gives(seed, target):
    rng = np.random.default_rng(seed)
    labels = painted()
    dataset = build_dataset([annotated(labels.copy())], target, SPEC)
    for _ in range(3):
        plane, y, x = rng.integers(2), *(int(rng.integers(0, n - 80)) for n in SHAPE[1:])
        height, width = rng.integers(1, 80, 2)
        box = (slice(y, y + int(height)), slice(x, x + int(width)))
        labels[(plane, *box)] = rng.integers(3)
        labels[0, :2, :2] = (1, 2)  # so that no class is ever gone
        news = [Repainted(0, annotated(labels.copy()), ((0, int(plane), box), box_of(0, (0, 2), (0, 2))))]
        dataset = grow(dataset, news, target, SPEC).dataset
    assert_same(dataset, build_dataset([annotated(labels)], target, SPEC))


def test_areas_that_nobody_painted_on_are_not_read_again():
    labels = painted()
    dataset = build_dataset([annotated(labels.copy())], "classes", SPEC)
    labels[0, 35:38, 30:40] = 2
    grown = grow(dataset, [Repainted(0, annotated(labels), (box_of(0, (35, 38), (30, 40)),))], "classes", SPEC)
    before = {id(area.target) for area in dataset.areas}
    assert [id(area.target) in before for area in grown.dataset.areas].count(False) == 1
    assert len(grown.fresh) == 1


def test_a_complete_region_that_is_drawn_or_deleted_counts():
    labels = painted()
    region = CompleteRegion(0, 1, ((100.0, 100.0), (100.0, 180.0), (190.0, 180.0), (190.0, 100.0)))
    dataset = build_dataset([annotated(labels)], "classes", SPEC)
    drawn = grow(dataset, [Repainted(0, annotated(labels, (region,)), ())], "classes", SPEC).dataset
    assert_same(drawn, build_dataset([annotated(labels, (region,))], "classes", SPEC))
    assert_same(grow(drawn, [Repainted(0, annotated(labels), ())], "classes", SPEC).dataset, dataset)


def large():
    labels = np.zeros((1, 700, 900), np.uint8)
    labels[0, :600:4], labels[0, 1:600:4] = 1, 2
    return labels


def test_what_is_held_out_stays_held_out():
    labels = large()
    dataset = build_dataset([annotated(labels.copy())], "classes", SPEC)
    assert dataset.has_validation, "test invalid"
    held_out = mask_of(dataset)
    for box in ((slice(0, 300), slice(0, 300)), (slice(0, 560), slice(0, 900))):  # erase most of it, repaint some
        labels[0][box] = 0
        labels[0, 3:9, :200], labels[0, 10:20, :200] = 1, 2
        news = [Repainted(0, annotated(labels.copy()), ((0, 0, box), box_of(0, (3, 20), (0, 200))))]
        dataset = grow(dataset, news, "classes", SPEC).dataset
        trained = annotated_of(dataset) & ~mask_of(dataset)
        assert trained.any()
        assert not (trained & held_out).any()


def mask_of(dataset):
    mask = np.zeros((700, 900), bool)
    for area in dataset.areas:
        mask[area.box] |= area.held_out
    return mask


def annotated_of(dataset):
    mask = np.zeros((700, 900), bool)
    for area in dataset.areas:
        mask[area.box] |= area.target >= 0
    return mask


def test_blocks_that_were_trained_on_are_never_held_out_later():
    labels = np.zeros((1, 700, 900), np.uint8)
    labels[0, :40, :500], labels[0, 40:60, :500] = 1, 2
    dataset = build_dataset([annotated(labels.copy())], "classes", SPEC)
    assert not dataset.has_validation, "test invalid"
    trained = annotated_of(dataset)
    labels[0, 100:600] = large()[0, 100:600]
    news = [Repainted(0, annotated(labels), (box_of(0, (100, 600), (0, 900)),))]
    grown = grow(dataset, news, "classes", SPEC)
    assert grown.dataset.has_validation
    assert not (mask_of(grown.dataset) & trained).any()
    assert any("keep some of it for validation" in note for note in grown.notes)


def test_a_class_that_comes_too_late_is_left_out_with_a_note():
    labels = painted()
    dataset = build_dataset([annotated(labels.copy())], "classes", SPEC)
    labels[1, 5:9, 5:9] = 3
    grown = grow(dataset, [Repainted(0, annotated(labels), (box_of(1, (5, 9), (5, 9)),))], "classes", SPEC)
    assert_same(grown.dataset, dataset)
    assert any("press Stop, then Train" in note for note in grown.notes)


def test_when_a_class_is_erased_nothing_is_learnt_until_it_is_painted_again():
    labels = painted()
    dataset = build_dataset([annotated(labels.copy())], "classes", SPEC)
    erased = np.where(labels == 2, 0, labels)
    whole = tuple(box_of(z, (0, 700), (0, 900)) for z in range(2))
    without = grow(dataset, [Repainted(0, annotated(erased), whole)], "classes", SPEC)
    assert not without.can_be_learnt
    again = grow(without.dataset, [Repainted(0, annotated(labels), whole)], "classes", SPEC)
    assert again.can_be_learnt
    assert_same(again.dataset, dataset)


def test_an_image_at_another_scale_grows_as_it_would_start():
    labels = painted()[:1]
    dataset = build_dataset([annotated(labels.copy()).rescaled(0.5)], "cells", SPEC)
    labels[0, 100:140, 100:150], labels[0, 140:150, 100:150] = 5, 1
    feed = Feed()
    feed.put(Repainted(0, annotated(labels), (box_of(0, (100, 150), (100, 150)),)))
    grown = Growth(feed, "cells", SPEC, 0.5).take(dataset)
    assert_same(grown.dataset, build_dataset([annotated(labels).rescaled(0.5)], "cells", SPEC))
    assert not feed.waiting


def test_of_an_image_that_waits_the_newest_annotation_and_all_boxes_count():
    feed, first, second = Feed(), annotated(painted()), annotated(painted())
    feed.put(Repainted(0, first, (box_of(0, (0, 1), (0, 1)),)))
    feed.put(Repainted(0, second, (box_of(1, (0, 1), (0, 1)),)))
    (taken,) = feed.take()
    assert taken.image is second
    assert len(taken.boxes) == 2
    assert feed.take() == ()


# --- patchwork ------------------------------------------------------------------------------------------------------


def strips(labels, rows=100):
    return [(z, k, labels[z, k * rows : (k + 1) * rows]) for z in range(len(labels)) for k in range(-(-700 // rows))]


def test_a_patchwork_reads_like_the_array_and_costs_what_is_painted():
    labels = painted()
    copy = Patchwork(labels.shape, labels.dtype, 100)
    for z, k, values in strips(labels):
        copy.put((z,), k, values)
    for window in ((slice(0, 2), slice(0, 700), slice(0, 900)), (slice(1, 2), slice(95, 615), slice(250, 810))):
        assert np.array_equal(copy[window], labels[window])
    assert copy[0:1, 5:5, 3:9].shape == (1, 0, 6)
    assert 0 < copy.n_bytes < labels.nbytes / 5


def test_a_part_of_a_strip_replaces_its_columns_only():
    labels = np.random.default_rng(0).integers(0, 3, (300, 700)).astype(np.uint8)
    copy = Patchwork(labels.shape, labels.dtype, 100)
    for strip in range(3):
        copy.put((), strip, labels[strip * 100 : (strip + 1) * 100])
    labels[100:200, 512:] = 7
    boxes = copy.put((), 1, labels[100:200, 512:], 512)
    assert np.array_equal(copy[:, :], labels)
    assert min(box[1].start for box in boxes) == 512


def test_a_patchwork_tells_what_differs_and_a_copy_stays_as_it_was():
    labels = painted()
    copy = Patchwork(labels.shape, labels.dtype, 100)
    for z, k, values in strips(labels):
        copy.put((z,), k, values)
    before = copy.copy()
    changed = labels.copy()
    changed[0, 35:38, 30:40], changed[1, 600:620] = 2, 0
    boxes = [box for z, k, values in strips(changed) for box in copy.put((z,), k, values)]
    assert (slice(0, 1), slice(35, 38), slice(30, 40)) in boxes
    told = np.zeros(labels.shape, bool)
    for box in boxes:
        told[box] = True
    assert not ((changed != labels) & ~told).any()
    everything = (slice(None),) * 3
    assert np.array_equal(before[everything], labels)
    assert np.array_equal(copy[everything], changed)
    assert len(copy.changed_since(before)) == 2
    assert not copy.changed_since(copy.copy())
    assert copy.put((0,), 0, changed[0, :100]) == []


@pytest.mark.parametrize("index", [1, 7])
def test_an_image_that_was_not_given_waits_for_the_next_training(index):
    dataset = build_dataset([annotated(painted())], "classes", SPEC)
    grown = grow(dataset, [Repainted(index, annotated(painted()), (box_of(0, (0, 9), (0, 9)),))], "classes", SPEC)
    assert grown.dataset is dataset
    assert "from the next training on" in grown.notes[0]

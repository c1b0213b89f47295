import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.data.annotation import AnnotatedImage, CompleteRegion
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.finite import check_finite
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.validation import BLOCK, is_validation
from napari_annotrain.data.weights import IGNORE
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import TrainSpec

SPEC = TrainSpec()
RNG = np.random.default_rng(0)


def annotated(labels, image=None, dense=False, regions=(), name="image"):
    image = RNG.normal(size=labels.shape) if image is None else image
    return AnnotatedImage(Stack.of(image, name=name), Stack.of(labels), regions, dense)


def painted(shape=(40, 40)):
    labels = np.zeros(shape, np.uint8)
    labels[..., 5:8, 5:8], labels[..., 20:22, 30:34] = 1, 2
    return labels


def test_every_painted_pixel_is_in_the_dataset_once_and_nothing_else():
    labels = np.zeros((3, 900, 900), np.uint8)
    labels[0, 10:12, 10:20], labels[2, 390:400, 480:500], labels[2, 200, 5] = 1, 2, 1
    labels[1, 5:895, 5], labels[1, 890, 5:895], labels[1, 300, 700:720] = 2, 2, 1  # a stroke in the box of an L
    dataset = build_dataset([annotated(labels)], "classes", SPEC)
    rebuilt = np.zeros_like(labels)
    for area in dataset.areas:
        rebuilt[area.z][area.box] += np.where(area.target == IGNORE, 0, area.target + 1).astype(np.uint8)
    assert np.array_equal(rebuilt, labels)
    assert len(dataset.areas) == 5
    far_apart = sum(area.target.size for area in dataset.areas if area.z != 1)
    assert far_apart < labels.size / 10, "far apart strokes share no area"


def test_value_n_plus_1_is_class_n():
    labels = painted()
    labels[30, 30] = 4
    assert build_dataset([annotated(labels)], "classes", SPEC).classes == (0, 1, 3)


def test_a_dense_image_of_1_and_2_has_the_classes_1_and_2():
    labels = np.ones((40, 40), np.uint8)
    labels[10:20] = 2
    assert build_dataset([annotated(labels, dense=True)], "classes", SPEC).classes == (1, 2)


def test_cells_of_any_id_are_two_classes_with_a_typical_size():
    labels = np.ones((60, 60), np.int64)
    labels[5:15, 5:15], labels[30:40, 30:40] = 2**31 - 2, 77
    dataset = build_dataset([annotated(labels)], "cells", SPEC)
    assert dataset.classes == (0, 1)
    assert dataset.sizes.diameter_px == pytest.approx(2 * np.sqrt(100 / np.pi))
    assert 0 < dataset.sizes.least_px < 100


@pytest.mark.parametrize(
    ("labels", "target", "words"),
    [
        (np.zeros((40, 40), int), "classes", "Nothing is annotated"),
        (np.eye(40, dtype=int), "classes", "Only background is painted"),
        (2 * np.eye(40, dtype=int), "classes", "Only one class is painted"),
        (2 * np.eye(40, dtype=int), "cells", "Only cells are painted"),
        (np.arange(1600).reshape(40, 40), "classes", "choose the target cells"),
    ],
)
def test_too_little_annotation_is_refused_with_what_to_paint(labels, target, words):
    with pytest.raises(AnnotrainError, match=words):
        build_dataset([annotated(labels)], target, SPEC)


def test_an_image_without_annotation_is_skipped_with_a_note():
    empty = annotated(np.zeros((40, 40), int), name="empty")
    dataset = build_dataset([empty, annotated(painted())], "classes", SPEC)
    assert len(dataset.images) == 1
    assert any("empty was skipped" in note for note in dataset.notes)


def test_images_must_have_the_same_channels():
    two = AnnotatedImage(Stack.of(RNG.normal(size=(2, 40, 40)), "CYX"), Stack.of(painted()))
    with pytest.raises(AnnotrainError, match="same channels"):
        build_dataset([annotated(painted()), two], "classes", SPEC)


def test_a_complete_region_without_a_stroke_counts_as_annotation():
    cell = np.zeros((300, 300), np.uint8)
    cell[10:20, 10:20] = 2
    region = CompleteRegion(0, 0, ((200, 200), (200, 250), (250, 250), (250, 200)))
    dataset = build_dataset([annotated(cell, regions=(region,))], "classes", SPEC)
    assert dataset.n_annotated == (51 * 51, 100) or dataset.n_annotated == (50 * 50, 100)


def test_little_annotation_has_no_validation_and_says_so():
    dataset = build_dataset([annotated(painted())], "classes", SPEC)
    assert not dataset.has_validation
    assert any("Too little" in note for note in dataset.notes)


def grown(n_blocks, shape=(512, 512)):
    """Annotation that covers the first blocks of a plane, row by row, with both classes in each."""
    labels = np.zeros(shape, np.uint8)
    for k in range(n_blocks):
        y, x = divmod(k, shape[1] // BLOCK)
        block = labels[y * BLOCK : (y + 1) * BLOCK, x * BLOCK : (x + 1) * BLOCK]
        block[:] = 1
        block[20:40, 20:40] = 2
    return labels


def test_what_a_model_was_trained_on_never_validates_a_model_that_starts_from_it():
    image = RNG.normal(size=(512, 512))
    small = build_dataset([annotated(grown(16), image)], "classes", SPEC)
    assert not small.has_validation
    assert small.released, "test invalid: no block was chosen"
    fresh = build_dataset([annotated(grown(64), image)], "classes", SPEC)
    later = build_dataset([annotated(grown(64), image)], "classes", SPEC, small.released)
    seen = grown(16) > 0
    held_out = {name: data.areas[0].held_out for name, data in (("fresh", fresh), ("later", later))}
    assert (held_out["fresh"] & seen).any()
    assert later.has_validation
    assert not (held_out["later"] & seen).any()
    assert np.array_equal(held_out["later"] & ~seen, held_out["fresh"] & ~seen)
    assert set(later.released) == set(small.released)


def test_a_renamed_image_keeps_its_validation_blocks():
    image = RNG.normal(size=(512, 512))
    first, second = (build_dataset([annotated(grown(64), image, name=n)], "classes", SPEC) for n in ("a", "b"))
    assert np.array_equal(first.areas[0].held_out, second.areas[0].held_out)


def test_a_rare_new_class_does_not_undo_the_validation():
    labels = grown(64)
    image = RNG.normal(size=(512, 512))
    held_out = build_dataset([annotated(labels, image)], "classes", SPEC).areas[0].held_out
    y, x = np.argwhere(~held_out)[0]
    labels[y, x] = 5
    assert np.array_equal(build_dataset([annotated(labels, image)], "classes", SPEC).areas[0].held_out, held_out)


def test_much_annotation_has_about_the_asked_share_of_validation():
    labels = np.kron(RNG.integers(0, 2, (48, 48)), np.ones((16, 16))).astype(np.uint8)
    dataset = build_dataset([annotated(labels, dense=True)], "classes", SPEC)
    share = sum(area.held_out.sum() for area in dataset.areas) / labels.size
    assert 0.05 < share < 0.3


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200), st.integers(1, 200))
def test_a_pixel_is_validation_or_not_however_the_annotation_around_it_grows(y, x, height, width):
    whole = is_validation("image", 0, 3, (slice(0, 512), slice(0, 512)), 0.15)
    part = is_validation("image", 0, 3, (slice(y, y + height), slice(x, x + width)), 0.15)
    assert np.array_equal(part, whole[y : y + height, x : x + width])
    assert BLOCK == 64, "the blocks of earlier sessions must stay the same"


def test_planes_known_to_be_unpainted_are_not_read():
    labels = np.zeros((4, 40, 40), np.uint8)
    labels[1] = painted()

    class Guarded:
        shape, dtype = labels.shape, labels.dtype

        def __getitem__(self, key):
            assert key[0] == slice(1, 2), "an unpainted plane was read"
            return labels[key]

    image = AnnotatedImage(Stack.of(RNG.normal(size=labels.shape)), Stack.of(Guarded()), planes=frozenset({(0, 1)}))
    assert {(area.t, area.z) for area in build_dataset([image], "classes", SPEC).areas} == {(0, 1)}


def test_cells_of_huge_ids_train_as_small_ones_do():
    labels = np.zeros((60, 60), np.uint64)
    labels[5:15, 5:15], labels[30:40, 30:40] = 2**33, 2 * 2**33
    image = RNG.normal(size=labels.shape)
    huge, small = (
        build_dataset([annotated(ids, image, dense=True)], "cells", SPEC)
        for ids in (labels, (labels // 2**33).astype(np.uint8))
    )
    assert np.array_equal(huge.areas[0].target, small.areas[0].target)
    assert huge.sizes == small.sizes


def bad_images():
    values = RNG.normal(size=(40, 40))
    values[3, 3] = np.nan
    return {
        "bad holds fractions": annotated(painted() / 3, name="bad"),
        "bad has the same value everywhere": annotated(painted(), np.full((40, 40), 7), name="bad"),
        "bad holds NaN or infinite values": annotated(painted(), values, name="bad"),
    }


@pytest.mark.parametrize("words", bad_images())
def test_an_image_that_turns_out_bad_while_it_is_read_is_skipped_only_where_allowed(words):
    bad = bad_images()[words]
    with pytest.raises(AnnotrainError, match=words):
        build_dataset([bad, annotated(painted())], "classes", SPEC)
    dataset = build_dataset([bad, annotated(painted())], "classes", SPEC, skip_bad=True)
    assert (len(dataset.images), dataset.failed) == (1, ("bad",))
    assert any(words in note for note in dataset.notes)
    with pytest.raises(AnnotrainError, match=f"None of the 2 images can be trained on; .* {words}"):
        build_dataset([bad, bad], "classes", SPEC, skip_bad=True)


def with_nan(shape, *where):
    image = RNG.normal(size=shape).astype(np.float32)
    image[where] = np.nan
    return image


@pytest.mark.parametrize(("column", "refused"), [(3000, False), (160, True), (129, True), (25, True)])
def test_of_a_large_image_only_what_training_reads_must_be_numbers(monkeypatch, column, refused):
    monkeypatch.setattr(Stack, "overview", lambda stack: np.array([[0.0, 1.0]]))  # none of the NaN is in the sample
    labels = np.zeros((60, 4000), np.uint8)
    labels[5:8, 5:8], labels[20:22, 30:100] = 1, 2
    image = annotated(labels, with_nan(labels.shape, 30, column))
    if refused:
        with pytest.raises(AnnotrainError, match="holds NaN or infinite values"):
            build_dataset([image], "classes", SPEC, context_px=64)
    else:
        build_dataset([image], "classes", SPEC, context_px=64)


def test_the_search_for_nan_reads_strips_of_the_painted_plane_only(monkeypatch):
    labels = np.zeros((3, 300, 200), np.uint8)
    labels[1, :, 5:8], labels[1, :, 20:22] = 1, 2
    values = RNG.normal(size=labels.shape)
    read = []

    class Spy:
        shape, dtype = values.shape, values.dtype

        def __getitem__(self, key):
            read.append(values[key].shape)
            assert key[0] == slice(1, 2), "an unpainted plane was read"
            return values[key]

    monkeypatch.setattr("napari_annotrain.data.finite.STRIP_PIXELS", 3000)
    check_finite(Stack.of(Spy()), np.zeros((1, 9)), [(0, 1, (slice(0, 300), slice(5, 22)))], 40)
    assert read == [(1, 48, 62)] * 6 + [(1, 12, 62)]

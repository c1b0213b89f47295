import numpy as np
import pytest

from napari_annotrain.data.paired import PairedImage, build_paired
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import ImageSpec, TrainSpec
from tests.conftest import draw_discs


def pair(shape=(400, 400), seed=0, target=None, axes=None):
    image = draw_discs(shape, seed)[0].astype(np.float32)
    return PairedImage(Stack.of(image), Stack.of(image if target is None else target(image), axes))


def build(images, target_range="auto", **more):
    return build_paired(images, TrainSpec(image=ImageSpec(target_range=target_range)), **more)


def test_a_target_of_the_same_units_takes_the_range_of_its_image():
    dataset = build([pair(target=lambda i: i + 20)])
    assert dataset.target_range == ()
    assert dataset.residual
    assert dataset.target_normalisations == dataset.normalisations
    assert "range of the image" in dataset.notes[0]


def test_a_target_of_other_units_has_a_range_of_its_own():
    dataset = build([pair(target=lambda i: -3 * i), pair(seed=1, target=lambda i: -3 * i)])
    ((low, high),) = dataset.target_range
    assert low < -1500 < -1000 < high < 0
    assert not dataset.residual
    assert dataset.target_normalisations[0].high == (high,)


def test_several_channels_are_no_range_of_the_image():
    both = [pair(target=lambda i: np.stack([i, 2 * i]), axes="CYX")]
    assert len(build(both).target_range) == build(both).n_targets == 2
    with pytest.raises(AnnotrainError, match="choose the range auto or training"):
        build(both, "own")


def test_validation_blocks_hang_on_the_image_alone():
    first = build([pair()])
    assert len(first.held_out) >= 3
    again = build([pair(seed=1), pair()])
    blocks = {(b.y, b.x) for b in again.held_out if b.image == 1}
    assert blocks == {(b.y, b.x) for b in first.held_out}


def test_of_a_small_image_all_is_trained_on():
    dataset = build([pair((100, 100))])
    assert dataset.held_out == ()
    assert "too small" in dataset.notes[-1]


def test_images_that_cannot_be_used_are_refused_or_left_out():
    flat = PairedImage(Stack.of(np.zeros((64, 64))), Stack.of(np.ones((64, 64))))
    with pytest.raises(AnnotrainError, match="same value everywhere"):
        build([pair(), flat])
    dataset = build([pair(), flat], skip_bad=True)
    assert dataset.failed == ("image",)
    assert len(dataset.images) == 1


def test_another_shape_or_other_channels_are_refused():
    with pytest.raises(AnnotrainError, match="is 64 x 72 but its target is 64 x 64"):
        PairedImage(Stack.of(np.zeros((64, 72))), Stack.of(np.zeros((64, 64))))
    colour = PairedImage(Stack.of(np.random.default_rng(0).random((64, 64, 3)), "YXC"))
    with pytest.raises(AnnotrainError, match="same channels"):
        build([pair(), colour])

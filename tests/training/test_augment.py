import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.specs import AugmentSpec
from napari_annotrain.training.augment import apply, draw, window_size

NOTHING = AugmentSpec(elastic_px=0, rotate_deg=0, scale=1, flip=False, contrast=0, brightness=0, gamma=1, noise=0)
PATCH = 32


def batch_of(spec, seed=0, batch=3, values=5):
    size = window_size(spec, PATCH)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(batch, 2, size, size, generator=generator)
    maps = torch.randint(0, values, (batch, 2, size, size), generator=generator).float()
    return images, maps


def test_no_augmentation_is_the_identity():
    images, maps = batch_of(NOTHING)
    out, labels = apply(draw(np.random.default_rng(0), NOTHING, 3, PATCH), NOTHING, PATCH, images, maps)
    assert images.shape[-1] == PATCH
    assert torch.allclose(out, images, atol=1e-5)
    assert torch.equal(labels, maps)


def test_a_window_with_room_is_cut_in_its_middle():
    spec = NOTHING.model_copy(update={"elastic_px": 3.0})
    images, maps = batch_of(spec)
    still = draw(np.random.default_rng(0), spec, 3, PATCH)
    still.coarse[:] = 0
    out, labels = apply(still, spec, PATCH, images, maps)
    off = (images.shape[-1] - PATCH) // 2
    middle = (..., slice(off, off + PATCH), slice(off, off + PATCH))
    assert torch.allclose(out, images[middle], atol=1e-5)
    assert torch.equal(labels, maps[middle])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 15), st.floats(0, 180), st.floats(1, 1.5))
def test_labels_never_gain_a_value_and_same_seed_is_same_result(seed, elastic, angle, scale):
    spec = AugmentSpec(elastic_px=elastic, rotate_deg=angle, scale=scale)
    images, maps = batch_of(spec)
    maps = maps * 7
    first = apply(draw(np.random.default_rng(seed), spec, 3, PATCH), spec, PATCH, images, maps)
    again = apply(draw(np.random.default_rng(seed), spec, 3, PATCH), spec, PATCH, images, maps)
    assert set(first[1].unique().tolist()) <= set(maps.unique().tolist())
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_image_and_labels_move_by_the_same_field():
    spec = AugmentSpec(contrast=0, brightness=0, gamma=1, noise=0)
    size = window_size(spec, 64)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    disc = ((y - size / 2) ** 2 + (x - size / 2) ** 2 < 20**2).float().expand(4, 1, size, size)
    out, labels = apply(draw(np.random.default_rng(1), spec, 4, 64), spec, 64, disc, disc)
    # the nearest of four pixels has at least a quarter of the bilinear weight
    assert (out - labels).abs().max() < 0.76
    assert not torch.allclose(labels[0], labels[1]), "test invalid: nothing was deformed"


def test_the_batch_is_what_the_patches_are_one_by_one():
    spec = AugmentSpec(noise=0)
    images, maps = batch_of(spec)
    drawn = draw(np.random.default_rng(5), spec, 3, PATCH)
    together = apply(drawn, spec, PATCH, images, maps)
    for i in range(3):
        one = type(drawn)(
            *(getattr(drawn, f)[i : i + 1] for f in ("coarse", "matrix", "gain", "shift", "gamma", "noise")), 0
        )
        alone = apply(one, spec, PATCH, images[i : i + 1], maps[i : i + 1])
        assert torch.allclose(together[0][i], alone[0][0], atol=1e-5)
        assert torch.equal(together[1][i], alone[1][0])


def test_displacements_are_gaussian_with_the_asked_deviation():
    spec = AugmentSpec(elastic_px=10)
    coarse = draw(np.random.default_rng(0), spec, 500, 128).coarse
    assert coarse.std() == pytest.approx(10, rel=0.05)
    assert abs(coarse.mean()) < 0.2


@pytest.mark.parametrize("patch", [31, 32, 196])
def test_no_deformation_leaves_its_window(patch):
    spec = AugmentSpec(elastic_px=8, scale=1.5)
    size = window_size(spec, patch)
    maps = torch.ones(16, 1, size, size)
    _, labels = apply(draw(np.random.default_rng(3), spec, 16, patch), spec, patch, maps, maps)
    assert (labels == 1).all(), "a pixel outside of the window would be 0"
    assert (size - patch) % 2 == 0

"""Images at another scale, resampled while they are read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import rescale

from napari_annotrain.data.resampled import enlarge, needed, resample
from napari_annotrain.data.stack import Stack

scales = st.floats(0.1, 4)


def image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 60_000, (height, width)).astype(np.uint16)


def whole(stack):
    return stack.read(0, (slice(0, 1), slice(0, stack.shape[3]), slice(0, stack.shape[4])))[0, 0]


@given(st.integers(1, 60), st.integers(1, 60), scales, st.data())
def test_any_window_agrees_with_the_whole(height, width, scale, data):
    stack = resample(Stack.of(image(height, width), "YX"), scale)
    everything = whole(stack)
    box = []
    for n in everything.shape:
        start = data.draw(st.integers(0, n - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, n))))
    assert np.array_equal(stack.read(0, (slice(0, 1), *box))[0, 0], everything[tuple(box)])


@given(st.integers(1, 60), scales)
def test_a_flat_image_stays_flat_and_labels_are_never_mixed(side, scale):
    flat = resample(Stack.of(np.full((side, side), 7, np.uint8), "YX"), scale)
    assert np.allclose(whole(flat), 7)
    labels = resample(Stack.of(image(side, side) % 5, "YX"), scale, labels=True)
    assert set(np.unique(whole(labels))) <= {0, 1, 2, 3, 4}
    assert whole(labels).dtype == np.uint16


def test_reduced_images_are_those_of_scikit_image_away_from_the_border():
    pixels = np.random.default_rng(0).random((80, 80)).astype(np.float32)
    ours = whole(resample(Stack.of(pixels, "YX"), 0.5))
    theirs = rescale(pixels, 0.5, order=1, anti_aliasing=True, anti_aliasing_sigma=0.5)
    assert np.abs(ours - theirs)[4:-4, 4:-4].max() < 0.01


def test_what_is_not_a_number_stays_so_and_spreads_no_farther_than_a_pixel():
    pixels = np.ones((40, 40), np.float32)
    pixels[20:24, 20:24] = np.nan
    small = whole(resample(Stack.of(pixels, "YX"), 0.5))
    assert np.isnan(small[10:12, 10:12]).all()
    assert np.isnan(small).sum() <= 9


@given(st.integers(1, 50), st.integers(1, 50), scales, st.data())
def test_results_brought_back_agree_whatever_part_is_asked_for(height, width, scale, data):
    small = resample(Stack.of(image(height, width), "YX"), scale)
    shape = small.shape[3:]
    values = whole(small)
    full = (slice(0, height), slice(0, width))
    expected = enlarge(values, (slice(0, shape[0]), slice(0, shape[1])), full, scale, shape)
    assert expected.shape == (height, width)
    box = []
    for n in (height, width):
        start = data.draw(st.integers(0, n - 1))
        box.append(slice(start, data.draw(st.integers(start + 1, n))))
    seen = needed(tuple(box), scale, shape)
    found = enlarge(values[seen], seen, tuple(box), scale, shape)
    assert np.allclose(found, expected[tuple(box)])


@pytest.mark.parametrize("axes", ["TYXC", "ZYX", "CYX"])
def test_other_axes_stay_as_they_are_and_pixels_become_larger(axes):
    shape = [20 if a in "YX" else 3 for a in axes]
    stack = resample(Stack.of(np.zeros(shape, np.uint8), axes, pixel_um={"Y": 0.5, "X": 0.5, "Z": 2.0}), 0.5)
    assert stack.array.shape == tuple(10 if a in "YX" else 3 for a in axes)
    assert stack.pixel_um == {"Y": 1.0, "X": 1.0, "Z": 2.0}


@pytest.mark.parametrize("scale", [0.8, 0.42, 0.13])
def test_thin_strokes_do_not_get_lost_where_an_image_is_reduced(scale):
    lines = np.zeros((200, 200), np.uint8)
    lines[5::20] = 1
    small = whole(resample(Stack.of(lines, "YX"), scale, labels=True, strokes=True))
    assert len(np.flatnonzero(small.any(1) & ~np.roll(small.any(1), 1))) == 10
    assert set(np.unique(small)) == {0, 1}

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_annotrain.data.normalise import Normalisation, measure, merge, percentiles
from napari_annotrain.data.stack import Stack
from napari_annotrain.specs import NormaliseSpec

RNG = np.random.default_rng(0)


def test_percentiles_become_0_and_1():
    image = np.arange(10_000.0).reshape(100, 100)
    found = measure(Stack.of(image), NormaliseSpec(low=10, high=90))
    assert found.low[0] == pytest.approx(999.9)
    assert found.high[0] == pytest.approx(8999.1)
    out = found.apply(image[None])
    assert (out < 0).mean() == pytest.approx(0.1, abs=0.001)
    assert (out > 1).mean() == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize(("mode", "low", "high"), [("minmax", 3, 9), ("meanstd", 5, 5 + np.sqrt(6)), ("none", 0, 1)])
def test_the_other_modes(mode, low, high):
    found = measure(Stack.of(np.array([[3, 3], [5, 9]])), NormaliseSpec(mode=mode))
    assert found.low[0] == pytest.approx(low)
    assert found.high[0] == pytest.approx(high)


def test_channels_are_measured_apart_or_together():
    image = np.stack([RNG.normal(0, 1, (50, 50)), RNG.normal(100, 1, (50, 50))])
    apart = measure(Stack.of(image, "CYX"), NormaliseSpec())
    together = measure(Stack.of(image, "CYX"), NormaliseSpec(scope="image"))
    assert apart.low[1] > apart.high[0]
    assert together.low[0] == together.low[1] < 10


def test_all_planes_are_measured_together():
    image = np.stack([np.full((20, 20), 10.0), np.full((20, 20), 20.0)])
    assert measure(Stack.of(image), NormaliseSpec(mode="minmax")) == Normalisation((10.0,), (20.0,))


def test_a_few_bright_pixels_on_black_still_make_a_range():
    image = np.zeros((100, 100), np.uint8)
    image[5, 5] = 200
    assert measure(Stack.of(image), NormaliseSpec()).high[0] == 200


@pytest.mark.parametrize("values", [np.zeros((9, 9)), np.full((9, 9), 7, np.uint16), np.full((9, 9), np.nan)])
def test_no_contrast_is_told_and_becomes_zero(values):
    found = measure(Stack.of(values), NormaliseSpec())
    assert found.is_constant
    assert not found.apply(values[None]).any()


def test_what_is_not_a_number_neither_counts_nor_spreads():
    image = RNG.random((30, 30))
    image[3, 3], image[4, 4] = np.nan, np.inf
    found = measure(Stack.of(image), NormaliseSpec(mode="minmax"))
    assert 0 <= found.low[0] < found.high[0] <= 1
    assert np.isfinite(found.apply(image[None])).all()


@given(st.sampled_from(["uint8", "uint16", "int16", ">u2", ">f4", "float64", "bool"]), st.integers(0, 99))
def test_a_window_is_normalised_as_the_whole_is(dtype, seed):
    image = (np.random.default_rng(seed).random((1, 30, 40)) * 200).astype(dtype)
    found = measure(Stack.of(image[0]), NormaliseSpec())
    whole = found.apply(image)
    assert whole.dtype == np.float32
    assert np.array_equal(found.apply(image[:, 5:9, 7:30]), whole[:, 5:9, 7:30])


def test_a_training_set_has_the_median_range_of_its_images():
    ranges = [Normalisation((float(k),), (float(10 * k),)) for k in (1, 2, 9)]
    assert merge(ranges) == Normalisation((2.0,), (20.0,))


def test_a_stack_with_an_empty_middle_is_not_taken_for_constant():
    stack = np.zeros((3, 2000, 1500), np.uint16)
    stack[2, 700:710, 3:50] = 900
    found = measure(Stack.of(stack), NormaliseSpec())
    assert found == Normalisation((0.0,), (900.0,))


def test_the_range_comes_from_all_planes_of_a_large_stack():
    stack = np.random.default_rng(0).integers(0, 100, (5, 1500, 1500)).astype(np.uint16)
    stack[2] //= 10
    assert measure(Stack.of(stack), NormaliseSpec()).high[0] > 90


@pytest.mark.parametrize("dtype", ["uint32", "int64", "float64"])
def test_small_steps_on_large_numbers_are_kept(dtype):
    image = (10**9 + np.arange(100)).astype(dtype).reshape(10, 10)
    out = measure(Stack.of(image), NormaliseSpec(mode="minmax")).apply(image[None])
    assert len(np.unique(out)) == 100


@given(
    arrays(st.sampled_from([np.uint8, np.uint16, np.int16, np.float32, np.dtype(">u2")]), st.integers(1, 300)),
    st.tuples(st.floats(0, 100), st.floats(0, 100)),
)
def test_percentiles_are_those_of_numpy(values, shares):
    values = np.nan_to_num(values, posinf=0, neginf=0)
    assert np.allclose(percentiles(values, shares), np.percentile(values, shares), rtol=1e-6)


def test_percentiles_of_more_values_than_are_counted_at_once():
    values = np.random.default_rng(0).integers(0, 5000, 150_001).astype(np.uint16)
    assert np.array_equal(percentiles(values, (1, 50, 99.8)), np.percentile(values, (1, 50, 99.8)))

import pickle
from itertools import combinations, permutations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.axes import CANONICAL
from napari_annotrain.data.stack import SAMPLED_PLANES, Stack, paste
from napari_annotrain.errors import AnnotrainError

LENGTH = {"T": 3, "C": 2, "Z": 4, "Y": 7, "X": 5}
WHOLE = np.arange(3 * 2 * 4 * 7 * 5, dtype=np.uint16).reshape(tuple(LENGTH.values()))
ORDERS = ["".join(o) for n in range(4) for others in combinations("TCZ", n) for o in permutations((*others, "Y", "X"))]
KINDS = {
    "numpy": np.asarray,
    "dask": lambda array: da.from_array(array, chunks=2),
    "zarr": lambda array: zarr.array(array, chunks=(2,) * array.ndim),
}


def stored(axes: str) -> np.ndarray:
    """WHOLE with these axes in this order; the others are cut to their first entry."""
    part = WHOLE[tuple(slice(None) if a in axes else 0 for a in CANONICAL)]
    kept = [a for a in CANONICAL if a in axes]
    return part.transpose([kept.index(a) for a in axes])


@st.composite
def windows(draw, least=0):
    """Axes, a time point and a Z, Y, X window inside an array of these axes, at least so long each way."""
    axes = draw(st.sampled_from(ORDERS))
    length = {a: LENGTH[a] if a in axes else 1 for a in CANONICAL}
    starts = [draw(st.integers(0, length[a] - least)) for a in "ZYX"]
    window = tuple(
        slice(start, draw(st.integers(start + least, length[a]))) for a, start in zip("ZYX", starts, strict=True)
    )
    return axes, draw(st.integers(0, length["T"] - 1)), window


@settings(deadline=None)
@given(windows(), st.sampled_from(sorted(KINDS)))
def test_a_window_of_any_order_equals_the_transposed_array(case, kind):
    axes, t, window = case
    stack = Stack.of(KINDS[kind](stored(axes)), axes)
    whole = WHOLE[tuple(slice(None) if a in axes else slice(0, 1) for a in CANONICAL)]

    part = stack.read(t, window)

    assert isinstance(part, np.ndarray)
    assert part.dtype == np.uint16
    np.testing.assert_array_equal(part, whole[(t, slice(None), *window)])


@settings(deadline=None)
@given(windows(least=1), st.sampled_from(["numpy", "zarr"]))
def test_what_is_pasted_is_read_there_and_nowhere_else(case, kind):
    axes, t, window = case
    target = KINDS[kind](np.zeros_like(stored(axes)))
    size = tuple(w.stop - w.start for w in window)
    values = np.random.default_rng(0).integers(1, 99, (2, 1, *size)).astype(np.uint16)

    paste(target, axes, (slice(t, t + 1), *window), values if "C" in axes else values[0])

    part = Stack.of(target, axes).read(t, window)
    np.testing.assert_array_equal(part, values[:, 0] if "C" in axes else values[:1, 0])
    assert np.count_nonzero(np.asarray(target[:])) == part.size


@pytest.mark.parametrize("axes", ORDERS)
def test_shapes(axes):
    stack = Stack.of(stored(axes), axes)
    assert stack.shape == tuple(LENGTH[a] if a in axes else 1 for a in CANONICAL)
    assert stack.n_channels == (2 if "C" in axes else 1)
    assert stack.n_planes == (3 if "T" in axes else 1) * (4 if "Z" in axes else 1)
    assert stack.label_axes == axes.replace("C", "")
    assert stack.label_shape == tuple(LENGTH[a] for a in stack.label_axes)


def test_axes_are_guessed_or_checked():
    assert Stack.of(np.zeros((9, 20, 20))).axes == "ZYX"
    with pytest.raises(AnnotrainError, match="name 2 dimensions but the image has 3"):
        Stack.of(np.zeros((9, 20, 20)), "YX")
    with pytest.raises(AnnotrainError, match="scan is empty"):
        Stack.of(np.zeros((0, 20, 20)), name="scan")


def test_a_stack_travels_to_another_process():
    stack = Stack.of(stored("ZYX"), "ZYX", "scan", pixel_um={"X": 0.5})
    again = pickle.loads(pickle.dumps(stack))
    assert (again.name, again.axes, again.pixel_um) == ("scan", "ZYX", {"X": 0.5})
    assert pickle.loads(pickle.dumps(Stack.of(stored("YX")))).pixel_um == {}


class Spy:
    """An array that counts the values it hands out."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.n_read = array, array.shape, array.dtype, 0

    def __getitem__(self, key):
        part = self.array[key]
        self.n_read += part.size
        return part


@settings(deadline=None)
@given(
    st.sampled_from(ORDERS),
    st.tuples(*(st.integers(1, n) for n in (5, 3, 6, 40, 30))),
    st.integers(1, 3000),
)
def test_an_overview_keeps_its_budget_and_reads_no_more(axes, lengths, budget):
    length = dict(zip(CANONICAL, lengths, strict=True))
    shape = tuple(length[a] for a in axes)
    spy = Spy(np.random.default_rng(0).integers(0, 100, shape))
    stack = Stack.of(spy, axes)

    overview = stack.overview(budget)

    # One row is the least that is read, and the last row may be one too many.
    assert overview.shape[1] <= max(budget, length["X"]) + length["X"]
    assert overview.shape[0] == stack.n_channels
    assert spy.n_read == overview.size
    np.testing.assert_array_equal(overview, stack.overview(budget))
    if spy.array.size <= budget:
        assert overview.shape[1] * stack.n_channels == spy.array.size


def test_an_overview_spreads_over_planes():
    planes = np.broadcast_to(np.arange(20)[:, None, None], (20, 10, 10))
    values = np.unique(Stack.of(planes, "ZYX").overview(500))
    assert len(values) == SAMPLED_PLANES
    assert np.diff(values).max() <= 2, "evenly spread"
    assert values[0] <= 2
    assert values[-1] >= 17


def test_an_overview_comes_from_the_finest_level_that_fits():
    levels = [np.full((n, n), n) for n in (64, 32, 16)]
    spy = Spy(levels[0])
    stack = Stack.of(spy, "YX", levels=tuple(levels[1:]))
    assert np.unique(stack.overview(64 * 64)) == [64]
    assert np.unique(stack.overview(32 * 32)) == [32]
    spy.n_read = 0
    assert np.unique(stack.overview(100)) == [16]
    assert spy.n_read == 0


def test_a_window_of_a_lazy_array_computes_only_its_chunks():
    computed = []

    def block(block_info=None):
        computed.append(block_info[None]["chunk-location"])
        return np.zeros(block_info[None]["chunk-shape"], np.uint8)

    lazy = da.map_blocks(
        block, chunks=((1,) * 50, (64, 64), (64, 64)), dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8)
    )
    part = Stack.of(lazy, "ZYX").read(0, (slice(7, 8), slice(0, 64), slice(60, 70)))
    assert part.shape == (1, 1, 64, 10)
    assert sorted(computed) == [(7, 0, 0), (7, 0, 1)]


@given(st.sampled_from(ORDERS), st.tuples(*(st.integers(1, n) for n in (3, 3, 3, 150, 20))))
def test_bands_are_the_whole_image(axes, lengths):
    length = dict(zip(CANONICAL, lengths, strict=True))
    values = np.random.default_rng(0).integers(0, 100, tuple(length[a] for a in axes))
    stack = Stack.of(values, axes)
    bands = np.concatenate(list(stack.bands()), axis=1)
    assert bands.shape == (stack.n_channels, values.size // stack.n_channels)
    assert np.array_equal(np.bincount(bands.ravel()), np.bincount(values.ravel()))

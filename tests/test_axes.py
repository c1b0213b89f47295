from itertools import combinations, permutations

import pytest

from napari_annotrain.axes import CANONICAL, guess_axes, parse_axes, without_channel
from napari_annotrain.errors import AnnotrainError

VALID = [
    "".join(order) for n in range(4) for others in combinations("TCZ", n) for order in permutations((*others, "Y", "X"))
]


@pytest.mark.parametrize("axes", VALID)
def test_every_order_of_known_axes_is_kept(axes):
    assert parse_axes(axes, len(axes)) == axes


def test_samples_and_small_letters_are_understood():
    assert parse_axes("yxs", 3) == "YXC"
    assert parse_axes("tczyx", 5) == CANONICAL


@pytest.mark.parametrize("axes", ["ZZYX", "SCYX", "ZX", "ZY", "", "QYX", "Y X", "XYÉ"])
def test_axes_that_mean_nothing_are_refused(axes):
    with pytest.raises(AnnotrainError, match="cannot be read: use each of"):
        parse_axes(axes, len(axes))


@pytest.mark.parametrize(("axes", "ndim"), [("YX", 3), ("TCZYX", 4)])
def test_axes_need_one_letter_a_dimension(axes, ndim):
    with pytest.raises(AnnotrainError, match=f"name {len(axes)} dimensions but the image has {ndim}"):
        parse_axes(axes, ndim)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((512, 512), "YX"),
        ((3, 4), "YX"),
        ((40, 512, 512), "ZYX"),
        ((3, 512, 512), "ZYX"),
        ((256, 320, 3), "YXC"),
        ((256, 320, 4), "YXC"),
        ((256, 320, 5), "ZYX"),
        ((5, 4, 4), "ZYX"),
        ((20, 256, 320, 3), "ZYXC"),
        ((20, 2, 256, 320), "ZCYX"),
        ((2, 20, 256, 320), "CZYX"),
        ((2, 3, 256, 320), "ZCYX"),
        ((10, 20, 256, 320), "TZYX"),
        ((10, 2, 20, 256, 320), "TCZYX"),
        ((10, 20, 256, 320, 3), "TZYXC"),
    ],
)
def test_guess_from_shape(shape, axes):
    assert guess_axes(shape) == axes
    assert parse_axes(axes, len(shape)) == axes, "a guess must be valid"


@pytest.mark.parametrize("shape", [(), (5,), (2, 2, 2, 2, 9, 9), (2, 2, 2, 9, 9, 3)])
def test_too_few_or_too_many_dimensions_are_refused(shape):
    with pytest.raises(AnnotrainError, match=f"An image of {len(shape)} dimensions"):
        guess_axes(shape)


@pytest.mark.parametrize(("axes", "labels"), [("YXC", "YX"), ("TCZYX", "TZYX"), ("ZYX", "ZYX")])
def test_labels_have_no_channel(axes, labels):
    assert without_channel(axes) == labels

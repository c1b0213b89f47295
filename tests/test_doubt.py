"""Doubt by block: sums that do not depend on how the plane is cut, and places that lie apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.metrics.doubt import BLOCK_PX, Blocks, Doubt, entropy, is_close, worst_apart
from napari_annotrain.metrics.suspects import PIECE_PX, Suspect, judge, pieces


def test_entropy_is_0_when_sure_and_1_when_all_are_equal():
    p = np.zeros((3, 1, 2))
    p[0, 0, 0] = 1
    p[:, 0, 1] = 1 / 3
    assert entropy(p)[0] == pytest.approx([0, 1], abs=1e-6)
    with pytest.raises(ValueError, match="two classes"):
        entropy(np.ones((1, 2, 2)))


def test_close_means_that_two_classes_are_nearly_equal():
    p = np.array([[[0.6, 0.9]], [[0.4, 0.1]]])
    assert is_close(p).tolist() == [[True, False]]


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 250), st.integers(0, 250))
def test_blocks_are_the_same_however_the_plane_is_cut(height, width, cut_y, cut_x):
    inside = np.random.default_rng(height * 201 + width).random((height, width))
    p = np.stack([1 - inside, inside])
    whole, parts = Blocks((height, width)), Blocks((height, width))
    whole.add((slice(0, height), slice(0, width)), p)
    for y in (slice(0, min(cut_y, height)), slice(min(cut_y, height), height)):
        for x in (slice(0, min(cut_x, width)), slice(min(cut_x, width), width)):
            if y.start < y.stop and x.start < x.stop:
                parts.add((y, x), p[:, y, x])
    assert np.allclose(whole.doubt, parts.doubt)
    assert (whole.close == parts.close).all()
    assert (whole.seen == parts.seen).all()
    assert whole.seen.sum() == height * width


def test_painted_blocks_are_left_out_and_their_neighbours_are_said_to_be_near():
    blocks = Blocks((64, 64 * 4))
    blocks.add((slice(0, 64), slice(0, 256)), np.full((2, 64, 256), 0.5))
    found = blocks.places(np.array([[True, False, False, False]]), 0, 3, 1, 9)
    assert [(one.box[1].start, one.near) for one in found] == [(64, True), (128, False), (192, False)]
    assert str(found[1]) == (
        "Plane 3: the model is in doubt about 4,096 px here (probability near one half) "
        "and nothing is painted within 64 px."
    )
    assert "in this square of 64 px" in str(found[0])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 6), st.floats(0, 1)), max_size=40))
def test_the_worst_comes_first_and_none_is_beside_another(values):
    places = [
        Doubt(0, z, (slice(y * BLOCK_PX, (y + 1) * BLOCK_PX), slice(x * BLOCK_PX, (x + 1) * BLOCK_PX)), doubt, 0)
        for z, y, x, doubt in values
    ]
    chosen = worst_apart(places, 5)
    assert [one.doubt for one in chosen] == sorted((one.doubt for one in chosen), reverse=True)
    if places:
        assert chosen[0].doubt == max(one.doubt for one in places)
    for i, one in enumerate(chosen):
        for other in chosen[:i]:
            apart = max(
                abs(one.z - other.z) * BLOCK_PX // 2,  # two planes on is far enough
                *(abs(a.start - b.start) // 2 for a, b in zip(one.box, other.box, strict=True)),
            )
            assert apart >= BLOCK_PX


def test_strokes_are_what_hangs_together_and_large_ones_come_in_pieces():
    labels = np.zeros((10, 4 * PIECE_PX), np.int32)
    labels[0:2] = 1
    labels[5:8, 3:6] = labels[5:8, 9:12] = 2
    labels[9, -1] = 3  # too small
    found = list(pieces(labels, cells=False))
    assert [value for value, _, _ in found] == [1, 1, 1, 1, 2, 2]
    for value, box, mask in found:
        assert (labels[box][mask] == value).all()
    total = sum(int(mask.sum()) for _, _, mask in found)
    assert total == (labels > 0).sum() - 1


def test_a_model_that_sees_something_else_disagrees():
    p = np.stack([np.full((2, 2), 0.9), np.full((2, 2), 0.1)])
    against, seen, share = judge(np.ones((2, 2), bool), p, 1)
    for_it, _, _ = judge(np.ones((2, 2), bool), p, 0)
    assert against == pytest.approx(-np.log(0.1))
    assert for_it == pytest.approx(-np.log(0.9))
    assert (seen, share) == (0, 1)


def test_what_is_said_to_be_seen_is_never_what_was_painted():
    """Sure of something else on a few pixels, rather for what was painted on the others."""
    p = np.array([[[0.55] * 6 + [0.01] * 4], [[0.45] * 6 + [0.99] * 4]])
    loss, seen, share = judge(np.ones((1, 10), bool), p, 0)
    assert loss > np.log(2)
    assert (seen, share) == (1, 0.4)


def test_where_the_model_is_only_in_doubt_no_share_is_said():
    p = np.array([0.25, 0.45, 0.30])[:, None, None] * np.ones((3, 2, 2))
    loss, seen, share = judge(np.ones((2, 2), bool), p, 1)
    assert loss > np.log(2)
    assert (seen, share) == (2, 0), "the likelier of the others"
    said = Suspect(0, 0, (slice(0, 2), slice(0, 2)), 2, np.ones((2, 2), bool), loss, 3, 0.0)
    assert "in doubt" in said.words({2: "nucleus", 3: "debris"})
    assert "0 %" not in said.words({2: "nucleus", 3: "debris"}) + said.line({2: "nucleus", 3: "debris"})

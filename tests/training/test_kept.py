import pytest
import torch

from napari_annotrain.training.kept import Kept
from napari_annotrain.training.validate import mean_iou


def confusion(right):
    """(N, 2, 2) tables of blocks with so many right pixels of 100 in either class."""
    return torch.stack([torch.tensor([[r, 100 - r], [100 - r, r]]) for r in right])


def after(*validations, start=None):
    """What is kept, named by the number of its validation."""
    kept = start or Kept()
    for i, tables in enumerate(validations):
        kept, _ = kept.after(tables, lambda i=i: {str(i): torch.zeros(1)})
    return kept


def names(kept):
    return set(kept.weights)


def test_a_lower_score_by_chance_does_not_hold_the_latest_weights_back():
    # lower in one block, higher in another: the difference is smaller than its error
    assert names(after(confusion([80, 60, 70]), confusion([50, 85, 70]))) == {"1"}


def test_weights_that_are_worse_in_every_block_are_not_kept():
    kept = after(confusion([80, 60, 70]), confusion([76, 56, 66]))
    assert names(kept) == {"0"}
    assert kept.score == pytest.approx(mean_iou(confusion([80, 60, 70]).sum(0)).item())


def test_small_falls_do_not_add_up():
    """Each is within the error of the one before; measured is against the highest score."""
    falls = [confusion([80 - 2 * i, 60 - 2 * i + 5 * (i % 2), 70 - 2 * i - 5 * (i % 2)]) for i in range(10)]
    assert names(after(*falls[:2])) == {"1"}
    kept = after(*falls)
    assert torch.equal(kept.highest, falls[0])
    assert names(kept) != {"9"}


@pytest.mark.parametrize("n", [3, 6, 12, 24])
def test_a_network_that_no_longer_finds_a_rare_class_is_worse(n):
    """The class occurs in one block only, which leaves no error to excuse its loss."""
    with_cells = torch.tensor([[880, 20], [10, 90]])
    only_background = torch.tensor([[980, 20], [0, 0]])
    finds = torch.stack([with_cells] + [only_background] * (n - 1))
    misses = torch.stack([torch.tensor([[900, 0], [100, 0]])] + [torch.tensor([[1000, 0], [0, 0]])] * (n - 1))
    assert names(after(finds, misses)) == {"0"}


@pytest.mark.parametrize("other", [confusion([20] * 4), confusion([20, 20, 20]) * 4], ids=["blocks", "pixels"])
def test_another_annotation_starts_the_comparison_anew(other):
    kept = after(confusion([90, 90, 90]), other)
    assert names(kept) == {"1"}
    assert torch.equal(kept.highest, other)


@pytest.mark.parametrize(("right", "kept"), [(99, "0"), (50, "old")])
def test_the_weights_of_an_older_state_are_kept_until_a_higher_score(right, kept):
    start = Kept({"old": torch.zeros(1)}, score=0.95)
    assert names(after(confusion([right] * 3), start=start)) == {kept}


def test_mean_iou_leaves_out_classes_that_do_not_occur():
    table = torch.tensor([[6, 2, 0], [2, 6, 0], [0, 0, 0]])
    assert mean_iou(table).item() == pytest.approx(0.6)

import pytest
import torch
from torch.nn.functional import cross_entropy

from napari_annotrain.training.loss import weighted_cross_entropy


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 8, 8)), torch.rand(2, 8, 8) + 0.1


def test_with_equal_weights_it_is_plain_cross_entropy(batch):
    scores, target, _ = batch
    assert weighted_cross_entropy(scores, target, torch.ones(2, 8, 8)).item() == pytest.approx(
        cross_entropy(scores, target).item()
    )


def test_what_is_not_annotated_changes_neither_the_loss_nor_the_gradient(batch):
    scores, target, weight = batch
    target[:, 4:] = -1
    changed = scores.clone()
    changed[:, :, 4:] += 100
    assert weighted_cross_entropy(scores, target, weight) == weighted_cross_entropy(changed, target, weight)
    scores.requires_grad_()
    weighted_cross_entropy(scores, target, weight).backward()
    assert not scores.grad[:, :, 4:].any()
    assert scores.grad[:, :, :4].any()


def test_its_size_does_not_hang_on_how_much_is_annotated(batch):
    scores, target, weight = batch
    sparse = target.clone()
    sparse[1] = -1
    assert weighted_cross_entropy(scores, sparse, weight).item() == pytest.approx(
        weighted_cross_entropy(scores[:1], target[:1], weight[:1]).item()
    )


def test_nothing_annotated_is_no_loss(batch):
    scores, target, weight = batch
    assert weighted_cross_entropy(scores, target * 0 - 1, weight).item() == 0

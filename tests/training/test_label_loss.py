import pytest
import torch
from pydantic import ValidationError

from napari_annotrain.specs import LossSpec
from napari_annotrain.training.label_loss import focal, label_loss, soft_dice, tversky
from napari_annotrain.training.loss import weighted_cross_entropy

ALL = {
    "cross-entropy": LossSpec(),
    "dice": LossSpec(cross_entropy=0, dice=1),
    "focal": LossSpec(cross_entropy=0, focal=1),
    "blunt focal": LossSpec(cross_entropy=0, focal=1, gamma=0.5),
    "tversky": LossSpec(cross_entropy=0, tversky=1),
    "sum": LossSpec(cross_entropy=0.5, dice=1, focal=2, tversky=0.3),
}


@pytest.fixture(params=ALL)
def spec(request):
    return ALL[request.param]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    target = torch.randint(0, 3, (4, 8, 8))
    target[torch.rand(4, 8, 8) < 0.3] = -1
    return torch.randn(4, 3, 8, 8), target, torch.rand(4, 8, 8) + 0.1


def certain(target, right=True):
    """Scores that leave no doubt, about the right class or the next one."""
    index = target.clamp(min=0) if right else (target.clamp(min=0) + 1) % 3
    return 200 * torch.nn.functional.one_hot(index, 3).permute(0, 3, 1, 2).float()


def test_the_default_is_the_weighted_cross_entropy_to_the_last_bit(batch):
    scores, other = (batch[0].clone().requires_grad_() for _ in range(2))
    loss, expected = label_loss(scores, *batch[1:], LossSpec()), weighted_cross_entropy(other, *batch[1:])
    loss.backward()
    expected.backward()
    assert torch.equal(loss, expected)
    assert torch.equal(scores.grad, other.grad)


def test_what_is_not_annotated_changes_neither_the_loss_nor_the_gradient(batch, spec):
    scores, target, weight = batch
    changed = torch.where((target < 0)[:, None], scores * -3 + 50, scores)
    scores.requires_grad_()
    loss = label_loss(scores, target, weight, spec)
    assert loss == label_loss(changed, target, weight, spec)
    assert loss == label_loss(scores, target, torch.where(target < 0, 7.0, weight), spec)
    loss.backward()
    unknown = (target < 0)[:, None].expand_as(scores.grad)
    assert not scores.grad[unknown].any()
    assert scores.grad[~unknown].any()


def test_perfect_scores_are_no_loss_and_wrong_ones_are(batch, spec):
    _, target, weight = batch
    assert label_loss(certain(target), target, weight, spec).item() == pytest.approx(0, abs=1e-6)
    assert label_loss(certain(target, right=False), target, weight, spec).item() > 0.5


def test_parts_of_a_batch_add_up_to_its_loss_and_gradient(batch, spec):
    scores, target, weight = batch
    weight = torch.where(target >= 0, weight, 0)
    whole, parts = (scores.clone().requires_grad_() for _ in range(2))
    loss = label_loss(whole, target, weight, spec)
    loss.backward()
    pieces = zip(*(x.split([1, 3]) for x in (parts, target, weight)), strict=True)
    summed = sum(label_loss(*some, spec) * some[2].sum() / weight.sum() for some in pieces)
    summed.backward()
    assert summed.item() == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(parts.grad, whole.grad, atol=1e-7)


def test_with_a_class_that_is_nowhere_loss_and_gradient_are_finite(spec):
    target, weight = torch.zeros(2, 4, 4, dtype=torch.int64), torch.ones(2, 4, 4)
    for scores in (torch.zeros(2, 3, 4, 4), certain(target), certain(target, right=False)):
        scores.requires_grad_()
        loss = label_loss(scores, target, weight, spec)
        loss.backward()
        assert loss.isfinite()
        assert scores.grad.isfinite().all()


def test_nothing_annotated_is_no_loss(batch, spec):
    scores = batch[0].requires_grad_()
    loss = label_loss(scores, batch[1] * 0 - 1, batch[2], spec)
    loss.backward()
    assert loss == 0
    assert not scores.grad.any()


def of_probabilities(*p):
    """Scores (1, 2, 1, N) that give the second class these probabilities."""
    p = torch.tensor(p)
    return torch.stack([(1 - p).log(), p.log()])[None, :, None]


def test_values_reckoned_by_hand():
    scores = of_probabilities(0.9, 0.4, 0.2, 0.5)  # the last pixel is not annotated
    target, weight = torch.tensor([[[1, 1, 0, -1]]]), torch.ones(1, 1, 4)
    # class 1: right 1.3, of squares 0.81 + 0.16 + 0.04, two pixels; class 0: right 0.8, 0.01 + 0.36 + 0.64, one pixel
    dice = ((1 - 2.6 / (1.01 + 2)) + (1 - 1.6 / (1.01 + 1))) / 2
    assert soft_dice(scores, target, weight).item() == pytest.approx(dice, abs=1e-6)
    # class 1: wrong 0.2, missed 0.7; class 0: wrong 0.7, missed 0.2
    of_classes = (1 - 1.3 / (1.3 + 0.3 * 0.2 + 0.7 * 0.7)), (1 - 0.8 / (0.8 + 0.3 * 0.7 + 0.7 * 0.2))
    assert tversky(scores, target, weight, 0.3, 0.7).item() == pytest.approx(sum(of_classes) / 2, abs=1e-6)
    logs = [-torch.tensor(p).log().item() for p in (0.9, 0.4, 0.8)]
    of_pixels = [0.01 * logs[0], 0.36 * logs[1], 0.04 * logs[2]]
    assert focal(scores, target, weight, 2).item() == pytest.approx(sum(of_pixels) / 3, abs=1e-6)
    heavy = torch.tensor([[[1.0, 3.0, 1.0, 9.0]]])
    assert focal(scores, target, heavy, 2).item() == pytest.approx(
        (of_pixels[0] + 3 * of_pixels[1] + of_pixels[2]) / 5, abs=1e-6
    )


def test_focal_without_gamma_is_cross_entropy_and_half_tversky_is_dice_without_squares(batch):
    scores, target, weight = batch
    assert focal(scores, target, weight, 0).item() == pytest.approx(weighted_cross_entropy(*batch).item())
    target = torch.tensor([[[0, 1]]])
    assert tversky(of_probabilities(0.5, 0.5), target, torch.ones(1, 1, 2), 0.5, 0.5).item() == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [{"cross_entropy": 0}, {"tversky": 1, "alpha": 0, "beta": 0}, {"dice": -1}])
def test_a_loss_that_asks_for_nothing_is_refused(wrong):
    with pytest.raises(ValidationError):
        LossSpec(**wrong)

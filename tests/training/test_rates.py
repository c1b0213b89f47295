import pytest

from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.events import Done, Step
from napari_annotrain.specs import LossSpec
from napari_annotrain.training.learner import Learner, WentAstray
from napari_annotrain.training.rates import HIGHEST, LOWEST, iter_rates


@pytest.fixture
def dataset(dense_image, tiny_spec):
    return build_dataset([dense_image], "classes", tiny_spec)


def test_the_rate_grows_by_the_same_factor(dataset, tiny_net, tiny_spec):
    events = list(iter_rates(dataset, tiny_net, tiny_spec, steps=40))
    curve = events[-1].result
    assert curve == list(iter_rates(dataset, tiny_net, tiny_spec, steps=40))[-1].result
    factors = [b / a for a, b in zip(curve.rates, curve.rates[1:], strict=False)]
    assert curve.rates[0] == LOWEST
    assert factors == pytest.approx([(HIGHEST / LOWEST) ** (1 / 39)] * len(factors))
    assert len(curve.losses) == len(curve.rates) == len([e for e in events if isinstance(e, Step)])
    assert curve.losses[-1] < curve.losses[0]
    assert str(curve).startswith(f"learning rate {curve.rate:.2g}")


def test_where_the_loss_has_made_half_of_its_way_is_proposed_and_the_search_ends_where_it_rises(
    dataset, tiny_net, tiny_spec, monkeypatch
):
    course = [4.0] * 30 + [4 - 0.1 * i for i in range(30)] + [1.0] * 10 + [90.0] * 30
    losses = iter(course)
    monkeypatch.setattr(Learner, "learn", lambda self, images, maps, rate: next(losses))
    curve = list(iter_rates(dataset, tiny_net, tiny_spec))[-1].result
    assert 70 < len(curve.rates) < 75
    assert curve.rate == pytest.approx(curve.rates[course.index(2.5)], rel=0.1)


def test_a_loss_that_is_no_number_ends_the_search(dataset, tiny_net, tiny_spec, monkeypatch):
    def astray(*args):
        raise WentAstray("no number")

    monkeypatch.setattr(Learner, "learn", astray)
    *_, last = iter_rates(dataset, tiny_net, tiny_spec)
    assert isinstance(last, Done)
    assert last.result.rates == ()
    assert last.result.rate > 0


@pytest.mark.parametrize("changed", [{"optimiser": "sgd"}, {"loss": LossSpec(cross_entropy=0, dice=1)}])
def test_it_looks_with_the_loss_and_the_optimiser_of_the_training(dataset, tiny_net, tiny_spec, changed):
    usual, other = (
        list(iter_rates(dataset, tiny_net, spec, steps=15))[-1].result
        for spec in (tiny_spec, tiny_spec.model_copy(update=changed))
    )
    assert usual.losses != other.losses

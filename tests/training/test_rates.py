import pytest

from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.events import Done, Step
from napari_annotrain.specs import LossSpec
from napari_annotrain.training import rates
from napari_annotrain.training.learner import Learner
from napari_annotrain.training.rates import HIGHEST, LOWEST, iter_rates


@pytest.fixture
def dataset(dense_image, tiny_spec):
    return build_dataset([dense_image], "classes", tiny_spec)


def test_the_rate_grows_by_the_same_factor_and_a_tenth_of_the_best_is_proposed(dataset, tiny_net, tiny_spec):
    events = list(iter_rates(dataset, tiny_net, tiny_spec, steps=40))
    curve = events[-1].result
    assert curve == list(iter_rates(dataset, tiny_net, tiny_spec, steps=40))[-1].result
    factors = [b / a for a, b in zip(curve.rates, curve.rates[1:], strict=False)]
    assert curve.rates[0] == LOWEST
    assert factors == pytest.approx([(HIGHEST / LOWEST) ** (1 / 39)] * len(factors))
    assert len(curve.losses) == len(curve.rates) == len([e for e in events if isinstance(e, Step)])
    lowest = curve.rates[curve.losses.index(min(curve.losses))]
    assert curve.rate == pytest.approx(lowest / 10, rel=0.05)
    assert 1e-5 < curve.rate < 0.1
    assert str(curve).startswith(f"learning rate {curve.rate:.2g}")


def test_the_search_ends_where_the_loss_rises_or_is_no_number(dataset, tiny_net, tiny_spec, monkeypatch):
    losses = iter([4.0, 2.0, 1.0, 1.0, 90.0, 90.0, 90.0])
    monkeypatch.setattr(Learner, "learn", lambda self, images, maps, rate: next(losses))
    curve = list(iter_rates(dataset, tiny_net, tiny_spec))[-1].result
    assert len(curve.rates) == 5
    assert curve.rate == pytest.approx(curve.rates[3] / 10, rel=0.05)

    def astray(*args):
        raise rates.WentAstray("no number")

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

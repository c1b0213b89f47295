import pytest

from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.events import Searched, Started
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training import speed
from napari_annotrain.training.speed import StepCost, iter_costs


@pytest.fixture
def dataset(dense_image, tiny_spec):
    return build_dataset([dense_image], "classes", tiny_spec)


def test_every_size_is_measured_in_seconds_and_bytes(dataset, tiny_net, tiny_spec):
    events = list(iter_costs(dataset, tiny_net, tiny_spec, patches=(32, 16), batches=(2, 1)))
    assert isinstance(events[0], Started)
    assert [(e.done, e.total) for e in events if isinstance(e, Searched)] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    found = events[-1].result
    assert [(cost.patch, cost.batch) for cost in found.costs] == [(16, 1), (16, 2), (32, 1), (32, 2)]
    assert all(cost.seconds > 0 and not cost.measured for cost in found.costs)
    assert [cost.memory for cost in found.costs] == sorted(cost.memory for cost in found.costs)
    assert found.proposed in found.costs


def test_what_does_not_fit_into_the_memory_is_left_out(dataset, tiny_net, tiny_spec, monkeypatch):
    monkeypatch.setattr(speed, "free_memory", lambda device: 250_000_000)
    found = list(iter_costs(dataset, tiny_net, tiny_spec, patches=(16, 256), batches=(8,)))[-1].result
    assert [cost.patch for cost in found.costs] == [16]
    monkeypatch.setattr(speed, "free_memory", lambda device: 0)
    found = list(iter_costs(dataset, tiny_net, tiny_spec, patches=(16,), batches=(8,)))[-1].result
    assert found.costs == ()
    assert found.proposed is None


def test_of_sizes_as_fast_as_the_fastest_the_nearest_to_the_settings_is_proposed():
    def cost(patch, batch, pixels_a_second):
        return StepCost(patch, batch, batch * patch**2 / pixels_a_second, 10**9, False)

    costs = [cost(64, 2, 5e5), cost(128, 4, 9.5e5), cost(256, 16, 1e6), cost(128, 8, 7e5)]
    assert speed._propose(costs, TrainSpec(patch=128, batch=8)) is costs[1]
    assert speed._propose(costs, TrainSpec(patch=256, batch=16)) is costs[2]
    assert str(costs[2]) == "16 patches of 256 px: 1.05 s a step, 1 million px a second, about 1 GB"

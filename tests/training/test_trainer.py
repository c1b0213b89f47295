import numpy as np
import pytest
import torch

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Checkpoint, Note, Started, Step, Validated
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import LossSpec, NetSpec, TrainSpec
from napari_annotrain.training.learner import Learner
from napari_annotrain.training.trainer import fit
from tests.conftest import draw_discs
from tests.training.test_kept import confusion


def last_checkpoint(events):
    return [event for event in events if isinstance(event, Checkpoint)][-1]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def dataset(dense_image, tiny_spec):
    return build_dataset([dense_image], "classes", tiny_spec)


@pytest.fixture
def large_dataset(tiny_spec):
    """Large enough for validation."""
    image, labels = draw_discs((400, 400), discs=[(y, x, 12) for y in range(30, 400, 60) for x in range(30, 400, 60)])
    image = AnnotatedImage(Stack.of(image), Stack.of((labels > 0).astype(np.uint8)), dense=True)
    dataset = build_dataset([image], "classes", tiny_spec)
    assert dataset.has_validation, "test invalid"
    return dataset


def test_events_come_in_order_and_a_checkpoint_is_last(dataset, tiny_net, tiny_spec):
    events = list(fit(dataset, tiny_net, tiny_spec))
    assert isinstance(events[0], Started)
    assert any(isinstance(e, Note) and "Too little" in e.text for e in events)
    steps = [e.step for e in events if isinstance(e, Step)]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert isinstance(events[-1], Checkpoint)
    assert [e.fraction for e in events if isinstance(e, Step)][-1] == 1


def test_same_seed_same_weights_and_another_seed_others(dataset, tiny_net, tiny_spec):
    a, b = (last_checkpoint(fit(dataset, tiny_net, tiny_spec)).model for _ in range(2))
    c = last_checkpoint(fit(dataset, tiny_net, tiny_spec.model_copy(update={"seed": 1}))).model
    assert same(a, b)
    assert not same(a, c)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_stopped_training_goes_on_on_the_gpu(dataset, tiny_net, tiny_spec, optimiser):
    spec = tiny_spec.model_copy(update={"device": "cuda", "optimiser": optimiser})
    first = last_checkpoint(fit(dataset, tiny_net, spec))
    longer = spec.model_copy(update={"steps": spec.steps + 2})
    losses = [e.loss for e in fit(dataset, tiny_net, longer, state=first.state) if isinstance(e, Step)]
    assert len(losses) == 2
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_stopped_and_resumed_training_gives_the_weights_of_an_uninterrupted_one(
    large_dataset, tiny_net, tiny_spec, monkeypatch, optimiser, dropout
):
    monkeypatch.setattr("napari_annotrain.training.progress.STEPS_BETWEEN_VALIDATIONS", 3)
    net = tiny_net.model_copy(update={"dropout": dropout})
    spec = tiny_spec.model_copy(update={"steps": 8, "optimiser": optimiser, "learning_rate": 1e-3})
    whole = last_checkpoint(fit(large_dataset, net, spec))
    part = last_checkpoint(fit(large_dataset, net, spec.model_copy(update={"steps": 4})))
    saved = type(part.state).from_tensors(part.state.tensors())
    resumed = last_checkpoint(fit(large_dataset, net, spec, state=saved))
    assert same(whole.state.weights, resumed.state.weights)
    assert same(whole.state.average, resumed.state.average)
    assert same(whole.model, resumed.model)


def test_a_closed_generator_leaves_a_checkpoint_to_go_on_from(dataset, tiny_net, tiny_spec, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    events = fit(dataset, tiny_net, tiny_spec)
    last = None
    for event in events:
        last = event if isinstance(event, Checkpoint) else last
        if isinstance(event, Step) and event.step == 3:
            break
    events.close()
    assert last is not None
    assert last.step == 2
    whole = last_checkpoint(fit(dataset, tiny_net, tiny_spec))
    assert same(last_checkpoint(fit(dataset, tiny_net, tiny_spec, state=last.state)).model, whole.model)


def test_a_model_that_validation_knows_to_be_better_is_kept(large_dataset, tiny_net, tiny_spec, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.progress.STEPS_BETWEEN_VALIDATIONS", 1)
    right = iter([50, 90, 10, 20, 30, 40])  # of 100 pixels of either class in each of 4 blocks
    monkeypatch.setattr("napari_annotrain.training.validate.score", lambda *a: (confusion([next(right)] * 4), 1.0))
    monkeypatch.setattr("napari_annotrain.training.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    events = list(fit(large_dataset, tiny_net, tiny_spec))
    assert [e.kept for e in events if isinstance(e, Validated)] == [True, True, False, False, False, False]
    at_2 = next(e for e in events if isinstance(e, Checkpoint) and e.step == 2)
    assert same(events[-1].model, at_2.state.average)
    assert not same(events[-1].model, events[-1].state.average)


def test_a_base_gives_its_weights_where_they_fit(dataset, tiny_net, tiny_spec):
    base = last_checkpoint(fit(dataset, tiny_net, tiny_spec)).model
    three = tiny_net.model_copy(update={"outputs": 3})
    first = next(
        e
        for e in fit(dataset, three, tiny_spec.model_copy(update={"steps": 1, "learning_rate": 1e-9}), start=base)
        if isinstance(e, Checkpoint)
    )
    assert torch.allclose(first.state.weights["bottom.0.weight"], base["bottom.0.weight"], atol=1e-5)
    assert first.state.weights["head.weight"].shape[0] == 3


def test_training_that_goes_astray_says_so(dataset, tiny_net, tiny_spec, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.learner.label_loss", lambda s, t, w, spec: s.sum() * np.nan)
    with pytest.raises(AnnotrainError, match="lower the learning rate"):
        list(fit(dataset, tiny_net, tiny_spec))


def test_out_of_memory_halves_the_batch_says_so_and_changes_nothing(dataset, tiny_net, tiny_spec, monkeypatch):
    net = tiny_net.model_copy(update={"normalisation": "none"})  # batch statistics would be those of the halves
    spec = tiny_spec.model_copy(update={"batch": 4})
    whole = last_checkpoint(fit(dataset, net, spec)).model
    real = UNet.forward

    def short_of_memory(self, x, margin=0):
        if len(x) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(self, x, margin)

    monkeypatch.setattr(UNet, "forward", short_of_memory)
    events = list(fit(dataset, net, spec))
    assert [e.text for e in events if isinstance(e, Note)][1:] == [
        "Memory ran out: 2 of the 4 patches of a step are learnt from at a time from now on.",
        "Memory ran out: 1 of the 4 patches of a step are learnt from at a time from now on.",
    ]
    parts = last_checkpoint(events).model
    assert all(torch.allclose(parts[name], whole[name], atol=1e-4) for name in whole)


def test_with_little_free_memory_the_batch_is_divided_from_the_start(dataset, tiny_net, tiny_spec, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.trainer.free_memory", lambda device: 100_000_000)
    events = list(fit(dataset, tiny_net, tiny_spec.model_copy(update={"batch": 4})))
    notes = [e.text for e in events if isinstance(e, Note)]
    assert "Only 0.1 GB of memory are free: 1 of the 4 patches of a step are learnt from at a time." in notes
    assert isinstance(events[-1], Checkpoint)


def test_another_runtime_error_while_training_is_not_taken_for_a_lack_of_memory(
    dataset, tiny_net, tiny_spec, monkeypatch
):
    def broken(*args):
        raise RuntimeError("something else")

    monkeypatch.setattr(UNet, "forward", broken)
    with pytest.raises(RuntimeError, match="something else"):
        list(fit(dataset, tiny_net, tiny_spec))


@pytest.mark.parametrize("net", [NetSpec(width=8, depth=2), NetSpec(width=8, depth=2, padding="valid")])
def test_it_learns_discs_within_seconds(large_dataset, net):
    spec = TrainSpec(seconds=None, steps=60, patch=48, batch=4, device="cpu", precision="float32")
    scores = [e.score for e in fit(large_dataset, net, spec) if isinstance(e, Validated)]
    assert scores[-1] > 0.9


def test_a_network_for_cells_learns_how_deep_inside_a_pixel_lies(tiny_net, tiny_spec):
    image, labels = draw_discs()
    annotated = AnnotatedImage(Stack.of(image), Stack.of(labels), dense=True)
    spec = tiny_spec.model_copy(update={"steps": 60, "learning_rate": 1e-2, "averaging": 0.9})
    dataset = build_dataset([annotated], "cells", spec)
    net = tiny_net.model_copy(update={"outputs": 3})
    weights = last_checkpoint(fit(dataset, net, spec)).model
    network = UNet(net)
    network.load_state_dict(weights)
    read = torch.from_numpy(dataset.normalisations[0].apply(image[None]))[None, :, :32, :32]
    with torch.no_grad():
        distance = network.eval()(read)[0, 2]
    truth = torch.from_numpy(dataset.areas[0].distance[:32, :32])
    assert torch.corrcoef(torch.stack([distance.flatten(), truth.flatten()]))[0, 1] > 0.6


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "plateau"])
def test_an_interrupted_training_goes_on_along_its_schedule(large_dataset, tiny_net, tiny_spec, monkeypatch, schedule):
    monkeypatch.setattr("napari_annotrain.training.progress.STEPS_BETWEEN_VALIDATIONS", 2)
    monkeypatch.setattr("napari_annotrain.training.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr("napari_annotrain.training.validate.score", lambda *a: (confusion([50] * 4), 1.0))
    spec = tiny_spec.model_copy(update={"steps": 12, "schedule": schedule, "patience": 2, "learning_rate": 1e-2})
    whole, events, last = last_checkpoint(fit(large_dataset, tiny_net, spec)), fit(large_dataset, tiny_net, spec), None
    for event in events:
        last = event if isinstance(event, Checkpoint) else last
        if isinstance(event, Step) and event.step == 8:
            break
    events.close()
    assert last.step == 7
    saved = type(last.state).from_tensors(last.state.tensors())
    resumed = last_checkpoint(fit(large_dataset, tiny_net, spec, state=saved))
    assert same(whole.state.weights, resumed.state.weights)
    assert whole.state.pace == resumed.state.pace
    assert (whole.state.pace.factor < 1) == (schedule == "plateau")
    constant = last_checkpoint(fit(large_dataset, tiny_net, spec.model_copy(update={"schedule": "constant"})))
    assert not same(whole.state.weights, constant.state.weights)


def test_a_schedule_ends_with_a_limit_in_seconds_too(dataset, tiny_net, tiny_spec, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr("napari_annotrain.training.trainer.time.perf_counter", lambda: float(next(clock)))
    rates = []
    real = Learner.learn

    def learn(self, images, maps, rate=None):
        rates.append(rate)
        return real(self, images, maps, rate)

    monkeypatch.setattr(Learner, "learn", learn)
    spec = tiny_spec.model_copy(update={"steps": None, "seconds": 40.0, "schedule": "one-cycle", "learning_rate": 0.01})
    list(fit(dataset, tiny_net, spec))
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.01, rel=0.05)
    assert 0.2 < top / len(rates) < 0.4
    assert rates[-1] < 0.001


@pytest.mark.parametrize(
    "loss",
    [LossSpec(cross_entropy=0, dice=1), LossSpec(cross_entropy=0, focal=5), LossSpec(cross_entropy=0, tversky=1)],
)
def test_it_learns_discs_with_any_loss(large_dataset, loss):
    spec = TrainSpec(
        seconds=None, steps=60, patch=48, batch=4, device="cpu", precision="float32", loss=loss, schedule="one-cycle"
    )
    net = NetSpec(width=8, depth=2)
    scores = [e.score for e in fit(large_dataset, net, spec) if isinstance(e, Validated)]
    assert scores[-1] > 0.9

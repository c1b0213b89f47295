"""Where nothing is annotated a network keeps to what it said before, however long it trains."""

import numpy as np
import pytest
import torch

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.feed import Feed, Repainted
from napari_annotrain.data.growth import Growth
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.strokes import painted_cells
from napari_annotrain.data.synthetic import cells
from napari_annotrain.events import Checkpoint, Grown, Step
from napari_annotrain.net.unet import UNet
from napari_annotrain.training import learner as learning
from napari_annotrain.training import past as training_past
from napari_annotrain.training.anchor import Anchor
from napari_annotrain.training.past import Past
from napari_annotrain.training.preparation import prepare
from napari_annotrain.training.sampler import NOT_LEARNT
from napari_annotrain.training.state import TrainingState
from napari_annotrain.training.teacher import ask
from napari_annotrain.training.trainer import fit

IMAGE, TRUTH = cells((160, 160), n_cells=12)


@pytest.fixture
def net(tiny_net):
    """Two classes and a distance map."""
    return tiny_net.model_copy(update={"outputs": 3, "normalisation": "none"})


@pytest.fixture
def heard_early(monkeypatch):
    """The past is asked after some steps; a list of how many patches it was asked for at each of them."""
    asked = []
    monkeypatch.setattr(training_past, "STEPS_TO_FULL_SAY", 10)
    monkeypatch.setattr(learning, "ask", lambda *rest: asked.append(len(rest[1])) or ask(*rest))
    return asked


def half_annotated():
    """Images, and maps of whose left halves everything is annotated: dark is background, bright a cell."""
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    target = 1 + (images > 0.5).float()
    maps = torch.cat([target, torch.ones_like(target), images], dim=1)
    maps[:, :2, :, 16:] = 0
    return images, maps


def learner_of(net, spec, past=True):
    one = prepare(net, spec)
    one.past = Past.of(one.average) if past else None
    return one


def set_weights(network, value):
    for p in network.state_dict().values():
        p.fill_(value)


def test_the_mean_counts_every_step_by_its_number(net):
    latest = UNet(net)
    past = Past.of(latest)
    for step in range(1, 31):
        set_weights(latest, step)
        past.follow(latest, step)
    numbers = np.arange(1, 31)
    expected = (numbers * numbers).sum() / numbers.sum()  # two thirds of the way
    for mean in past.network.state_dict().values():
        assert torch.allclose(mean, torch.full_like(mean, expected), rtol=1e-4)


def test_what_was_said_before_a_correction_is_forgotten_and_has_no_say(net):
    latest = UNet(net)
    past = Past.of(latest)
    set_weights(latest, 1.0)
    for step in range(1, 500):
        past.follow(latest, step)
    assert past.say(1) < 0.01 < past.say(500) < past.say(900) < 1
    past.forget(500)
    assert past.say(500) == 0
    set_weights(latest, 7.0)
    past.follow(latest, 501)
    assert all((mean == 7).all() for mean in past.network.state_dict().values())
    assert past.say(10_000) == 1


def test_what_is_not_annotated_drifts_less_in_a_long_training(net, tiny_spec, heard_early):
    (images, maps), losses = half_annotated(), []

    def drift(past):
        one = learner_of(net, tiny_spec, past)
        said = []
        for step in range(1, 241):
            losses.append(one.learn(images, maps, 5e-3))
            if step in (80, 240):
                with torch.no_grad():
                    said.append(one.average(images)[..., 16:].softmax(1))
        return (said[1] - said[0]).square().mean().item()

    free = drift(past=False)
    assert not heard_early
    assert drift(past=True) < 0.5 * free
    assert heard_early
    first, without, with_past = losses[0], losses[239], losses[479]
    assert max(without, with_past) < 0.5 * first, "what is annotated is learnt all the same"


def test_what_is_annotated_throughout_is_learnt_as_without_a_past(net, tiny_spec, heard_early):
    images, maps = half_annotated()
    images, maps = images[..., :16], maps[..., :16]
    found = []
    for past in (False, True):
        one = learner_of(net, tiny_spec, past)
        for _ in range(15):
            one.learn(images, maps)
        found.append(one.network.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert not heard_early


def step_after(net, spec, maps, past, parts=1):
    """The weights after one step, with a past of other weights that counts in full."""
    one = learner_of(net, spec, past)
    one.step, one.parts = 1000, parts
    if past:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            one.past.network.load_state_dict(UNet(net).state_dict())
    one.learn(half_annotated()[0], maps)
    return one.network.state_dict()


def apart(a, b):
    return max((a[name] - b[name]).abs().max().item() for name in a)


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_take_the_step_of_the_whole(net, tiny_spec, parts):
    spec, maps = tiny_spec.model_copy(update={"optimiser": "sgd", "learning_rate": 1e-2}), half_annotated()[1]
    whole, some, alone = (step_after(net, spec, maps, *rest) for rest in ((True,), (True, parts), (False,)))
    assert apart(some, whole) < 1e-3 * apart(alone, whole)


def test_a_few_pixels_left_open_count_little(net, tiny_spec):
    spec = tiny_spec.model_copy(update={"optimiser": "sgd", "learning_rate": 1e-2})
    _, half = half_annotated()
    few = half.clone()
    few[:, :1, :, 16:], few[:, 1:2, :, 16:] = 1, 1
    few[0, :2, 0, 31] = 0
    by_few, by_half = (apart(step_after(net, spec, m, True), step_after(net, spec, m, False)) for m in (few, half))
    assert 0 < by_few < 0.02 * by_half


def test_held_out_pixels_are_not_asked_for(net, tiny_spec):
    _, maps = half_annotated()
    maps[:, 0, :, 16:] = NOT_LEARNT
    asked, alone = (step_after(net, tiny_spec, maps, past) for past in (True, False))
    assert apart(asked, alone) == 0


def test_a_trusted_shipped_model_is_asked_before_the_past_and_the_past_after_it(net, tiny_spec, monkeypatch):
    images, maps = half_annotated()
    for share, expected in ((0.7, "teacher"), (0.1, "past")):
        one = prepare(net, tiny_spec, anchor=Anchor(UNet(net).state_dict(), share))
        one.past, one.step, asked = Past.of(one.average), 1000, []
        monkeypatch.setattr(
            learning, "ask", lambda network, *rest, seen=asked: seen.append(network) or ask(network, *rest)
        )
        one.learn(images, maps)
        assert asked
        assert all(network is getattr(one, expected).network for network in asked)


@pytest.fixture
def dataset(tiny_spec):
    painted = AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 4)))
    return build_dataset([painted], "cells", tiny_spec)


def last(events):
    *_, checkpoint = (event for event in events if isinstance(event, Checkpoint))
    return checkpoint


def test_a_training_that_goes_on_takes_the_steps_of_one_in_one_go(dataset, net, tiny_spec, heard_early):
    def run(steps, state=None):
        return last(fit(dataset, net, tiny_spec.model_copy(update={"steps": steps}), state=state))

    whole = run(16)
    assert heard_early, "test invalid: nobody was asked"
    halves = run(16, TrainingState.from_tensors(run(8).state.tensors()))
    for group in ("weights", "past"):
        ours, theirs = getattr(whole.state, group), getattr(halves.state, group)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_state_from_before_there_was_a_past_begins_one(dataset, net, tiny_spec, heard_early):
    tensors = last(fit(dataset, net, tiny_spec.model_copy(update={"steps": 12}))).state.tensors()
    older = {name: tensor for name, tensor in tensors.items() if not name.startswith("past")}
    assert len(older) < len(tensors)
    heard_early.clear()
    going_on = tiny_spec.model_copy(update={"steps": 13})
    found = last(fit(dataset, net, going_on, state=TrainingState.from_tensors(older))).state
    assert found.past_since == 12
    assert not heard_early
    assert all(torch.equal(found.past[name], found.average[name]) for name in found.past)


def test_a_training_that_goes_on_with_other_annotation_forgets_what_was_said_before_it(
    dataset, net, tiny_spec, heard_early
):
    state = last(fit(dataset, net, tiny_spec.model_copy(update={"steps": 12}))).state
    assert state.past_since == 0
    more = AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 6)))
    corrected = build_dataset([more], "cells", tiny_spec)
    assert last(fit(corrected, net, tiny_spec.model_copy(update={"steps": 13}), state=state)).state.past_since == 12


def test_what_is_painted_meanwhile_may_correct_what_was_said_before(dataset, net, tiny_spec, heard_early):
    more = AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 6)))
    live = Growth(Feed(endless=False), "cells", tiny_spec)
    for event in fit(dataset, net, tiny_spec.model_copy(update={"steps": 8}), growth=live):
        if isinstance(event, Step) and event.step == 5:
            live.feed.put(Repainted(0, more, ((0, 0, (slice(0, 160), slice(0, 160))),)))
        if isinstance(event, Grown):
            grown = event.step
        if isinstance(event, Checkpoint):
            found = event.state
    assert found.past_since == grown == 5
    now = build_dataset([more], "cells", tiny_spec)
    saved = TrainingState.from_tensors(found.tensors())
    resumed = last(fit(now, net, tiny_spec.model_copy(update={"steps": 9}), state=saved)).state
    assert resumed.past_since == 5, "the annotation is the same as when it stopped"

"""Training that goes on while somebody paints."""

import numpy as np
import pytest
import torch

from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.feed import Feed, Repainted
from napari_annotrain.data.growth import Fresh, Growth, grow
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Checkpoint, Done, Grown, Note, Step
from napari_annotrain.specs import TrainSpec
from napari_annotrain.training import sampler as sampling
from napari_annotrain.training.sampler import Sampler
from napari_annotrain.training.state import TrainingState
from napari_annotrain.training.trainer import fit

IMAGE = np.random.default_rng(0).normal(size=(500, 600)).astype(np.float32)
BOX = (slice(400, 410), slice(500, 520))
SPEC = TrainSpec(seconds=None, steps=6, patch=32, batch=2, device="cpu", precision="float32")


def annotated(more=False):
    labels = np.zeros(IMAGE.shape, np.uint8)
    labels[20:40, 20:90], labels[60:70, 30:80] = 1, 2
    if more:
        labels[BOX] = 2
    return AnnotatedImage(Stack.of(IMAGE), Stack.of(labels))


def news():
    return Repainted(0, annotated(more=True), ((0, 0, BOX),))


def last(events):
    return [event for event in events if isinstance(event, Checkpoint)][-1]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def growing(endless=False):
    return Growth(Feed(endless), "classes", SPEC)


@pytest.fixture
def dataset():
    return build_dataset([annotated()], "classes", SPEC)


def test_without_new_strokes_it_takes_the_steps_of_an_ordinary_training(dataset, tiny_net):
    ordinary = last(fit(dataset, tiny_net, SPEC))
    live = growing(endless=True)
    events = fit(dataset, tiny_net, SPEC, growth=live)
    for event in events:
        if isinstance(event, Step) and event.step == 2:
            assert event.fraction == 0, "nobody knows how long it will go on"
        if isinstance(event, Step) and event.step == SPEC.steps:
            live.feed.endless = False  # the check box is cleared: it ends at its limit
            break
    rest = list(events)
    assert last(rest).step == SPEC.steps
    assert same(last(rest).state.weights, ordinary.state.weights)
    assert same(last(rest).model, ordinary.model)


def test_an_endless_training_goes_on_beyond_its_limit_and_its_state_can_be_resumed(dataset, tiny_net, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    events = fit(dataset, tiny_net, SPEC, growth=growing(endless=True))
    kept = next(event for event in events if isinstance(event, Checkpoint) and event.step == 2 * SPEC.steps)
    events.close()
    longer = SPEC.model_copy(update={"steps": 2 * SPEC.steps + 2})
    saved = TrainingState.from_tensors(kept.state.tensors())
    resumed = last(fit(dataset, tiny_net, longer, state=saved))
    assert same(resumed.state.weights, last(fit(dataset, tiny_net, longer)).state.weights)


def test_new_strokes_reach_the_running_training_and_change_what_it_learns(dataset, tiny_net):
    live, seen = growing(), []
    for event in fit(dataset, tiny_net, SPEC, growth=live):
        seen.append(event)
        if isinstance(event, Step) and event.step == 2:
            live.feed.put(news())
    grown = next(event for event in seen if isinstance(event, Grown))
    assert grown.step == 2
    assert sum(grown.dataset.n_annotated) == sum(dataset.n_annotated) + 200
    steps = [event.step for event in seen if isinstance(event, Step)]
    assert steps == [1, 2, 3, 4, 5, 6], "it was not started again"
    ordinary = list(fit(dataset, tiny_net, SPEC))
    losses = [[event.loss for event in one if isinstance(event, Step)] for one in (seen, ordinary)]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2:] != losses[1][2:]
    assert not same(last(seen).state.weights, last(ordinary).state.weights)


def test_while_a_class_is_erased_training_goes_on_with_what_it_knew(dataset, tiny_net):
    erased = AnnotatedImage(Stack.of(IMAGE), Stack.of((annotated().labels.array == 1).astype(np.uint8)))
    live = growing()
    live.feed.put(Repainted(0, erased, ((0, 0, (slice(60, 70), slice(30, 80))),)))
    events = list(fit(dataset, tiny_net, SPEC, growth=live))
    assert same(last(events).state.weights, last(fit(dataset, tiny_net, SPEC)).state.weights)


# --- what is drawn --------------------------------------------------------------------------------------------------


def patches_near(sampler, step, n=400):
    rng = np.random.default_rng(0)
    chosen = [sampler._choose(rng, step)[1] for _ in range(n)]
    return np.mean([window[0].start > 300 for window in chosen])


def test_new_strokes_are_seen_more_often_for_a_while(dataset):
    before = Sampler(dataset, 32, 40)
    grown = grow(dataset, [news()], "classes", SPEC)
    sampler = before.grown(grown.dataset, grown.fresh, 100)
    usual = patches_near(Sampler(grown.dataset, 32, 40), 0)
    shares = [patches_near(sampler, step) for step in (100, 250, 400, 5000)]
    assert shares[0] == pytest.approx(0.5 + 0.5 * usual, abs=0.08)
    assert shares[0] > shares[1] + 0.1 > usual + 0.2
    assert shares[2] == pytest.approx(usual, abs=0.05)
    assert shares[3] == pytest.approx(usual, abs=0.05)
    assert 0 < usual < 0.2


def test_a_grown_sampler_draws_as_a_new_one_once_the_strokes_are_old_and_reads_only_what_is_new(dataset, monkeypatch):
    grown = grow(dataset, [news()], "classes", SPEC)
    before = Sampler(dataset, 32, 40)
    before.draw(np.random.default_rng(0), 4)
    read, real = [], sampling.read_normalised
    monkeypatch.setattr(sampling, "read_normalised", lambda d, a, w: read.append(a.box) or real(d, a, w))
    old = before.grown(grown.dataset, grown.fresh, 0)
    new = Sampler(grown.dataset, 32, 40)
    n_read, drawn = [], []
    for sampler in (old, new):
        read.clear()
        drawn.append([sampler.draw(np.random.default_rng(seed), 4, 10_000) for seed in range(5)])
        n_read.append(len(read))
    assert n_read == [1, 2]
    for a, b in zip(*drawn, strict=True):
        assert np.array_equal(a.images, b.images)
        assert np.array_equal(a.maps, b.maps)


def test_strokes_on_held_out_blocks_are_not_drawn_from():
    labels = np.zeros((1, 700, 900), np.uint8)
    labels[0, :600:4], labels[0, 1:600:4] = 1, 2
    image = AnnotatedImage(Stack.of(np.random.default_rng(0).normal(size=labels.shape)), Stack.of(labels))
    dataset = build_dataset([image], "classes", SPEC)
    (area,) = dataset.areas
    y, x = (int(i[0]) // 64 * 64 for i in np.nonzero(area.held_out))
    box = (slice(y, y + 64), slice(x, x + 64))
    assert area.held_out[box][0:60].any(), "test invalid"
    sampler = Sampler(dataset, 32, 40).grown(dataset, (Fresh(0, 0, 0, box),), 0)
    assert choices(sampler) == choices(Sampler(dataset, 32, 40))


def choices(sampler):
    rng = np.random.default_rng(0)
    return [sampler._choose(rng, 0) for _ in range(50)]


# --- through the api ------------------------------------------------------------------------------------------------


def test_the_model_of_a_live_training_knows_what_it_has_learnt_from():
    labels = np.zeros(IMAGE.shape, np.uint8)
    labels[20:60, 20:120], labels[30:50, 30:50], labels[30:50, 70:90] = 1, 2, 3
    more = labels.copy()
    more[300:380, 300:380], more[310:370, 310:370] = 1, 9
    feed = Feed()
    feed.put(Repainted(0, AnnotatedImage(Stack.of(IMAGE), Stack.of(more)), ((0, 0, (slice(300, 380),) * 2),)))
    first = AnnotatedImage(Stack.of(IMAGE), Stack.of(labels))
    models = {}
    for name, carried in (("alone", None), ("live", feed)):
        events = list(api.iter_training([first], target="cells", spec=SPEC, feed=carried))
        models[name] = next(event.result for event in events if isinstance(event, Done))
        assert not any(isinstance(event, Note) and "next training" in event.text for event in events)
    alone, live = (models[name].card for name in ("alone", "live"))
    assert (
        sum(live.provenance["annotated_pixels"].values()) == sum(alone.provenance["annotated_pixels"].values()) + 6400
    )
    assert live.cell_diameters_px[1] > alone.cell_diameters_px[1] + 20

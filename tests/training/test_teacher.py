"""What a shipped model knows is kept where nothing is annotated, and for cells of other sizes."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

import napari_annotrain as at
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.strokes import painted_cells
from napari_annotrain.data.synthetic import cells
from napari_annotrain.events import Checkpoint
from napari_annotrain.net.unet import UNet
from napari_annotrain.training import learner as learning
from napari_annotrain.training.anchor import Anchor
from napari_annotrain.training.other_sizes import SIZES, n_resized, resize
from napari_annotrain.training.preparation import prepare
from napari_annotrain.training.sampler import NOT_LEARNT
from napari_annotrain.training.teacher import Teacher, ask
from napari_annotrain.training.teacher import differ as differ_from
from napari_annotrain.training.trainer import fit

IMAGE, TRUTH = cells((160, 160), n_cells=12)


@pytest.fixture
def net(tiny_net):
    """Two classes and a distance map; parts of a batch normalise nothing together."""
    return tiny_net.model_copy(update={"outputs": 3, "normalisation": "none"})


def differ(teacher, images, scores, free):
    return differ_from(scores, ask(teacher.network, images, torch.float32), free, 2, 5.0)


def network_of(net, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(net).eval().requires_grad_(False)


def batch(seed=0):
    """Images, and maps of which some pixels are background, some a cell and some not annotated."""
    drawn = torch.Generator().manual_seed(seed)
    images = torch.rand(4, 1, 32, 32, generator=drawn)
    target = torch.randint(0, 3, (4, 1, 32, 32), generator=drawn)
    return images, torch.cat([target, target > 0, torch.rand(4, 1, 32, 32, generator=drawn)], dim=1).float()


def step_of(net, spec, images, maps, parts=1, share=0.7):
    """The weights of a network after one step from those of seed 0, held by those of seed 1."""
    one = prepare(
        net, spec, start=network_of(net, 0).state_dict(), anchor=Anchor(network_of(net, 1).state_dict(), share)
    )
    one.parts = parts
    one.learn(images, maps)
    return one.network.state_dict()


def test_a_network_that_answers_alike_differs_in_nothing_and_another_one_in_what_is_free(net):
    images, ours, other = batch()[0][:2], network_of(net, 0), network_of(net, 1)
    teacher, free = Teacher(copy.deepcopy(ours)), torch.ones(2, 32, 32, dtype=torch.bool)
    same = differ(teacher, images, ours(images), free)
    assert same.item() == pytest.approx(0, abs=1e-4)
    assert differ(teacher, images, other(images), free) > 1e-3
    scores, free[:, :, 10:] = other(images), False
    before = differ(teacher, images, scores, free)
    scores = torch.cat([scores[..., :10], 100 * scores[..., 10:]], dim=3)
    assert differ(teacher, images, scores, free) == before > 0


def test_more_doubt_or_another_distance_than_the_teachers_is_a_difference(net):
    images, network = batch()[0][:1], network_of(net, 0)
    known, free = network(images), torch.ones(1, 32, 32, dtype=torch.bool)
    for change in (torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 0.1])):
        assert differ(Teacher(network), images, known + change[:, None, None], free) > 0.1
    far = differ(Teacher(network), images, known + torch.tensor([0, 0, 0.1])[:, None, None], free)
    assert far.item() == pytest.approx(5 * 0.5 * 0.01 * 32 * 32, rel=1e-3)
    both = differ(Teacher(network), images, known + torch.tensor([3.0, 3, 0])[:, None, None], free)
    assert both.item() == pytest.approx(0, abs=1e-3), "scores are unnormalised: only their difference tells"


def test_half_of_the_patches_are_shown_enlarged_or_shrunk():
    ramp, slopes = torch.arange(64.0).expand(5, 1, 64, 64), []
    for seed in range(12):
        found = resize(ramp, np.random.default_rng(seed))
        assert found.shape == (n_resized(5), 1, 64, 64) == (3, 1, 64, 64)
        assert torch.equal(found, resize(ramp, np.random.default_rng(seed)))
        slopes += found[:, 0, 32, 29:35].diff(dim=1).mean(1).tolist()
    assert min(slopes) > 0.95 / SIZES[1]
    assert max(slopes) < 1.05 / SIZES[0]
    logs = np.log(slopes)
    assert 0.2 < (logs > 0).mean() < 0.5, "a third shrinks: as much of the logarithm lies below 1"


def test_patches_of_other_sizes_are_learnt_from_and_leave_batch_statistics_as_they_are(net, tiny_spec, monkeypatch):
    net, (images, maps) = net.model_copy(update={"normalisation": "batch"}), batch()
    taught = step_of(net, tiny_spec, images, maps)
    monkeypatch.setattr(learning, "resize", lambda images, rng: 5 * images[:2])
    other = step_of(net, tiny_spec, images, maps)
    statistics = [name for name in taught if "running" in name]
    assert statistics
    assert all(torch.equal(taught[name], other[name]) for name in statistics)
    assert not all(torch.equal(taught[name], other[name]) for name in taught)


def test_frozen_parts_stay_as_in_prediction(tiny_net, tiny_spec):
    net, spec = tiny_net.model_copy(update={"outputs": 3}), tiny_spec.model_copy(update={"freeze": "encoder"})
    one = prepare(net, spec, anchor=Anchor(network_of(net, 1).state_dict(), 0.7))
    before = [part.training for part in one.network.modules()]
    assert len(set(before)) == 2, "test invalid: some parts are frozen, some learn"
    one.learn(*batch())
    assert [part.training for part in one.network.modules()] == before


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_take_the_step_of_the_whole(net, tiny_spec, parts):
    spec = tiny_spec.model_copy(update={"optimiser": "sgd", "learning_rate": 1e-2})
    whole, some, untaught = (step_of(net, spec, *batch(), *rest) for rest in ((1,), (parts,), (1, 0.0)))
    apart = max((some[name] - whole[name]).abs().max().item() for name in whole)
    taught = max((untaught[name] - whole[name]).abs().max().item() for name in whole)
    assert apart < 1e-3 * taught, "what is held on to is no rounding error"


def test_where_annotation_is_not_to_be_learnt_the_model_is_not_asked_in_its_stead(net, tiny_spec, monkeypatch):
    images, maps = batch()
    maps[:, :2, :, 16:], seen = 0, []
    monkeypatch.setattr(learning, "differ", lambda *rest: seen.append(rest[2]) or differ_from(*rest))
    step_of(net, tiny_spec, images, maps)
    maps[:, 0, :, 16:] = NOT_LEARNT
    step_of(net, tiny_spec, images, maps)
    unknown, held_out = seen[0], seen[2]
    assert unknown[..., 16:].all()
    assert not held_out[..., 16:].any()
    assert torch.equal(unknown[..., :16], held_out[..., :16])


def test_weights_are_pulled_towards_the_model_and_frozen_ones_stay(net):
    theirs, ours = network_of(net, 1), network_of(net, 0)
    *learning, frozen = ours.parameters()
    for p in learning:
        p.requires_grad_(True)
    before = [p.detach().clone() for p in ours.parameters()]
    Teacher(theirs).pull(ours, 0.25)
    for was, now, known in zip(before, ours.parameters(), theirs.parameters(), strict=True):
        expected = was if now is frozen else 0.75 * was + 0.25 * known
        assert torch.allclose(now, expected, atol=1e-6)


def test_a_long_training_goes_no_farther_from_the_model_than_a_short_one(net, tiny_spec, monkeypatch):
    """Of cells that contradict it; without the pull it goes on and on."""
    images, maps = batch()

    def far(*steps):
        known = network_of(net, 1)
        one = prepare(net, tiny_spec, start=known.state_dict(), anchor=Anchor(known.state_dict(), 1.0))
        found = []
        for step in range(1, 1 + max(steps)):
            one.learn(images, maps, 5e-3)
            if step in steps:
                pairs = zip(one.network.parameters(), known.parameters(), strict=True)
                found.append(sum((ours - theirs).square().sum().item() for ours, theirs in pairs) ** 0.5)
        return found

    short, long = far(100, 300)
    assert long < 1.2 * short
    monkeypatch.setattr(learning, "PULL", 0.0)
    short, long = far(100, 300)
    assert long > 1.5 * short


def test_what_is_known_of_large_cells_outlives_learning_small_ones(tiny_spec, monkeypatch):
    base = at.load_model("cells-2d")
    spec = tiny_spec.model_copy(update={"steps": 25, "patch": 64, "batch": 4, "validation": 0.0, "learning_rate": 5e-4})
    painted = AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 6)))
    dataset = build_dataset([painted], "cells", spec)
    monkeypatch.setattr(Anchor, "trusted", lambda self, iou, n_cells: self)

    def far_on_large_cells():
        events = fit(dataset, base.card.net, spec, start=base.weights, anchor=Anchor(base.weights, 0.75))
        *_, last = (event for event in events if isinstance(event, Checkpoint))
        ours, theirs = UNet(base.card.net).eval(), UNet(base.card.net).eval().requires_grad_(False)
        ours.load_state_dict(last.state.average)
        theirs.load_state_dict(base.weights)
        large = dataset.normalisations[0].apply(IMAGE[None, :64, :64])
        large = interpolate(torch.from_numpy(large)[None].float(), (128, 128), mode="bicubic")
        with torch.inference_mode():
            return differ(Teacher(theirs), large, ours(large), torch.ones(1, 128, 128, dtype=torch.bool)).item()

    taught = far_on_large_cells()
    monkeypatch.setattr(learning, "LEAST_SAY", 2)
    assert taught < 0.5 * far_on_large_cells()


def test_a_model_of_which_little_is_kept_or_that_is_wrong_is_not_asked(net, tiny_spec, monkeypatch):
    asked = []
    monkeypatch.setattr(learning, "ask", lambda *rest: asked.append(len(rest[1])) or ask(*rest))
    for share, agreement in ((0.1, 1.0), (0.0, 1.0), (0.9, 0.1)):
        prepare(net, tiny_spec, anchor=Anchor(UNet(net).state_dict(), share, agreement)).learn(*batch())
    assert not asked
    prepare(net, tiny_spec, anchor=Anchor(UNet(net).state_dict(), 0.5)).learn(*batch())
    assert asked == [4, 2], "the batch, and half as many of other sizes"


def test_a_training_that_goes_on_takes_the_steps_of_one_in_one_go(tiny_net, tiny_spec, monkeypatch):
    asked = []
    monkeypatch.setattr(learning, "ask", lambda *rest: asked.append(1) or ask(*rest))
    monkeypatch.setattr(Anchor, "trusted", lambda self, iou, n_cells: self)
    net, spec = tiny_net.model_copy(update={"outputs": 3}), tiny_spec.model_copy(update={"validation": 0.0})
    dataset = build_dataset([AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 4)))], "cells", spec)
    anchor = Anchor(UNet(net).state_dict(), 1.0)

    def last(steps, state=None):
        events = fit(dataset, net, spec.model_copy(update={"steps": steps}), anchor=anchor, state=state)
        *_, checkpoint = (event for event in events if isinstance(event, Checkpoint))
        return checkpoint

    whole, halves = last(4), last(4, last(2).state)
    assert len(asked) == 2 * (4 + 2 + 2), "test invalid: every step asks the base"
    for name, weights in whole.state.weights.items():
        assert torch.equal(weights, halves.state.weights[name])

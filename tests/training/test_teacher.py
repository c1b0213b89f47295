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
from napari_annotrain.training.learner import prepare
from napari_annotrain.training.teacher import SIZES, Teacher, n_resized, resize
from napari_annotrain.training.trainer import fit

IMAGE, TRUTH = cells((160, 160), n_cells=12)


@pytest.fixture
def net(tiny_net):
    """Two classes and a distance map; parts of a batch normalise nothing together."""
    return tiny_net.model_copy(update={"outputs": 3, "normalisation": "none"})


def differ(teacher, images, scores, free):
    return teacher.differ(images, scores, free, 2, 5.0, torch.float32)


def test_a_network_that_answers_alike_differs_in_nothing_and_another_one_in_what_is_free(net):
    images, ours, other = torch.rand(2, 1, 32, 32), UNet(net).eval(), UNet(net).eval()
    teacher, free = Teacher(copy.deepcopy(ours).requires_grad_(False)), torch.ones(2, 32, 32)
    same = differ(teacher, images, ours(images), free)
    assert same.item() == pytest.approx(0, abs=1e-4)
    assert differ(teacher, images, other(images), free) > 1e-3
    scores, free[:, :, 10:] = other(images), 0
    before = differ(teacher, images, scores, free)
    scores = torch.cat([scores[..., :10], 100 * scores[..., 10:]], dim=3)
    assert differ(teacher, images, scores, free) == before > 0


def test_more_doubt_or_another_distance_than_the_teachers_is_a_difference(net):
    images, network = torch.rand(1, 1, 32, 32), UNet(net).eval().requires_grad_(False)
    known, free = network(images), torch.ones(1, 32, 32)
    for change in (torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 0.1])):
        assert differ(Teacher(network), images, known + change[:, None, None], free) > 0.1
    far = differ(Teacher(network), images, known + torch.tensor([0, 0, 0.1])[:, None, None], free)
    assert far.item() == pytest.approx(5 * 0.5 * 0.01 * 32 * 32, rel=1e-3)
    both = differ(Teacher(network), images, known + torch.tensor([3.0, 3, 0])[:, None, None], free)
    assert both.item() == pytest.approx(0, abs=1e-3), "scores are unnormalised: only their difference tells"


@pytest.mark.parametrize("seed", range(6))
def test_half_of_the_patches_are_shown_at_other_sizes(seed):
    ramp = torch.arange(64.0).expand(5, 1, 64, 64)
    found = resize(ramp, np.random.default_rng(seed))
    assert found.shape == (n_resized(5), 1, 64, 64) == (3, 1, 64, 64)
    slopes = found[:, 0, 32, 29:35].diff(dim=1).mean(1)
    assert (slopes > 0.95 / SIZES[1]).all()
    assert (slopes < 1.05 / SIZES[0]).all()
    assert (slopes.sub(1).abs() > 0.01).any()
    assert torch.equal(found, resize(ramp, np.random.default_rng(seed)))


def test_parts_of_a_batch_take_the_step_of_the_whole(net, tiny_spec):
    base, spec = UNet(net).state_dict(), tiny_spec.model_copy(update={"optimiser": "sgd", "learning_rate": 1e-2})
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(4, 1, 32, 32, generator=rng)
    target = torch.randint(0, 3, (4, 1, 32, 32), generator=rng)
    maps = torch.cat([target, target > 0, torch.rand(4, 1, 32, 32, generator=rng)], dim=1).float()
    weights = []
    for parts, share in ((1, 0.7), (2, 0.7), (4, 0.7), (1, 0.0)):
        one = prepare(net, spec, anchor=Anchor(base, share))
        one.parts = parts
        one.learn(images, maps)
        weights.append(one.network.head.weight.detach().clone())
    torch.testing.assert_close(weights[1], weights[0])
    torch.testing.assert_close(weights[2], weights[0])
    assert not torch.allclose(weights[3], weights[0]), "test invalid: what is held on to makes no difference"


def test_what_is_known_of_large_cells_outlives_learning_small_ones(tiny_spec, monkeypatch):
    base = at.load_model("cells-2d")
    spec = tiny_spec.model_copy(update={"steps": 25, "patch": 64, "batch": 4, "validation": 0.0, "learning_rate": 2e-3})
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
        large = interpolate(torch.from_numpy(large)[None].float(), (192, 192), mode="bicubic")
        with torch.inference_mode():
            return differ(Teacher(theirs), large, ours(large), torch.ones(1, 192, 192)).item()

    taught = far_on_large_cells()
    monkeypatch.setattr(learning, "LEAST_SAY", 2)
    assert taught < 0.7 * far_on_large_cells()


def test_a_model_of_which_little_is_kept_or_that_is_wrong_is_not_asked(net, tiny_spec, monkeypatch):
    asked, differ = [], Teacher.differ
    monkeypatch.setattr(Teacher, "differ", lambda self, *rest: asked.append(len(rest[0])) or differ(self, *rest))
    images, maps = torch.rand(4, 1, 32, 32), torch.ones(4, 3, 32, 32)
    for share, agreement in ((0.1, 1.0), (0.0, 1.0), (0.9, 0.1)):
        prepare(net, tiny_spec, anchor=Anchor(UNet(net).state_dict(), share, agreement)).learn(images, maps)
    assert not asked
    prepare(net, tiny_spec, anchor=Anchor(UNet(net).state_dict(), 0.5)).learn(images, maps)
    assert asked == [6], "the batch, and half as many of other sizes"


def test_a_training_that_goes_on_takes_the_steps_of_one_in_one_go(tiny_net, tiny_spec, monkeypatch):
    asked, differ = [], Teacher.differ
    monkeypatch.setattr(Teacher, "differ", lambda self, *rest: asked.append(1) or differ(self, *rest))
    monkeypatch.setattr(Anchor, "trusted", lambda self, iou, n_cells: self)
    net, spec = tiny_net.model_copy(update={"outputs": 3}), tiny_spec.model_copy(update={"validation": 0.0})
    dataset = build_dataset([AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 4)))], "cells", spec)
    anchor = Anchor(UNet(net).state_dict(), 1.0)

    def last(steps, state=None):
        events = fit(dataset, net, spec.model_copy(update={"steps": steps}), anchor=anchor, state=state)
        *_, checkpoint = (event for event in events if isinstance(event, Checkpoint))
        return checkpoint

    whole, halves = last(4), last(4, last(2).state)
    assert len(asked) == 4 + 2 + 2, "test invalid: every step asks the base"
    for name, weights in whole.state.weights.items():
        assert torch.equal(weights, halves.state.weights[name])

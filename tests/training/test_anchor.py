"""A share of the shipped weights stays in what is trained from them."""

import numpy as np
import pytest
import torch

import napari_annotrain as at
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.strokes import painted_cells
from napari_annotrain.data.synthetic import cells
from napari_annotrain.events import Checkpoint
from napari_annotrain.net.model import Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.training.anchor import Anchor, share_for
from napari_annotrain.training.batches import Batches
from napari_annotrain.training.preparation import prepare
from napari_annotrain.training.teacher import Teacher
from napari_annotrain.training.trainer import fit

IMAGE, TRUTH = cells((160, 160), n_cells=12)


def test_the_more_cells_are_annotated_the_less_is_kept():
    shares = [share_for(n) for n in (0, 1, 10, 100, 10_000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1
    assert shares[-1] < 0.01


def test_a_model_that_is_wrong_about_the_annotation_is_not_kept():
    anchor = Anchor({}, 0.8)
    for n in (1, 10, 100):
        assert anchor.trusted(1.0, n).share == anchor.trusted(0.75, n).share == share_for(n)
        assert 0 < anchor.trusted(0.5, n).share < anchor.trusted(0.625, n).share < share_for(n)
        assert anchor.trusted(0.1, n).share == anchor.trusted(0.5, n).share
    assert anchor.trusted(0.1, 10).share < 0.1


def test_the_fewer_cells_a_model_is_wrong_about_the_less_that_says():
    wrong = [Anchor({}, 1).trusted(0.1, n).share for n in (1, 3, 10, 30)]
    assert wrong == sorted(wrong, reverse=True)
    assert 0.3 < wrong[0] < 0.6, "one cell neither decides nor counts for nothing"


def test_what_more_cells_change_is_as_if_all_had_been_there():
    anchor = Anchor({}, 1)
    assert anchor.trusted(0.6, 20).after(39).share == pytest.approx(anchor.trusted(0.6, 39).share)
    assert anchor.trusted(0.6, 20).is_known_after(39)
    assert not anchor.trusted(0.6, 20).is_known_after(40), "twice as many are asked themselves"


def test_a_threshold_that_few_cells_suggest_stays_near_the_usual_one():
    few, many = (Anchor({}, 1).trusted(0.9, n).between(0.8, 0.6) for n in (1, 300))
    assert few < 0.61
    assert many > 0.75


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_every_weight_lies_between_the_trained_one_and_the_anchor(share, tiny_net, tiny_spec, monkeypatch):
    monkeypatch.setattr(Anchor, "trusted", lambda self, iou, n_cells: self)
    image = AnnotatedImage(Stack.of(IMAGE), Stack.of((TRUTH > 0).astype(np.uint8)), dense=True)
    dataset = build_dataset([image], "classes", tiny_spec.model_copy(update={"validation": 0.0}))
    anchor = Anchor(UNet(tiny_net).state_dict(), share)
    *_, last = (e for e in fit(dataset, tiny_net, tiny_spec, anchor=anchor) if isinstance(e, Checkpoint))
    for name, trained in last.state.average.items():
        kept = share if trained.is_floating_point() else 0
        expected = (1 - kept) * trained.double() + kept * anchor.weights[name].double()
        torch.testing.assert_close(last.model[name].double(), expected)


def train_few(target="cells", base="cells-2d", **more):
    return at.train(IMAGE, painted_cells(TRUTH, 4), target=target, base=base, steps=2, **more)


def test_training_on_from_a_model_that_came_from_the_shipped_one_is_anchored_there_too():
    first = train_few()
    assert first.card.anchor == "cells-2d"
    assert train_few(base=first).card.anchor == "cells-2d"


def test_weights_are_pulled_to_the_shipped_ones_only_where_the_training_starts_from_them(tmp_path, monkeypatch):
    pulled, out = [], tmp_path / "cells.safetensors"
    monkeypatch.setattr(Anchor, "trusted", lambda self, iou, n_cells: self)
    monkeypatch.setattr(Teacher, "pull", lambda self, network, share: pulled.append(share))
    first = train_few(out=out)
    assert len(pulled) == 2
    resumed = at.train(IMAGE, painted_cells(TRUTH, 4), target="cells", out=out, resume=True, steps=3)
    assert len(pulled) == 3
    assert first.card.starts_at_anchor
    assert resumed.card.starts_at_anchor
    assert not train_few(base=first).card.starts_at_anchor
    assert len(pulled) == 3, "what the first training has learnt is not pulled out again"


def test_weights_of_another_version_under_the_same_name_are_no_anchor():
    model = train_few()
    other = model.card.model_copy(update={"anchor_digest": "0123456789ab"})
    assert train_few(base=Model(other, model.weights)).card.anchor is None


def test_what_cannot_be_mixed_is_not_anchored():
    assert train_few(target="classes").card.anchor is None
    assert train_few(base="none").card.anchor is None


def test_a_base_for_other_channels_sees_the_mean_of_the_new_ones(tiny_net, tiny_spec):
    base = UNet(tiny_net).eval()
    rgb = prepare(tiny_net.model_copy(update={"channels": 3}), tiny_spec, base.state_dict()).network.eval()
    image = torch.from_numpy(np.random.default_rng(0).random((1, 1, 32, 32), np.float32))
    with torch.inference_mode():
        torch.testing.assert_close(rgb(image.expand(-1, 3, -1, -1)), base(image))


def test_the_shipped_model_stays_where_it_agrees_and_goes_where_it_does_not(monkeypatch):
    shares = []
    monkeypatch.setattr(Anchor, "hold", lambda self, trained: shares.append(self.share) or trained)
    train_few()
    assert shares[-1] > 0.5
    upside_down = painted_cells((TRUTH == 0) * 1, 1)
    at.train(IMAGE, upside_down, target="cells", base="cells-2d", steps=1)
    assert shares[-1] < 0.4, "two cells that it is wrong about"


def test_a_resumed_training_asks_the_same_batches_whether_the_anchor_can_be_trusted(tiny_net, tiny_spec, monkeypatch):
    image = AnnotatedImage(Stack.of(IMAGE), Stack.of(painted_cells(TRUTH, 4)))
    dataset = build_dataset([image], "cells", tiny_spec.model_copy(update={"validation": 0.0}))
    net = tiny_net.model_copy(update={"outputs": 4})
    anchor, asked, get = Anchor(UNet(net).state_dict(), 1.0), [], Batches.get
    monkeypatch.setattr(Batches, "get", lambda self, step: asked.append(step) or get(self, step))

    def run(steps, state=None):
        asked.clear()
        events = fit(dataset, net, tiny_spec.model_copy(update={"steps": steps}), anchor=anchor, state=state)
        *_, last = (event for event in events if isinstance(event, Checkpoint))
        return last

    state = run(3).state
    assert asked == [0, 1, 0, 1, 2]
    run(5, state)
    assert asked == [0, 1, 3, 4]

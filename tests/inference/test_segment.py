import numpy as np
import pytest
import torch

from napari_annotrain.data.normalise import measure
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Computed, Note, Started, TileDone
from napari_annotrain.inference.results import output_of
from napari_annotrain.inference.segment import segment
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, NormaliseSpec, PredictSpec
from tests.conftest import draw_discs


def threshold_model(target="classes", classes=(0, 1), channels=1):
    """A hand-made network whose second class wins where the normalised image is above 0.5."""
    network = UNet(NetSpec(width=1, depth=0, convolutions=1, normalisation="none", outputs=2, channels=channels))
    for p in network.parameters():
        p.data.zero_()
    network.bottom[0].weight.data[0, 0, 1, 1] = 1
    network.head.weight.data[1] = 200
    network.head.bias.data[1] = -100
    return Model(Card(target=target, net=network.spec, classes=classes), network.state_dict())


def run(model, image, axes=None, **spec):
    stack = Stack.of(image, axes)
    spec = PredictSpec(device="cpu", precision="float32", **spec)
    events = list(segment(model, stack, measure(stack, NormaliseSpec()), spec))
    _, dtype, channels = output_of(model.card, spec.output)
    out = np.zeros((*[channels] * bool(channels), *stack.shape[:1], *stack.shape[2:]), dtype)
    for event in events:
        if isinstance(event, TileDone):
            out[..., *event.write] = event.result
    return out, events


def test_classes_take_the_values_of_the_card():
    image, labels = draw_discs()
    out, _ = run(threshold_model(classes=(1, 7)), image, tile=32)
    assert set(np.unique(out)) == {1, 7}
    assert ((out[0, 0] == 7) == (labels > 0)).mean() > 0.99


@pytest.mark.parametrize("target", ["classes", "cells"])
def test_cells_are_whole_across_tiles_and_ids_are_unique_over_planes(target):
    image, labels = draw_discs()
    out, events = run(threshold_model(target), np.stack([image, image]), output="cells", tile=16)
    assert [len(np.unique(plane)) - 1 for plane in out[0]] == [2, 2]
    assert len(np.unique(out)) - 1 == 4
    assert ((out[0, 0] > 0) == (labels > 0)).mean() > 0.99
    assert len([e for e in events if isinstance(e, TileDone)]) == 2, "one result a plane"
    computed = [e for e in events if isinstance(e, Computed)]
    assert [e.done for e in computed] == list(range(1, 2 * 4 * 5 + 1)), "progress tile by tile"


def test_classes_are_the_argmax_of_the_probabilities():
    image = np.random.default_rng(0).normal(size=(50, 60))
    model = threshold_model(classes=(0, 3))
    classes, _ = run(model, image)
    likely, _ = run(model, image, output="probabilities")
    assert likely.dtype == np.float32
    assert np.allclose(likely.sum(0), 1, atol=1e-6)
    assert np.array_equal(np.array([0, 3])[likely.argmax(0)], classes)


def test_the_first_channel_of_a_cell_models_probabilities_is_being_inside_a_cell():
    image, labels = draw_discs()
    likely, _ = run(threshold_model("cells"), image, output="probabilities")
    assert likely.shape == (1, 1, 1, 64, 72)
    assert ((likely[0, 0, 0] > 0.5) == (labels > 0)).mean() > 0.99


def test_pixels_that_are_not_numbers_become_background_and_are_counted():
    image, _ = draw_discs()
    image = image.astype(np.float32)
    image[20, 18:22], image[40, 52] = np.nan, np.inf
    out, events = run(threshold_model(), image, tile=32)
    assert not out[0, 0, 20, 18:22].any()
    assert out[0, 0, 25, 20] == 1
    assert any(isinstance(e, Note) and e.text.startswith("5 pixels of image") for e in events)


def test_a_constant_image_is_background_with_a_note():
    out, events = run(threshold_model(), np.full((40, 40), 9, np.uint8))
    assert not out.any()
    assert any(isinstance(e, Note) and "same value everywhere" in e.text for e in events)


def test_events_count_the_tiles():
    _, events = run(threshold_model(), np.random.default_rng(0).normal(size=(40, 70)), tile=32)
    assert isinstance(events[0], Started)
    done = [e for e in events if isinstance(e, TileDone)]
    assert [e.done for e in done] == [1, 2, 3, 4, 5, 6]
    assert {e.total for e in done} == {events[0].total} == {6}


def test_a_model_refuses_what_it_cannot_give():
    model = threshold_model()
    with pytest.raises(AnnotrainError, match="cannot give 'image'"):
        output_of(model.card, "image")
    with pytest.raises(AnnotrainError, match="has 3 channels but the model reads 1"):
        run(model, np.zeros((30, 30, 3)))


def test_closing_the_generator_stops_the_run():
    image = np.random.default_rng(0).normal(size=(5, 40, 40))
    stack = Stack.of(image)
    events = segment(threshold_model(), stack, measure(stack, NormaliseSpec()), PredictSpec(device="cpu"))
    assert isinstance(next(events), Started)
    assert isinstance(next(events), TileDone)
    events.close()
    with pytest.raises(StopIteration):
        next(events)
    assert torch.is_grad_enabled()


def with_distance(model):
    """The same with a cell distance that is 1 where the left half of the normalised image is above 0.5."""
    head = model.weights["head.weight"]
    net = model.card.net.model_copy(update={"outputs": 3})
    weights = model.weights | {
        "head.weight": torch.cat([head, head[1:] / 200]),
        "head.bias": torch.cat([model.weights["head.bias"], torch.zeros(1)]),
    }
    return Model(model.card.model_copy(update={"net": net, "distances": ("cell distance",)}), weights)


def test_distances_come_behind_the_probability_of_being_inside():
    image, labels = draw_discs()
    out, _ = run(with_distance(threshold_model("cells")), image, output="probabilities", tile=32)
    assert out.shape == (2, 1, 1, *image.shape)
    assert ((out[0, 0, 0] > 0.5) == (labels > 0)).mean() > 0.99
    assert out[1].min() >= 0
    assert out[1].max() <= 1
    assert ((out[1, 0, 0] > 0.5) == (labels > 0)).mean() > 0.99


def test_cells_that_are_nowhere_deep_are_no_cells():
    image, _ = draw_discs()
    model = with_distance(threshold_model("cells"))
    assert len(np.unique(run(model, image)[0])) - 1 == 2
    model.weights["head.weight"][2] = 0
    assert not run(model, image)[0].any()

"""Cells far larger or smaller than those a model knows: the network sees them at its own scale."""

import numpy as np
import pytest

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.synthetic import cells
from napari_annotrain.events import Note, TileDone
from napari_annotrain.inference.rescale import factor_to
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import CellsSpec, NetSpec, PredictSpec

NET = NetSpec(width=4, depth=2)


@pytest.fixture(scope="module")
def model():
    """Learnt on cells of about 17 px."""
    image, truth = cells((128, 128), n_cells=20, seed=0)
    return at.train(image, truth, target="cells", dense=True, steps=120, settings={"patch": 64, "batch": 4})


def enlarged(array, factor, nearest=False):
    stack = Stack.of(array, "YX")
    from napari_annotrain.data.resampled import resample

    big = resample(stack, factor, labels=nearest)
    return big.read(0, (slice(0, 1), slice(0, big.shape[3]), slice(0, big.shape[4])))[0, 0]


def predict(model, image, tile="auto", region=None, **cells_spec):
    spec = PredictSpec(cells=CellsSpec(**cells_spec), tile=tile, device="cpu", precision="float32")
    events = list(api.iter_prediction(model, Stack.of(image, "YX"), spec=spec, region=region))
    return events, [event.result for event in events if isinstance(event, TileDone)]


@pytest.mark.parametrize(
    ("known", "diameter", "factor"),
    [
        ((10, 30), 20, 1),
        ((10, 30), 40, 1),  # near enough
        ((10, 30), 60, 0.5),
        ((10, 30), 5, 2),
        ((10, 30), 1, 4),  # as far as that goes
        ((10, 30), None, 1),
        (None, 500, 1),
    ],
)
def test_cells_are_brought_within_the_known_sizes(known, diameter, factor):
    assert factor_to(Card(net=NET, classes=(0, 1), cell_diameters_px=known), diameter) == pytest.approx(factor)


def test_they_get_the_typical_size_where_that_is_known():
    card = Card(net=NET, classes=(0, 1), cell_diameters_px=(10, 30), cell_diameter_px=20)
    assert factor_to(card, 100) == pytest.approx(0.2)
    assert factor_to(card, 31) == 1


def test_cells_entered_as_four_times_larger_are_found_at_full_size(model):
    image, truth = cells((128, 128), n_cells=20, seed=5)
    expected = at.evaluate(at.predict(model, image), truth)["pooled"]["ap50"]
    assert expected > 0.5, "test invalid"
    big = enlarged(image, 4)
    events, (labels,) = predict(model, big, diameter_px=4 * model.card.cell_diameter_px)
    assert labels.shape[-2:] == big.shape
    assert at.evaluate(labels[0, 0], enlarged(truth, 4, nearest=True))["pooled"]["ap50"] >= expected - 0.1
    notes = [e.text for e in events if isinstance(e, Note)]
    assert any("was reduced to" in text and "labels have full size" in text for text in notes)


def test_pixel_sizes_tell_the_same_without_anything_being_entered(model):
    known = Model(model.card.model_copy(update={"pixel_um": {"Y": 1.0, "X": 1.0}}), model.weights)
    image = np.zeros((200, 200), np.uint8)
    image[::7] = 1
    stack = Stack.of(image, "YX", pixel_um={"Y": 0.25, "X": 0.25})
    notes = [e.text for e in api.iter_prediction(known, stack) if isinstance(e, Note)]
    assert any("to 25%" in text for text in notes)
    same = Stack.of(image, "YX", pixel_um={"Y": 1.0, "X": 1.0})
    assert not [e for e in api.iter_prediction(known, same) if isinstance(e, Note)]


@pytest.mark.parametrize("target", ["classes", "cells"])
def test_tiles_and_regions_give_what_the_whole_gives_at_another_scale_too(target):
    card = Card(net=NET.model_copy(update={"outputs": 3 if target == "cells" else 2}), classes=(0, 1), target=target)
    if target == "cells":
        card = card.model_copy(update={"distances": ("cell distance",)})
    card = card.model_copy(update={"scale": 0.37})
    network = Model(card, UNet(card.net).state_dict())
    image = np.random.default_rng(1).integers(0, 255, (301, 277)).astype(np.uint8)
    spec = PredictSpec(output="probabilities", device="cpu", precision="float32")

    def whole(tile, region=None):
        stack = Stack.of(image, "YX")
        events = api.iter_prediction(network, stack, spec=spec.model_copy(update={"tile": tile}), region=region)
        (result,) = (event.result for event in events if isinstance(event, TileDone))
        return result[:, 0, 0]

    expected = whole("whole")
    assert expected.shape[-2:] == image.shape
    assert np.abs(whole(32) - expected).max() <= 2e-3  # half precision while a plane is collected
    part = whole(48, (slice(0, 1), slice(0, 1), slice(40, 171), slice(11, 250)))
    assert np.abs(part - expected[:, 40:171, 11:250]).max() <= 2e-3


def test_large_cells_painted_for_a_base_of_small_ones_make_a_model_that_sees_them_small(model):
    image, truth = cells((128, 128), n_cells=20, seed=6)
    big, big_truth = enlarged(image, 4), enlarged(truth, 4, nearest=True)
    said = []
    finer = at.train(big, big_truth, target="cells", dense=True, base=model, steps=30, on_event=said.append)
    assert finer.card.scale == pytest.approx(0.25, rel=0.3)
    assert any("brought to" in e.text for e in said if isinstance(e, Note))
    labels = at.predict(finer, big)
    assert labels.shape == big.shape
    assert at.evaluate(labels, big_truth)["pooled"]["ap50"] > 0.5
    again = at.train(big, big_truth, target="cells", dense=True, base=finer, steps=1)
    assert again.card.scale == finer.card.scale

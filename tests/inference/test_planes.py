"""Cells are told apart anew without running the network."""

import numpy as np
import pytest

from napari_annotrain import api
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.synthetic import cells
from napari_annotrain.events import TileDone
from napari_annotrain.inference import segment
from napari_annotrain.inference.planes import KeptPlanes, PlaneCollector
from napari_annotrain.specs import CellsSpec, PredictSpec

IMAGE, TRUTH = cells((160, 128), n_cells=14, seed=2)


@pytest.fixture(scope="module")
def stack():
    return Stack.of(np.stack([IMAGE, IMAGE[::-1].copy()]), "ZYX")


MODEL = api.load_model("cells-2d")


def predict(stack, kept=None, **chosen):
    spec = PredictSpec(device="cpu", cells=CellsSpec(**chosen))
    events = api.iter_prediction(MODEL, stack, spec=spec, kept=kept)
    return np.concatenate([event.result[0] for event in events if isinstance(event, TileDone)])


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("the network ran")

    return lambda: monkeypatch.setattr(segment, "Predictor", refuse)


@pytest.mark.parametrize("chosen", [{}, {"threshold": 0.3}, {"min_size_px": 150}, {"smoothing_px": 4.0}])
def test_other_settings_on_kept_planes_give_what_a_new_prediction_gives(stack, no_network, chosen):
    kept = KeptPlanes()
    predict(stack, kept)
    expected = predict(stack, **chosen)
    no_network()
    assert np.array_equal(predict(stack, kept, **chosen), expected)


def test_settings_do_what_they_say(stack):
    cells_of = {name: predict(stack, **chosen) for name, chosen in CHOICES.items()}
    assert (cells_of["low"] > 0).sum() > (cells_of["usual"] > 0).sum() > (cells_of["high"] > 0).sum()
    sizes = np.bincount(cells_of["large only"].ravel())[1:]
    assert sizes[sizes > 0].min() >= 150


CHOICES = {"usual": {}, "low": {"threshold": 0.2}, "high": {"threshold": 0.95}, "large only": {"min_size_px": 150}}


def test_no_more_is_kept_than_allowed_and_nothing_of_another_image(stack):
    values = np.zeros((2, 100, 100), np.float16)
    box = (slice(0, 100), slice(0, 100))
    places = [segment.Place(MODEL, stack, 0, z, box, ()) for z in range(3)]
    kept = KeptPlanes(most_bytes=2 * values.nbytes)
    for place in places:
        kept.keep(place, values)
    assert kept.find(places[:1]) is None
    assert kept.find(places[1:]) is not None
    other = Stack.of(stack.array.copy(), "ZYX")
    assert kept.find([segment.Place(MODEL, other, 0, 1, box, ())]) is None
    assert kept.gave_up


def test_planes_come_whole_however_they_were_cut():
    collector = PlaneCollector((slice(10, 30), slice(5, 25)))
    values = np.arange(2 * 20 * 20, dtype=np.float32).reshape(2, 20, 20)
    for _ in range(2):
        assert collector.add((slice(10, 22), slice(5, 25)), values[:, :12]) is None
        whole = collector.add((slice(22, 30), slice(5, 25)), values[:, 12:])
        assert np.array_equal(whole, values)

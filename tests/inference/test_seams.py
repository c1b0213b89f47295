import numpy as np
import pytest

from napari_annotrain import api
from napari_annotrain.data.stack import Stack
from napari_annotrain.inference import predictor as predicting
from napari_annotrain.specs import NetSpec, PredictSpec
from napari_annotrain.tiles.geometry import Geometry, geometry
from tests.inference.test_predictor import random_model


@pytest.fixture
def model():
    return random_model(NetSpec(width=4, depth=2))


@pytest.mark.parametrize("shape", [(300, 400), (100, 300), (300, 40), (257, 129)])
def test_there_are_no_seams(model, shape):
    stack = Stack.of(np.random.default_rng(0).normal(size=shape))
    found = api.check_seams(model, stack, PredictSpec(tile=64, device="cpu"))
    assert found.compared > 0
    assert found.difference <= 1e-5
    assert str(found).startswith("Seams: none (checked on")


def test_an_image_of_one_tile_has_none(model):
    stack = Stack.of(np.random.default_rng(0).normal(size=(50, 50)))
    assert api.check_seams(model, stack, PredictSpec(device="cpu")).compared == 0


def test_a_margin_short_of_the_reach_is_found(model, monkeypatch):
    right = geometry(model.card.net)
    monkeypatch.setattr(predicting, "geometry", lambda net: Geometry(right.grid, right.reach, 8, 16, 8))
    stack = Stack.of(np.random.default_rng(0).normal(size=(300, 300)))
    found = api.check_seams(model, stack, PredictSpec(tile=64, device="cpu"))
    assert found.difference > 1e-4
    assert "up to" in str(found)

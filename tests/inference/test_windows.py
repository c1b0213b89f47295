"""Planes larger than what is looked at at once: the cells are those of the whole plane."""

import numpy as np
import pytest
from scipy import ndimage as ndi

import napari_annotrain as at
from napari_annotrain.data.synthetic import cells
from napari_annotrain.inference import segment
from napari_annotrain.inference.tile_size import LEAST_WINDOW_PX, choose_window
from napari_annotrain.objects import plane
from napari_annotrain.specs import CellsSpec, PredictSpec
from tests.objects.test_plane import assert_same_cells


@pytest.fixture(scope="module")
def image():
    return cells((200, 220), n_cells=24, seed=4)


@pytest.fixture(scope="module", params=["cells", "classes"])
def model(request, image):
    grey, truth = image
    classes = truth if request.param == "cells" else (truth > 0).astype(np.uint8)
    return at.train(grey, classes, target=request.param, dense=True, steps=80, settings={"patch": 64, "batch": 4})


@pytest.mark.parametrize("diameter", [None, 40.0], ids=["as it is", "rescaled"])
@pytest.mark.parametrize("to_disk", [False, True])
def test_windows_change_no_cell(model, image, diameter, to_disk, monkeypatch, tmp_path):
    how = {"output": "cells", "cells": CellsSpec(diameter_px=diameter)}
    whole = at.predict(model, image[0], **how)
    looked_at = []
    original = plane.find_basins

    def spied(mask, *more):
        looked_at.append(mask.shape)
        return original(mask, *more)

    monkeypatch.setattr(plane, "find_basins", spied)
    monkeypatch.setattr(segment, "choose_window", lambda spec: 40_000)
    monkeypatch.setattr("napari_annotrain.inference.cells.WINDOW", 0.4)  # no cell of 40 px is too large for 16,000 px
    found = at.predict(model, image[0], **how, **({"out": tmp_path / "cells.ome.zarr"} if to_disk else {}))
    assert len(looked_at) > 3
    assert max(height * width for height, width in looked_at) <= 16_000
    assert whole.max() > 10
    touching = ndi.find_objects(ndi.label(whole > 0)[0])
    largest = max((y.stop - y.start) * (x.stop - x.start) for y, x in touching)
    assert largest < 10_000, "test invalid: of tissue wider than a window the blocks may differ"
    assert_same_cells(np.asarray(found), whole)


def test_what_is_looked_at_hangs_on_the_memory_alone():
    assert choose_window(PredictSpec(memory=4_000_000_000)) > 2 * 2048**2
    assert choose_window(PredictSpec(memory=4_000_000_000)) == choose_window(PredictSpec(memory=4_000_000_000, tile=64))
    assert choose_window(PredictSpec(memory=1)) == LEAST_WINDOW_PX

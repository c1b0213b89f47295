"""The models that come with the package."""

import pytest

import napari_annotrain as at
from napari_annotrain.api import base_models
from napari_annotrain.data.synthetic import cells
from napari_annotrain.store.models import shipped_models


def test_all_together_they_stay_small():
    assert "cells-2d" in base_models()
    assert sum(path.stat().st_size for path in shipped_models().values()) <= 10_000_000


@pytest.mark.parametrize("name", base_models())
def test_the_card_says_from_what_it_was_made_and_how(name):
    provenance = at.load_model(name).card.provenance
    assert all("CC0" in terms or "MIT" in terms for terms in provenance["sets"].values())
    assert not {"isbi2012", "ctc-phc-psc"} & set(provenance["sets"])
    assert provenance["made_by"] == "scripts/train_base_weights.py"
    assert provenance["steps"] > 1000


def test_nuclei_that_no_network_has_seen_are_found_without_any_training():
    image, truth = cells((256, 256), n_cells=25, seed=11)
    scores = at.evaluate(at.predict("cells-2d", image), truth, min_size=15)["pooled"]
    assert scores["ap50"] > 0.7


def test_an_image_without_cells_gets_few_if_any():
    image, _ = cells((256, 256), n_cells=0, seed=3)
    assert at.predict("cells-2d", image).max() <= 1

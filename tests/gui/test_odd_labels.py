"""Odd annotations of cells in the window: what can be learnt from is, what cannot gets a sentence, no layer changes."""

import numpy as np
import pytest
from tests.data.test_odd_labels import CELLS, IMAGE, ODD, in_strokes
from tests.spoilt import is_one_sentence

from napari_annotrain.session import Trained
from napari_annotrain.specs import AugmentSpec, TrainSpec
from napari_annotrain.store.models import load_model

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

SPEC = TrainSpec(seconds=None, steps=2, patch=32, batch=2, device="cpu", augment=AugmentSpec(elastic_px=0))
LEARNT = (
    "touching cells share an id",
    "an id in several pieces",
    "crumbs",
    "ids up to 2^31 - 1",
    "ids up to 2^32 - 1",
    "ids up to 2^63 - 1",
)


@pytest.fixture
def lab(person):
    """A window in which cells are to be learnt from nothing, from a labels layer of the user's own."""
    made = person()
    made.viewer.add_image(IMAGE.astype(np.float32), name="cells")
    made.open_panel()
    made.find("device_combo").setCurrentText(made.find("device_combo").itemText(1))  # the CPU

    def annotate(labels):
        made.viewer.add_labels(np.array(labels, labels.dtype.newbyteorder("=")), name="mine")
        made.find("annotation_combo").setCurrentText("mine")
        made.panel.annotate.target_combo.choose("cells")
        made.panel.train.base_combo.choose("nothing")
        made.controller.train.set_spec(SPEC)
        return made.viewer.layers["mine"]

    made.annotate_with = annotate
    return made


@pytest.mark.parametrize("how", LEARNT)
def test_it_is_learnt_from_and_stays_as_it_is(lab, how):
    labels = in_strokes(ODD[how])
    layer = lab.annotate_with(labels)
    lab.click("train_button")
    lab.wait(lambda: lab.controller.session.model is not None or "Training" not in lab.status, timeout=60_000)
    lab.idle()
    assert lab.controller.session.model is not None, lab.status
    assert lab.controller.session.model.model.card.target == "cells"
    assert np.array_equal(layer.data, labels)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.full(CELLS.shape, 5, np.int32), "paint some background"),
        (np.ones(CELLS.shape, np.int32), "paint at least one cell"),
        (np.zeros(CELLS.shape, np.int32), "paint"),
    ],
    ids=["a cell fills the image", "only background", "nothing"],
)
def test_what_teaches_nothing_gets_a_sentence(lab, labels, words):
    layer = lab.annotate_with(labels)
    button = lab.find("train_button")
    if button.isEnabled():
        lab.click("train_button")
        lab.idle()
        assert is_one_sentence(lab.status), lab.status
    assert words in lab.status + button.toolTip()
    assert lab.controller.session.model is None
    assert np.array_equal(layer.data, labels)


def test_an_image_without_cells_gets_none(lab):
    lab.viewer.add_image(np.random.default_rng(1).normal(400, 20, (100, 120)).astype(np.float32), name="empty")
    lab.find("image_combo").setCurrentText("empty")
    lab.controller.models.use(Trained("cells-2d", load_model("cells-2d")))
    lab.click("predict_slice_button")
    lab.idle()
    assert not lab.viewer.layers["empty prediction"].data.any()

"""What training starts from, as the panel proposes it."""

import threading

import numpy as np
import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    """A window with one image, the panel, and an engine that ships a model."""
    made = person()
    made.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    return made.open_panel()


def test_the_shipped_model_is_proposed_for_cells_and_only_for_them(lab):
    base = lab.find("base_combo")
    assert base.currentText() == "nothing"
    lab.panel.annotate.target_combo.choose("cells")
    assert base.currentText() == "cells-2d"
    lab.panel.annotate.target_combo.choose("classes")
    assert base.currentText() == "nothing"


def test_it_is_proposed_too_when_cells_were_chosen_before_the_models_were_known(person, fake, monkeypatch):
    known = threading.Event()
    monkeypatch.setattr(fake, "warm_up", lambda: known.wait(30))
    lab = person()
    lab.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    lab.open_panel(wait=False)
    lab.panel.annotate.target_combo.choose("cells")
    assert lab.find("base_combo").currentText() == "nothing"
    known.set()
    lab.wait(lambda: lab.controller.loading.done)
    assert lab.find("base_combo").currentText() == "cells-2d"

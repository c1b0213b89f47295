"""What training starts from, as the panel proposes it."""

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

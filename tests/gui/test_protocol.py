"""How it learns and how sure it is, as set in the panel."""

import numpy as np
import pytest

from napari_annotrain.specs import LossSpec

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    """A window with one image (name: cells), an annotation and the panel."""
    made = person()
    made.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    made.fake = fake
    made.open_panel()
    made.annotate()
    return made


def test_schedule_frozen_part_and_loss_reach_the_engine(lab):
    form = lab.panel.train.more.form
    assert not form._fields["freeze"].isEnabled()
    assert "starts from nothing" in form._fields["freeze"].toolTip()
    assert not form._fields["patience"].isEnabled()
    lab.panel.train.base_combo.choose("cells-2d")
    assert form._fields["freeze"].isEnabled()
    form._fields["schedule"]._entry.value = "plateau"
    assert form._fields["patience"].isEnabled()
    form._fields["freeze"]._entry.value = "encoder"
    form._groups["loss"]._fields["dice"]._entry.value = 1
    lab.train()
    spec = lab.fake.calls[0][2]["spec"]
    assert (spec.schedule, spec.freeze, spec.loss) == ("plateau", "encoder", LossSpec(dice=1))


def test_views_and_uncertainty_reach_the_engine_and_are_shown_as_an_image(lab):
    lab.train()
    form = lab.panel.predict.more.form
    form._fields["augment"]._entry.value = "flips"
    assert not form._fields["uncertainty"].isEnabled()
    assert "choose uncertainty under Show" in form._fields["uncertainty"].toolTip()
    lab.panel.predict.output_combo.choose("uncertainty")
    assert form._fields["uncertainty"].isEnabled()
    assert not form._fields["samples"].isEnabled()
    form._fields["uncertainty"]._entry.value = "dropout"
    assert form._fields["samples"].isEnabled()
    lab.click("predict_slice_button")
    lab.idle()
    spec = lab.fake.calls[-1][2]["spec"]
    assert (spec.output, spec.augment, spec.uncertainty) == ("uncertainty", "flips", "dropout")
    result = lab.viewer.layers["cells prediction"]
    assert result._type_string == "image"
    assert result.data.shape == (32, 40)

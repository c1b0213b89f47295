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


def test_a_learning_rate_is_found_and_taken(lab):
    lab.panel.train.more.button.setChecked(True)
    lab.click("find_rate_button")
    lab.idle()
    assert lab.controller.session.train.learning_rate == 1e-3
    assert lab.panel.train.more.form._fields["learning_rate"].get() == 1e-3
    assert "Found and taken: learning rate 0.001" in lab.status
    assert "taken: 0.001" in lab.find("rate_label").text()
    lab.train()
    assert lab.fake.calls[-1][0] in ("train", "predict")
    spec = next(call[2]["spec"] for call in lab.fake.calls if call[0] == "train")
    assert spec.learning_rate == 1e-3


def test_a_stopped_search_changes_nothing(lab):
    lab.fake.hold = "find rate"
    lab.panel.train.more.button.setChecked(True)
    lab.click("find_rate_button")
    lab.wait(lambda: "step 4 of the search" in lab.panel.train.run_label.text())
    assert not lab.enabled("find_rate_button")
    assert not lab.enabled("train_button")
    lab.click("stop_button")
    lab.idle()
    assert lab.controller.session.train.learning_rate == 2e-3
    assert "stays as it was" in lab.status
    assert lab.enabled("find_rate_button")

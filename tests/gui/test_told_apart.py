"""How cells are told apart is changed in the panel: those that are shown follow, without a new prediction."""

import numpy as np
import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    """A window with one image, and a model of cells."""
    made = person()
    made.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    made.open_panel()
    made.panel.annotate.target_combo.choose("cells")
    made.annotate()
    return made


def test_they_are_offered_for_cells_only(lab, fake):
    settings = lab.panel.predict.cells
    assert not settings.isVisibleTo(lab.panel)
    lab.train()
    assert settings.isVisibleTo(lab.panel)
    lab.panel.predict.output_combo.choose("probabilities")
    assert not settings.isVisibleTo(lab.panel)


def test_the_shown_cells_follow_a_changed_threshold(lab, fake):
    lab.train()
    lab.click("predict_slice_button")
    lab.idle()
    before = [call for call in fake.calls if call[0] == "predict"][-1]
    form = lab.panel.predict.cells.form
    threshold = form._fields["threshold"]
    threshold._check.click()
    lab.wait(lambda: [call for call in fake.calls if call[0] == "predict"][-1] is not before)
    after = [call for call in fake.calls if call[0] == "predict"][-1]
    assert after[2]["region"] == before[2]["region"]
    assert after[2]["spec"].cells.threshold == 0.6  # where it stands, so that nothing jumps
    lab.idle()


def test_nothing_is_told_apart_where_the_last_prediction_was_no_cells(lab, fake):
    lab.train()
    lab.panel.predict.output_combo.choose("classes")
    lab.click("predict_slice_button")
    lab.idle()
    lab.panel.predict.output_combo.choose("cells")
    lab.panel.predict.cells.form._fields["threshold"]._check.click()
    n_predictions = len([call for call in fake.calls if call[0] == "predict"])
    lab.wait(lambda: not lab.controller.predict._soon.isActive())
    lab.idle()
    assert len([call for call in fake.calls if call[0] == "predict"]) == n_predictions


def test_too_large_a_prediction_must_be_asked_for_again(lab, fake, monkeypatch):
    monkeypatch.setattr(fake.KeptPlanes, "gave_up", True)
    lab.train()
    lab.click("predict_slice_button")
    lab.idle()
    lab.panel.predict.cells.form._fields["threshold"]._check.click()
    lab.wait(lambda: "too large" in lab.status)


def test_a_model_of_classes_offers_no_threshold_and_says_why(lab, fake):
    lab.train()
    lab.panel.predict.cells.button.click()
    fields = lab.panel.predict.cells.form._fields
    assert fields["threshold"].isEnabled()
    lab.panel.annotate.target_combo.choose("classes")
    lab.train()
    lab.panel.predict.output_combo.choose("cells")
    assert not fields["threshold"].isEnabled()
    assert "no threshold" in fields["threshold"].toolTip()
    assert fields["min_size_px"].isEnabled()

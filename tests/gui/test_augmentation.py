"""The window with what training makes of an annotated place."""

import numpy as np
import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    made = person()
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    made.fake = fake
    made.open_panel()
    return made


def test_the_window_follows_the_settings_and_warns(lab):
    assert not lab.enabled("augmentation_preview_button")
    assert "no annotation yet" in lab.find("augmentation_preview_button").toolTip()
    lab.annotate()
    lab.click("more_train_button")
    lab.find("augmentation_preview_button").setChecked(True)
    window = lab.controller.augment.window
    lab.wait(lambda: window.finding.text() == "No gap closes.")
    assert window.isVisible()
    assert window.grid.n_pictures == 9
    assert not window.finding.property("problem")

    elastic = lab.panel.train.more.form._groups["augment"]._fields["elastic_px"]
    elastic._entry.value = 30.0
    lab.wait(lambda: window.finding.text() == "Gaps close.")
    assert window.finding.property("problem")
    assert lab.fake.calls[-1][2]["spec"].augment.elastic_px == 30

    window.close()
    assert not lab.find("augmentation_preview_button").isChecked()
    n = len(lab.fake.calls)
    elastic._entry.value = 3.0
    assert not lab.controller.augment.busy
    assert len(lab.fake.calls) == n

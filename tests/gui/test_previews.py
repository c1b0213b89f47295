"""Labels that appear while training goes on."""

import numpy as np
import pytest

from napari_annotrain._napari.train import previews

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    """A window with one image (name: cells) that is painted on, and training that goes on until it is stopped."""
    made = person()
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    made.fake = fake
    made.open_panel().annotate()
    fake.hold = "train"
    return made


def shown(lab):
    layers = lab.viewer.layers
    return np.asarray(layers["cells prediction"].data) if "cells prediction" in layers else np.zeros(1)


def predictions(lab):
    return [call for call in lab.fake.calls if call[0] == "predict"]


def test_the_view_is_predicted_while_training_goes_on(lab):
    lab.click("train_button")
    lab.wait(lambda: shown(lab).any())
    assert lab.controller.session.activity == "training"
    assert lab.enabled("stop_button")
    lab.click("stop_button")
    lab.idle()


def test_painting_goes_on_undisturbed_when_the_first_labels_appear(lab):
    layer = lab.controller.annotation
    layer.mode = "paint"
    lab.click("train_button")
    lab.wait(lambda: shown(lab).any())
    assert lab.viewer.layers.selection.active is layer
    assert layer.mode == "paint"
    lab.click("stop_button")
    lab.idle()


def test_previews_become_rarer_as_training_goes_on(lab, monkeypatch):
    monkeypatch.setattr(previews, "LIVE_SECONDS", 0.0)
    lab.click("train_button")
    lab.wait(lambda: len(predictions(lab)) == 4)
    step = lab.controller.train._step
    assert step.seconds >= previews.FIRST_SECONDS * previews.GROWTH**3
    lab.click("stop_button")
    lab.idle()


def test_a_preview_that_fails_leaves_training_alone(lab):
    lab.fake.refuse = "cells"
    lab.click("train_button")
    lab.wait(lambda: "could not be predicted while training" in lab.status)
    steps = lab.controller.train._step.step
    lab.wait(lambda: lab.controller.train._step.step > steps + 3)
    lab.fake.refuse = ""
    lab.click("stop_button")
    lab.idle()
    assert len(lab.controller.session.models) == 1


def test_stopping_in_the_middle_of_a_preview_keeps_the_model(lab):
    lab.fake.hold = "train"
    lab.click("train_button")
    lab.wait(lambda: bool(predictions(lab)))
    lab.click("stop_button")
    lab.idle()
    assert len(lab.controller.session.models) == 1
    assert shown(lab).any()

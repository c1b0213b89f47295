"""The target image in the window: choose what an image should become, train, and see the image that is made."""

import numpy as np
import pytest
from napari.layers import Image

from napari_annotrain.session import Trained, what_next, why_not_train

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    made = person()
    rng = np.random.default_rng(0)
    made.clean = made.viewer.add_image(rng.random((3, 40, 40)), name="clean")
    made.noisy = made.viewer.add_image(rng.random((3, 40, 40)), name="noisy", contrast_limits=(0, 3))
    made.open_panel()
    made.fake = fake
    made.find("target_combo").choose("image")
    return made


def test_a_pair_is_chosen_trained_and_predicted_as_an_image(lab):
    assert not lab.enabled("train_button")
    assert "target image" in lab.find("train_button").toolTip()
    assert not lab.find("class_table").isVisibleTo(lab.panel)
    assert not lab.find("new_annotation_button").isVisibleTo(lab.panel)
    lab.find("annotation_combo").choose(lab.clean)
    lab.train()
    ((images, settings),) = [call[1:] for call in lab.fake.calls if call[0] == "train"]
    assert settings["target"] == "image"
    assert [(one.stack.name, one.target.name) for one in images] == [("noisy", "clean")]
    assert lab.find("output_combo").choice() == "image"
    lab.click("predict_stack_button")
    lab.wait(lambda: "noisy prediction" in lab.viewer.layers)
    lab.idle()
    layer = lab.viewer.layers["noisy prediction"]
    assert isinstance(layer, Image)
    assert layer.data.dtype == np.float32
    assert np.all(layer.data == 1)
    assert tuple(layer.contrast_limits) == (0, 3)
    assert layer not in lab.controller.roster.images()


def test_images_alone_need_no_target_and_painting_comes_back(lab):
    lab.find("learn_from_combo").choose("noise2void")
    assert lab.enabled("train_button")
    assert not lab.find("annotation_combo").isVisibleTo(lab.panel)
    lab.train()
    images = next(call[1] for call in lab.fake.calls if call[0] == "train")
    assert [(one.stack.name, one.target) for one in images] == [("noisy", None)]
    assert not lab.enabled("accept_view_button")
    lab.find("target_combo").choose("classes")
    assert lab.find("class_table").isVisibleTo(lab.panel)
    layer = lab.annotate()
    assert lab.controller.annotation is layer
    assert lab.find("annotation_combo").item() is layer
    lab.find("target_combo").choose("image")
    assert lab.controller.annotation is None
    lab.find("target_combo").choose("cells")
    assert lab.controller.annotation is layer, "what was painted is still there"


def test_the_words_are_those_of_images(lab):
    facts = lab.controller.facts()
    assert what_next(facts) == why_not_train(facts)
    assert "noise2void" in what_next(facts)
    model = lab.fake._model({"target": "image", "class_names": {}})
    assert Trained("model 1", model, 31.24).score_words == "PSNR 31.2 dB"

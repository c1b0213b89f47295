"""What changed: a green and red layer over what is in view."""

from types import SimpleNamespace

import numpy as np
import pytest

from napari_annotrain.events import TileDone
from napari_annotrain.metrics.changes import GONE, NEW
from napari_annotrain.session import Trained

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake, monkeypatch):
    """An image with two models that predict different squares, both of classes, and the second one in view."""
    made = person()
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    made.fake = fake
    made.open_panel()
    real = fake.iter_prediction

    def predict(model, stack, write=None, **how):
        for event in real(model, stack, **how):
            if isinstance(event, TileDone):  # the left half of the first model, the right one of the other
                half = event.result.shape[-1] // 2
                event.result[..., slice(half, None) if getattr(model, "left", False) else slice(0, half)] = 0
                if write is not None:
                    write(event)
            yield event

    monkeypatch.setattr(fake, "iter_prediction", predict)
    for k, left in enumerate((True, False), 1):
        card = fake._model({"target": "classes", "class_names": {}}).card
        made.controller.models.use(Trained(f"model {k}", SimpleNamespace(card=card, left=left), 0.5))
    return made


def quiet(lab):
    lab.wait(lambda: not lab.controller.lane.busy and not lab.controller.changes.busy)


def test_the_colours_appear_follow_the_model_and_go(lab):
    lab.click("what_changed_button")
    lab.wait(lambda: "cells what changed" in lab.viewer.layers)
    shown = lab.viewer.layers["cells what changed"].data
    assert set(np.unique(shown)) >= {NEW, GONE}
    assert "compared with the labels of model 1" in lab.status
    columns = [np.flatnonzero((shown == what).any(0)).mean() for what in (NEW, GONE)]
    assert columns[0] > columns[1], "the right half is new"
    assert lab.viewer.layers["cells what changed"] not in lab.controller.roster.images()

    lab.find("model_combo").setCurrentIndex(1)
    quiet(lab)
    assert "compared with the labels of model 2" in lab.find("changes_label").text()
    columns = [np.flatnonzero((shown == what).any(0)).mean() for what in (NEW, GONE)]
    assert columns[0] < columns[1], "the left half is new"
    lab.click("what_changed_button")
    assert "cells what changed" not in lab.viewer.layers
    assert not lab.find("changes_label").isVisibleTo(lab.panel)


def test_what_was_accepted_counts_instead_of_the_model_before(lab):
    lab.click("predict_slice_button")
    lab.idle()
    everything = (slice(0, 1), slice(0, 1), slice(0, 24), slice(0, 40))
    accepted = np.array(lab.viewer.layers["cells prediction"].data)[None, None]
    lab.controller.changes.accept(lab.controller.image, everything, accepted)
    lab.click("what_changed_button")
    lab.wait(lambda: "what you accepted" in lab.status)
    quiet(lab)
    assert not lab.viewer.layers["cells what changed"].data.any()
    assert lab.status.startswith("Nothing has changed")


def test_while_training_goes_on_it_is_compared_with_the_model_before(lab):
    lab.annotate()
    lab.fake.hold = "train"
    lab.find("keep_training_check").setChecked(True)
    lab.find("model_combo").setCurrentIndex(1)  # model 1, which finds the left half
    quiet(lab)
    lab.click("train_button")
    lab.click("what_changed_button")
    lab.wait(lambda: "compared with the labels of model 1" in lab.find("changes_label").text())
    assert lab.controller.session.activity == "training"
    assert (lab.viewer.layers["cells what changed"].data == NEW).any()
    lab.click("stop_button")
    quiet(lab)
    assert lab.controller.session.model.name == "model 1"  # the first one that was trained here
    assert "compared with the labels of model 1" in lab.find("changes_label").text()


def test_the_first_model_has_none_to_be_compared_with(lab):
    lab.click("what_changed_button")
    lab.wait(lambda: "cells what changed" in lab.viewer.layers)
    quiet(lab)
    lab.controller.session.before = None
    lab.controller.changes.look()
    assert "no earlier model" in lab.find("changes_label").text()
    assert "cells what changed" not in lab.viewer.layers


def test_without_a_model_the_button_says_why_it_is_grey(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    lab.open_panel()
    assert not lab.enabled("what_changed_button")
    assert "no model yet" in lab.find("what_changed_button").toolTip()

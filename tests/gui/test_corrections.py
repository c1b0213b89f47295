"""How much had to be corrected, round by round, as the panel shows it."""

import numpy as np
import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    """An image on which the model of the fake engine finds class 1 everywhere."""
    made = person()
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    made.fake = fake
    made.layer = made.open_panel().annotate()
    made.train()  # and the view is predicted
    made.click("predict_slice_button")
    made.idle()
    return made


def paint(lab, rows, value):
    lab.layer.data[rows] = value
    lab.layer.refresh()


def test_what_the_model_had_got_wrong_is_counted_before_it_learns_it(lab):
    session = lab.controller.session
    assert session.rounds == ()
    assert not lab.find("corrections_plot").isVisibleTo(lab.panel)
    paint(lab, slice(21, 23), 1)  # 80 pixels of background, where class 1 is predicted
    paint(lab, slice(23, 24), 2)  # 40 pixels of class 1
    lab.train()
    assert session.rounds == ((120, 80),)
    assert "wrong on 67\N{NO-BREAK SPACE}% of what you annotated anew" in lab.find("corrections_label").text()
    lab.train()
    assert session.rounds == ((120, 80),), "nothing was painted"
    paint(lab, slice(20, 21), 2)
    lab.click("predict_slice_button")
    lab.idle()
    lab.train()
    assert session.rounds == ((120, 80), (40, 0))
    assert lab.find("corrections_plot").shares == pytest.approx([80 / 120, 0])


def test_what_was_not_predicted_does_not_count(lab):
    lab.controller.predict.forget_view()
    paint(lab, slice(21, 23), 1)
    lab.train()
    assert lab.controller.session.rounds == ()


def test_while_training_goes_on_it_is_compared_with_the_labels_that_are_shown(lab):
    lab.fake.hold = "train"
    lab.find("keep_training_check").setChecked(True)
    lab.click("train_button")
    lab.wait(lambda: bool(lab.controller.train.shown(lab.controller.image)))
    paint(lab, slice(21, 23), 1)
    lab.wait(lambda: bool(lab.fake.fed))
    lab.click("stop_button")
    lab.idle()
    assert lab.controller.session.rounds == ((80, 80),)


def test_a_training_that_is_cut_off_is_no_round(lab):
    session = lab.controller.session
    paint(lab, slice(21, 23), 1)
    lab.fake.fail, lab.fake.fail_at_once = RuntimeError("the network broke"), True
    lab.train()
    assert "the network broke" in lab.status
    assert session.rounds == ()
    lab.fake.fail, lab.fake.fail_at_once = None, False
    lab.train()
    assert session.rounds == ((80, 80),), "it counts with the training that gave a model"


def test_a_gpu_that_cannot_be_used_is_told_under_the_device(person, fake, monkeypatch):
    monkeypatch.setattr(fake, "why_no_gpu", lambda: "This computer has an NVIDIA GPU, but ...")
    lab = person().open_panel()
    assert lab.find("device_note").isVisibleTo(lab.panel)
    assert "NVIDIA GPU" in lab.find("device_note").text()

"""What must never happen in front of a person: a locked window, lost data, a setting that lies."""

import numpy as np
import pytest
from qtpy.QtWidgets import QStyle, QStyleOptionComboBox

from napari_annotrain._napari.predict.telling import Telling
from napari_annotrain._napari.runs import one_image
from napari_annotrain.specs import PRESETS

pytestmark = pytest.mark.gui

BUTTONS = ("train_button", "predict_view_button", "predict_slice_button", "predict_stack_button", "check_seams_button")


@pytest.fixture
def lab(person, fake):
    """A window with one stack (name: cells) of 32 planes and the panel."""
    made = person()
    made.viewer.add_image(np.zeros((32, 24, 40), np.uint8), name="cells")
    made.viewer.dims.set_current_step(0, 0)
    made.fake = fake
    return made.open_panel()


def grey(lab):
    return [name for name in BUTTONS if not lab.enabled(name)]


def trained(lab):
    lab.annotate()
    lab.train()
    return lab


def live_run(lab):
    """Live is on, the view has moved, and its quiet prediction is under way."""
    lab.fake.hold = "predict"
    lab.find("live_check").setChecked(True)
    lab.controller.predict.forget_view()
    lab.controller.predict.look()
    lab.wait(lambda: lab.controller.predict._progress.reached is not None)
    return lab


# -- buttons ----------------------------------------------------------------------------------------------------------


def test_stop_while_training_waits_for_a_quiet_prediction_gives_the_buttons_back(lab):
    live_run(trained(lab))
    assert not grey(lab)
    lab.click("train_button")
    assert grey(lab) == list(BUTTONS)
    assert lab.enabled("stop_button")
    assert not lab.enabled("cancel_button")
    lab.click("stop_button")
    assert not lab.enabled("stop_button")
    assert "Stopped before training began" in lab.status
    lab.idle()
    assert not grey(lab)
    assert len(lab.controller.session.models) == 1


def test_cancel_while_a_prediction_waits_for_a_quiet_one_gives_the_buttons_back(lab):
    live_run(trained(lab))
    lab.click("predict_stack_button")
    assert grey(lab) == list(BUTTONS)
    lab.click("cancel_button")
    lab.idle()
    assert not grey(lab)
    assert "Cancelled" in lab.status


def test_training_follows_a_quiet_prediction_and_is_not_stopped_with_it(lab):
    live_run(trained(lab))
    lab.click("train_button")
    lab.fake.hold = ""
    lab.wait(lambda: lab.enabled("train_button"))
    lab.idle()
    assert len(lab.controller.session.models) == 2


def test_a_live_prediction_can_be_cancelled(lab):
    live_run(trained(lab))
    assert lab.enabled("cancel_button")
    lab.click("cancel_button")
    lab.idle()
    assert "Cancelled: what was predicted" in lab.status
    assert not lab.enabled("cancel_button")
    assert not grey(lab)


def test_the_prediction_after_training_is_a_run_like_any_other(lab):
    lab.annotate()
    lab.fake.hold = "predict"
    activities = []
    lab.controller.session.events.activity.connect(activities.append)
    lab.click("train_button")
    lab.wait(lambda: lab.controller.predict._progress.reached is not None)
    assert lab.controller.session.activity == "predicting"
    assert activities == ["training", "predicting"]  # the buttons did not come back in between
    assert grey(lab) == list(BUTTONS)
    assert not lab.enabled("stop_button")
    assert "score 0.75" in lab.status
    lab.click("cancel_button")
    lab.wait(lambda: lab.enabled("train_button"))
    assert "Cancelled" in lab.status
    assert not grey(lab)
    assert not lab.enabled("cancel_button")


def test_the_prediction_is_there_when_the_train_button_comes_back(lab):
    lab.annotate()
    lab.click("train_button")
    lab.wait(lambda: lab.enabled("train_button"))
    assert lab.viewer.layers["cells prediction"].data[0].any()


# -- failures ---------------------------------------------------------------------------------------------------------


def test_an_image_that_cannot_be_used_is_shown_so_and_troubles_nobody(lab):
    lab.annotate()
    lab.viewer.add_image(np.zeros((1, 1, 1, 1, 8, 8)), name="odd")
    lab.find("image_combo").setCurrentText("odd")
    assert lab.panel.folds["Image"].summary() == "cannot be used"
    lab.train()
    assert lab.controller.session.activity == "idle"
    assert lab.controller.session.model is not None
    assert "6 dimensions" in lab.status
    assert not lab.enabled("stop_button")
    lab.viewer.add_image(np.zeros((8, 8)), name="next")  # would raise here
    lab.find("live_check").setChecked(True)
    for name in ("new_annotation_button", "complete_region_button", "predict_view_button", "check_seams_button"):
        lab.click(name)
        assert "6 dimensions" in lab.status, name
    lab.find("image_combo").setCurrentText("next")
    assert "8×8 px" in lab.panel.folds["Image"].summary()


def test_whatever_fails_at_the_end_of_a_run_the_buttons_come_back(lab, monkeypatch):
    lab.annotate()

    def broken():
        raise RuntimeError("no luck")

    monkeypatch.setattr(lab.controller.predict, "after_training", broken)
    lab.train()
    assert "no luck" in lab.status
    assert not grey(lab)
    monkeypatch.setattr(Telling, "_show_end", lambda self, complete: broken())
    lab.click("predict_slice_button")
    lab.idle()
    assert "no luck" in lab.status
    assert not grey(lab)


def test_a_layer_event_never_raises_into_the_one_who_adds_the_layer(lab, monkeypatch):
    def broken(*args):
        raise RuntimeError("no luck")

    monkeypatch.setattr(lab.controller.roster, "candidates", broken)
    lab.viewer.add_image(np.zeros((8, 8)), name="next")
    assert "no luck" in lab.status


def test_one_image_that_cannot_be_predicted_does_not_keep_the_others(lab):
    trained(lab)
    lab.viewer.add_image(np.zeros((1, 1, 1, 1, 8, 8)), name="odd")
    lab.viewer.add_image(np.zeros((8, 8)), name="colours")
    lab.viewer.add_image(np.zeros((8, 8)), name="good")
    lab.fake.refuse = "colours"
    lab.click("predict_images_button")
    lab.wait(lambda: lab.enabled("train_button"))
    assert lab.viewer.layers["good prediction"].data.all()
    assert lab.viewer.layers["cells prediction"].data.all()
    assert "colours prediction" not in lab.viewer.layers
    assert "Predicted all images" in lab.status
    assert "odd was left out: An image of 6 dimensions" in lab.status
    assert "colours was left out: colours has other channels." in lab.status


# -- data -------------------------------------------------------------------------------------------------------------


def test_the_users_own_layer_named_like_a_prediction_stays_as_it_is(lab):
    own = lab.viewer.add_labels(np.full((32, 24, 40), 7, np.uint8), name="cells prediction")
    trained(lab)
    for output in ("cells", "probabilities", "classes"):
        lab.panel.predict.output_combo.choose(output)
        lab.click("predict_slice_button")
        lab.idle()
    assert own in lab.viewer.layers
    assert (own.data == 7).all()
    assert lab.viewer.layers["cells prediction [1]"].data.any()


def test_a_users_segmentation_is_left_alone_until_it_is_chosen(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    own = lab.viewer.add_labels(np.full((32, 40), 9), name="my segmentation")
    colours = own.colormap
    lab.open_panel()
    assert lab.find("annotation_combo").currentIndex() == -1
    assert "+ New layer" in lab.status
    layer = lab.annotate()
    assert layer is not own
    assert own.colormap is colours
    lab.find("annotation_combo").setCurrentText("my segmentation")
    assert lab.controller.annotation is own
    assert own.colormap is not colours
    assert (own.data == 9).all()


def test_cells_of_planes_predicted_one_by_one_share_no_id(lab):
    lab.panel.annotate.target_combo.choose("cells")
    trained(lab)
    for z in (0, 1, 2):
        lab.viewer.dims.set_current_step(0, z)
        lab.click("predict_slice_button")
        lab.idle()
    data = lab.viewer.layers["cells prediction"].data
    assert [np.unique(data[z]).tolist() for z in range(3)] == [[1], [2], [3]]


def test_a_stroke_that_comes_back_by_redo_is_trained_on(lab, monkeypatch):
    from napari_annotrain._napari.annotate import tallies

    monkeypatch.setattr(tallies, "LARGE_ANNOTATION", 0)
    lab.click("new_annotation_button")
    layer = lab.controller.annotation
    layer.paint((20, 10, 10), 2)
    tally = lab.controller.tallies.of(layer)
    lab.wait(lambda: bool(tally.counts()))
    layer.undo()
    lab.wait(lambda: not tally.counts())
    layer.redo()
    lab.wait(lambda: bool(tally.counts()) and not tally.counting)
    lab.train()
    assert lab.fake.calls[0][1][0].planes == {(0, 20)}


# -- settings ---------------------------------------------------------------------------------------------------------


def test_the_network_that_is_shown_is_the_one_that_is_trained(lab):
    trained(lab)
    combo, base = lab.find("preset_combo"), lab.find("base_combo")
    assert base.currentText() == "my last model"
    assert combo.currentText() == "that of my last model"
    combo.setCurrentText("paper")
    assert base.currentText() == "nothing"
    assert "from nothing, with the network paper" in lab.status
    lab.train()
    settings = lab.fake.calls[-2][2]
    assert (settings["base"], settings["preset"], settings["spec"].batch) == (None, "paper", 1)
    base.setCurrentText("nothing")
    assert combo.currentText() == "paper"
    base.setCurrentText("cells-2d")
    assert combo.currentText() == "that of cells-2d"
    assert "the network of cells-2d" in lab.status
    lab.train()
    assert lab.fake.calls[-2][2]["base"] == "cells-2d"


def test_parts_of_the_network_reach_the_engine_until_a_model_brings_its_own(lab):
    lab.annotate()
    lab.panel.train.base_combo.choose("none")
    form = lab.panel.train.network.form
    form._fields["up"]._entry.value = "bilinear"
    assert "fast with Way up bilinear and not transposed" in lab.status
    form._fields["down"]._entry.value = "none"
    assert not form._fields["skips"].isEnabled()
    assert "no way up" in form._fields["skips"].toolTip()
    form._fields["down"]._entry.value = "max"
    lab.train()
    net = lab.fake.calls[0][2]["net"]
    assert net == PRESETS["fast"].net.choose({"up": "bilinear"})
    assert lab.find("base_combo").currentText() == "my last model"
    assert form.value() == net, "the model's own, as it is"
    assert not form._fields["up"].isEnabled()
    assert "start from nothing to choose another" in form._fields["up"].toolTip()
    lab.panel.train.network.form.reset()
    assert "from my last model, whose network stays as it is" in lab.status
    lab.train()
    assert [call for call in lab.fake.calls if call[0] == "train"][-1][2]["net"] is None
    lab.find("preset_combo").setCurrentText("segnet")  # from nothing, as it comes
    assert (form.value(), lab.controller.session.net) == (PRESETS["segnet"].net, None)
    assert form._fields["up"].isEnabled()


def test_settings_are_still_there_when_the_panel_is_opened_again(lab):
    lab.panel.train.preset_combo.choose("paper")
    lab.panel.train.more.form._fields["batch"]._entry.value = 3
    lab.panel.predict.more.form._fields["memory"]._entry.value = 5.0
    lab.viewer.window.remove_dock_widget(lab.dock)
    lab.open_panel()
    session = lab.controller.session
    assert (session.preset, session.train.batch, session.predict.memory) == ("paper", 3, 5 * 10**9)
    assert lab.find("preset_combo").currentText() == "paper"
    assert lab.panel.train.more.form._fields["batch"]._entry.value == 3
    assert lab.panel.predict.more.form._fields["memory"]._entry.value == 5.0


def test_memory_reaches_the_engine(lab):
    trained(lab)
    lab.panel.predict.more.form._fields["memory"]._entry.value = 1.5
    lab.click("predict_slice_button")
    lab.idle()
    assert lab.fake.calls[-1][2]["spec"].memory == 1_500_000_000


def test_measuring_a_large_image_is_said_and_then_what_was_said_before(lab, monkeypatch):
    monkeypatch.setattr(one_image, "LARGE_IMAGE", 0)
    said = []
    lab.annotate()
    lab.controller.session.events.status.connect(said.append)
    lab.train()
    n = said.index("Measuring the intensity range of cells ...")
    assert said[n + 1] == said[n - 1] == lab.status
    assert "score 0.75" in lab.status
    said.clear()
    lab.click("predict_slice_button")
    lab.idle()
    assert not any("Measuring" in text for text in said)  # known by now


def test_seams_are_checked_in_the_plane_that_is_shown(lab):
    assert "no model" in lab.find("check_seams_button").toolTip()
    trained(lab)
    lab.viewer.dims.set_current_step(0, 5)
    lab.click("check_seams_button")
    assert grey(lab) == list(BUTTONS)
    lab.wait(lambda: lab.enabled("check_seams_button"))
    assert lab.status == "Seams: none in plane 5."
    assert lab.fake.calls[-1][0] == "seams"
    assert not grey(lab)


def test_the_words_of_the_device_fit_into_320_px(lab):
    combo = lab.find("device_combo")
    combo.setFixedWidth(320 - 105 - 12)  # margins and the words before it, and a scroll bar
    combo.ensurePolished()
    option = QStyleOptionComboBox()
    combo.initStyleOption(option)
    field = QStyle.SubControl.SC_ComboBoxEditField
    room = combo.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, combo).width()
    assert combo.currentText() == "Automatic (CPU, 2 cores)"
    assert combo.fontMetrics().horizontalAdvance(combo.currentText()) + 4 <= room

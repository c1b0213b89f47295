"""Training that goes on while somebody paints, and going back to an earlier model."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_annotrain._napari.annotate import labels_copy

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    """A window with one image (name: cells) that is painted on, and training that goes on until it is stopped."""
    made = person(show=True)
    made.viewer.window.resize(1000, 800)
    made.viewer.add_image(np.zeros((60, 80), np.uint8), name="cells")
    made.fake = fake
    made.layer = made.open_panel().annotate()
    made.qtbot.wait(100)  # the canvas takes its size
    return made


def painted(news):
    return news.image.labels.array[0:60, 0:80]


def test_strokes_reach_the_running_training_and_its_annotation_is_not_the_array_that_is_painted_on(lab):
    lab.fake.hold = "train"
    lab.find("keep_training_check").setChecked(True)
    lab.click("train_button")
    lab.wait(lambda: lab.find("run_label").text().startswith("0:"))
    _, (given,), settings = lab.fake.calls[0]
    assert settings["feed"].endless
    lab.layer.mode, lab.layer.selected_label = "paint", 2
    lab.stroke(lab.layer, (40, 30), (40, 50))
    lab.wait(lambda: any(painted(news)[40, 40] == 2 for news in lab.fake.fed))
    lab.wait(lambda: "new strokes learnt" in lab.find("run_label").text())
    news = lab.fake.fed[-1]
    assert news.image.labels.array is not lab.layer.data
    t, z, (rows, _) = news.boxes[-1]
    assert (t, z) == (0, 0)
    assert rows.start <= 40 < rows.stop
    assert rows.stop - rows.start < 30
    assert given.labels.array[40:41, 40:41] == 0, "what was given first stays as it was"
    assert len([call for call in lab.fake.calls if call[0] == "train"]) == 1
    lab.layer.undo()
    lab.wait(lambda: painted(lab.fake.fed[-1])[40, 40] == 0)
    lab.click("stop_button")
    lab.idle()
    n = len(lab.fake.fed)
    lab.layer.data[50] = 1
    lab.layer.refresh()
    lab.controller.tallies.of(lab.layer).count_now()
    assert len(lab.fake.fed) == n
    assert len(lab.controller.session.models) == 1


def test_the_box_can_be_ticked_and_cleared_while_training_goes_on(lab):
    lab.fake.hold = "train"
    lab.click("train_button")
    lab.wait(lambda: lab.find("run_label").text().startswith("0:"))
    lab.layer.data[30] = 1
    lab.layer.refresh()
    lab.wait(lambda: lab.controller.tallies.of(lab.layer).counts()[1] == 9 * 80)
    assert not lab.fake.fed
    lab.find("keep_training_check").setChecked(True)
    lab.wait(lambda: bool(lab.fake.fed))
    assert (painted(lab.fake.fed[0])[30] == 1).all()
    lab.find("keep_training_check").setChecked(False)
    assert "Training ends at its limit" in lab.status
    assert not lab.fake.calls[0][2]["feed"].endless
    lab.click("stop_button")
    lab.idle()


def test_a_region_that_is_drawn_meanwhile_counts(lab):
    lab.fake.hold = "train"
    lab.find("keep_training_check").setChecked(True)
    lab.click("train_button")
    lab.wait(lambda: lab.find("run_label").text().startswith("0:"))
    shapes = lab.controller.roster.new_regions(lab.controller.image)
    shapes.add_rectangles(np.array([[30, 30], [30, 40], [40, 40], [40, 30]]))
    lab.wait(lambda: bool(lab.fake.fed))
    assert len(lab.fake.fed[0].image.regions) == 1
    lab.click("stop_button")
    lab.idle()


def test_too_large_an_annotation_is_trained_on_without_being_copied(lab, monkeypatch):
    monkeypatch.setattr(labels_copy, "MOST_PIXELS", 100)
    lab.find("keep_training_check").setChecked(True)
    lab.train()
    _, (given,), _ = lab.fake.calls[0]
    assert given.labels.array is lab.layer.data


def test_going_back_to_an_earlier_model_predicts_with_it_and_trains_on_from_it(lab):
    lab.train()
    lab.train()
    models, combo = lab.controller.session.models, lab.find("model_combo")
    words = [combo.itemText(i).split(" · ")[:2] for i in range(combo.count())]
    shipped = ["cells-2d", "comes with Annotrain"]
    assert words == [["model 2", "score 0.75"], ["model 1", "score 0.75"], shipped]
    assert combo.currentText().startswith("model 2")
    n = len(lab.fake.calls)
    combo.setCurrentIndex(1)
    lab.wait(lambda: len(lab.fake.calls) > n and not lab.controller.lane.busy)
    assert lab.controller.session.model is models[0]
    assert lab.fake.calls[-1][0] == "predict"
    assert lab.find("base_combo").currentText() == "model 1"
    lab.train()
    base = [call for call in lab.fake.calls if call[0] == "train"][-1][2]["base"]
    assert base is models[0].model
    assert combo.currentText().startswith("model 3")
    assert combo.count() == 4


def test_a_model_that_comes_with_the_program_predicts_without_any_training(lab, monkeypatch):
    model = lab.fake._model({"target": "cells", "class_names": {}})
    monkeypatch.setattr(type(lab.fake), "load_model", lambda self, name: model if name == "cells-2d" else None)
    assert "choose one in the step Models" in lab.find("predict_view_button").toolTip()
    combo = lab.find("model_combo")
    combo.setCurrentIndex(combo.findText("cells-2d", Qt.MatchFlag.MatchStartsWith))
    lab.wait(lambda: bool(lab.fake.calls) and not lab.controller.lane.busy)
    assert lab.fake.calls[-1][0] == "predict"
    assert lab.controller.session.model.model is model
    assert lab.enabled("predict_stack_button")

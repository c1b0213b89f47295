"""The whole window with a fake engine: what a person clicks, and what they see then."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_annotrain._napari.controller import controller_of

pytestmark = pytest.mark.gui

BUTTONS = ("train_button", "predict_view_button", "predict_slice_button", "predict_stack_button")
UM = ("micrometer", "micrometer")


@pytest.fixture
def lab(person, fake):
    """A window with one image (name: cells) and the panel."""
    made = person()
    made.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells", scale=(0.5, 0.25), translate=(3, 4), units=UM)
    made.fake = fake
    return made.open_panel()


def grey(lab):
    return [name for name in BUTTONS if not lab.enabled(name)]


def test_without_an_image_everything_says_what_to_do(person, fake):
    lab = person().open_panel()
    assert "Open an image" in lab.status
    for name in (*BUTTONS, "new_annotation_button", "complete_region_button", "stop_button", "cancel_button"):
        assert not lab.enabled(name), name
        assert lab.find(name).toolTip(), name
    lab.viewer.add_image(np.zeros((8, 8)), name="first")
    assert lab.find("image_combo").currentText() == "first"
    assert "+ New layer" in lab.status


def test_the_new_layer_is_chosen_active_and_ready_to_paint(lab):
    lab.click("new_annotation_button")
    layer = lab.viewer.layers["cells annotation"]
    assert lab.find("annotation_combo").currentText() == "cells annotation"
    assert lab.viewer.layers.selection.active is layer
    assert layer.mode == "paint"
    assert layer.selected_label == 2
    assert layer.data.shape == (32, 40)
    assert layer.scale.tolist() == [0.5, 0.25]
    assert layer.translate.tolist() == [3, 4]
    assert [str(unit) for unit in layer.units] == list(UM)
    assert "Paint over a few cells" in lab.status


def test_everything_fits_into_320_px_beside_a_scroll_bar(lab):
    for step in (lab.panel.image, lab.panel.annotate, lab.panel.train, lab.panel.predict):
        assert step.minimumSizeHint().width() <= 300, step


def test_the_whole_way(lab):
    lab.annotate()
    lab.train()
    _, images, settings = lab.fake.calls[0]
    assert [one.name for one in images] == ["cells"]
    assert settings["target"] == "classes"
    assert settings["class_names"] == {0: "background", 1: "cell"}
    assert settings["base"] is None
    result = lab.viewer.layers["cells prediction"]  # without another click
    assert result.data.all()
    assert result.dtype == np.uint8
    assert result.scale.tolist() == [0.5, 0.25]
    assert result.translate.tolist() == [3, 4]
    assert [str(unit) for unit in result.units] == list(UM)
    assert "score 0.75" in lab.status
    assert "Only little is painted." in lab.status
    assert not grey(lab)
    assert not lab.enabled("stop_button")
    assert lab.fake.released == 2
    assert lab.find("base_combo").currentText().startswith("my last model")
    lab.train()
    assert lab.fake.calls[-2][2]["base"] is lab.controller.session.models[0].model


def test_buttons_while_training_and_stop_keeps_the_model(lab):
    lab.annotate()
    lab.fake.hold = "train"
    lab.click("train_button")
    lab.wait(lambda: lab.controller.train._model is not None)
    assert grey(lab) == list(BUTTONS)
    assert lab.enabled("stop_button")
    assert "training is going on" in lab.find("train_button").toolTip()
    lab.click("stop_button")
    lab.wait(lambda: lab.enabled("train_button"))
    lab.idle()
    assert not grey(lab)
    assert not lab.enabled("stop_button")
    assert "Stopped after" in lab.status
    assert lab.controller.session.model is not None
    assert lab.fake.closed_in[0] == "annotrain-training"


@pytest.mark.parametrize(
    ("error", "words", "at_once"),
    [
        (RuntimeError("CUDA out of memory"), "Not enough memory", False),
        (RuntimeError("a shape is wrong"), "RuntimeError: a shape is wrong", True),
    ],
)
def test_a_failing_training_is_told_and_the_buttons_come_back(lab, error, words, at_once):
    lab.annotate()
    lab.fake.fail, lab.fake.fail_at_once = error, at_once
    lab.click("train_button")
    lab.wait(lambda: lab.enabled("train_button"))
    lab.idle()
    assert words in lab.status
    assert not lab.enabled("stop_button")
    assert lab.fake.released == 1
    assert (lab.controller.session.model is not None) is not at_once  # what was there before the failure is kept


def test_a_failing_prediction_is_told_and_the_buttons_come_back(lab):
    lab.annotate()
    lab.train()
    lab.fake.fail = RuntimeError("boom")
    lab.click("predict_stack_button")
    lab.idle()
    assert "RuntimeError: boom" in lab.status
    assert not grey(lab)


@pytest.mark.parametrize("shape", [(32, 40), (3, 32, 40), (2, 3, 32, 40), (32, 40, 3)])
def test_every_button_predicts_images_of_every_shape(person, fake, shape):
    lab = person()
    lab.viewer.add_image(np.zeros(shape, np.uint8), name="cells")
    lab.open_panel()
    lab.annotate()
    lab.train()
    for what in ("view", "slice", "stack"):
        lab.viewer.layers["cells prediction"].data[...] = 0
        lab.click(f"predict_{what}_button")
        lab.idle()
        result = lab.viewer.layers["cells prediction"].data
        assert result.shape == (shape[:2] if shape[-1] == 3 else shape)
        planes = result.reshape(-1, 32, 40).any(axis=(1, 2))
        assert planes.sum() == (len(planes) if what == "stack" else 1)
        assert "Predicted" in lab.status


def test_cancel_keeps_what_is_done(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((4, 32, 40), np.uint8), name="stack")
    lab.open_panel()
    lab.annotate()
    lab.train()
    lab.viewer.layers["stack prediction"].data[...] = 0
    fake.hold = "predict"
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.find("progress_bar").text().startswith("1 of 4"))
    assert lab.enabled("cancel_button")
    assert grey(lab) == list(BUTTONS)
    lab.click("cancel_button")
    lab.idle()
    assert "Cancelled" in lab.status
    assert lab.viewer.layers["stack prediction"].data.any(axis=(1, 2)).tolist() == [True, False, False, False]
    assert not grey(lab)
    assert not lab.enabled("cancel_button")


def test_outputs_follow_the_model_and_change_the_layer(lab):
    lab.annotate()
    lab.train()
    combo = lab.find("output_combo")
    assert [combo.itemData(i) for i in range(combo.count())] == ["classes", "cells", "probabilities", "uncertainty"]
    for output, dtype, shape in (
        ("cells", np.int32, (32, 40)),
        ("probabilities", np.float32, (2, 32, 40)),
        ("uncertainty", np.float32, (32, 40)),
        ("classes", np.uint8, (32, 40)),
    ):
        lab.panel.predict.output_combo.choose(output)
        lab.click("predict_slice_button")
        lab.idle()
        result = lab.viewer.layers["cells prediction"]
        assert result.dtype == dtype
        assert result.data.shape == shape
        assert result.data.all()
        assert ("1 cell." in lab.status) is (output == "cells")


def test_live_follows_the_view(person, fake):
    lab = person(show=True)
    lab.viewer.add_image(np.zeros((3, 64, 64), np.uint8), name="stack")
    lab.open_panel()
    lab.annotate()
    lab.train()
    fake.calls.clear()
    lab.qtbot.mouseClick(
        lab.find("live_check"), Qt.MouseButton.LeftButton, pos=lab.find("live_check").rect().center() / 4
    )
    lab.find("live_check").setChecked(True)
    lab.viewer.dims.set_current_step(0, 2)
    lab.wait(lambda: any(call[2]["region"][1] == slice(2, 3) for call in fake.calls))
    lab.idle()
    assert lab.viewer.layers["stack prediction"].data[2].any()
    assert not grey(lab)
    assert fake.norms == 1  # measured once an image and model
    n_calls = len(fake.calls)
    lab.viewer.scene.camera.zoom *= 2  # inside what was predicted already
    lab.qtbot.wait(300)
    assert len(fake.calls) == n_calls


def test_classes_are_named_added_and_chosen(lab):
    layer = lab.annotate()
    table = lab.find("class_table")
    lab.wait(lambda: table.item(1, 2).text() == "64 px")
    assert table.item(0, 2).text() == "320 px"
    lab.click("add_class_button")
    assert table.rowCount() == 3
    assert layer.selected_label == 3
    table.item(2, 1).setText("debris")
    assert lab.controller.session.class_names[2] == "debris"
    place = table.visualItemRect(table.item(0, 1)).center()
    lab.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert layer.selected_label == 1


def test_undo_is_counted(lab):
    layer = lab.annotate()
    table = lab.find("class_table")
    layer.data_setitem((np.array([25]), np.array([25])), 2)
    lab.wait(lambda: table.item(1, 2).text() == "65 px")
    layer.undo()
    lab.wait(lambda: table.item(1, 2).text() == "64 px")


def test_single_cells_get_a_value_each(lab):
    layer = lab.annotate()
    lab.panel.annotate.target_combo.choose("cells")
    table = lab.find("class_table")
    place = table.visualItemRect(table.item(1, 1)).center()
    lab.qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert layer.selected_label == 3
    lab.train()
    assert lab.fake.calls[0][2]["target"] == "cells"
    assert lab.viewer.layers["cells prediction"].dtype == np.int32


def test_a_complete_region_counts(lab):
    lab.click("new_annotation_button")
    lab.click("complete_region_button")
    shapes = lab.viewer.layers["cells complete regions"]
    assert shapes.mode == "add_rectangle"
    assert lab.viewer.layers.selection.active is shapes
    shapes.add_rectangles([[[2, 2], [2, 12], [22, 12], [22, 2]]])
    lab.viewer.layers["cells annotation"].data[4:6, 4:6] = 2
    lab.train()
    (one,) = lab.fake.calls[0][1]
    assert np.allclose(one.regions[0].outline, [[2, 2], [2, 12], [22, 12], [22, 2]])
    assert sorted(np.unique(one.plane(0, 0, (slice(0, 32), slice(0, 40))))) == [0, 1, 2]


def test_several_images_are_trained_on_together(lab):
    lab.annotate()
    lab.viewer.add_image(np.zeros((16, 16), np.uint8), name="more")
    lab.viewer.add_labels(np.ones((16, 16), int), name="more annotation")
    both = [lab.viewer.layers[f"{name} annotation"].colormap for name in ("cells", "more")]
    assert np.allclose(both[0].map(2), both[1].map(2))  # the same class has the same colour everywhere
    ticks = lab.find("training_list")
    assert [ticks.item(i).text() for i in range(ticks.count())] == ["cells", "more"]
    lab.train()
    assert [one.name for one in lab.fake.calls[0][1]] == ["cells", "more"]
    ticks.item(1).setCheckState(Qt.CheckState.Unchecked)
    lab.fake.calls.clear()
    lab.train()
    assert [one.name for one in lab.fake.calls[0][1]] == ["cells"]
    lab.click("predict_images_button")
    lab.idle()
    assert {"cells prediction", "more prediction"} <= {la.name for la in lab.viewer.layers}


def test_the_axes_can_be_corrected(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((2, 32, 40), np.uint8), name="two channels")
    lab.open_panel()
    edit = lab.find("axes_edit")
    assert edit.text() == "ZYX"
    edit.setText("CYX")
    edit.editingFinished.emit()
    lab.click("new_annotation_button")
    assert lab.viewer.layers["two channels annotation"].data.shape == (32, 40)
    edit.setText("QQX")
    edit.editingFinished.emit()
    assert "cannot be read" in lab.status


def test_keys(lab):
    layer = lab.annotate()
    canvas = lab.viewer.window._qt_viewer.canvas.native
    lab.qtbot.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    assert layer.selected_label == 1
    lab.qtbot.keyClick(canvas, Qt.Key.Key_T)
    lab.wait(lambda: lab.controller.session.model is not None)
    lab.idle()
    lab.fake.calls.clear()
    lab.qtbot.keyClick(canvas, Qt.Key.Key_W)
    lab.idle()
    assert [call[0] for call in lab.fake.calls] == ["predict"]


def test_settings_reach_the_engine(lab):
    lab.annotate()
    lab.panel.train.preset_combo.choose("standard")
    lab.panel.train.device_combo.choose("cpu")
    lab.panel.train.basic_form._fields["seconds"]._entry.value = 7
    lab.panel.train.more.form._fields["batch"]._entry.value = 3
    lab.panel.train.base_combo.choose("cells-2d")
    lab.train()
    settings = lab.fake.calls[0][2]
    assert settings["preset"] == "standard"
    assert settings["base"] == "cells-2d"
    assert (settings["spec"].seconds, settings["spec"].batch, settings["spec"].device) == (7, 3, "cpu")


def test_renaming_and_removing_layers_during_a_run_is_harmless(lab):
    lab.annotate()
    lab.train()
    image = lab.viewer.layers["cells"]
    lab.fake.hold = "predict"
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.find("progress_bar").text().startswith("1 of"))
    image.name = "renamed"
    assert lab.find("image_combo").currentText() == "renamed"
    lab.viewer.layers.clear()
    lab.fake.hold = ""
    lab.idle()
    assert lab.controller.session.activity == "idle"
    assert "Open an image" in lab.panel.annotate.tip_label.text() + lab.status
    lab.viewer.add_image(np.zeros((8, 8)), name="next")
    assert lab.find("image_combo").currentText() == "next"


@pytest.mark.parametrize("run", ["train_button", "predict_stack_button"])
def test_closing_the_dock_in_mid_run_is_clean_and_the_work_is_there_again(lab, run):
    lab.annotate()
    lab.train()
    lab.fake.hold = "train" if run == "train_button" else "predict"
    lab.click(run)
    flow = lab.controller.train if run == "train_button" else lab.controller.predict
    lab.wait(lambda: (flow._model if run == "train_button" else flow._progress) is not None)
    lab.viewer.window.remove_dock_widget(lab.dock)
    assert not lab.controller.lane.busy
    assert lab.controller.panel is None
    lab.fake.hold = ""
    n_models = 2 if run == "train_button" else 1
    assert len(lab.controller.session.models) == n_models
    lab.open_panel()
    assert lab.controller is controller_of(lab.viewer)
    assert not grey(lab)
    assert lab.find("base_combo").currentText().startswith("my last model")


def test_closing_the_window_in_mid_run_is_clean(person, fake, qtbot):
    lab = person(strict_qt=True)
    lab.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    lab.open_panel()
    lab.annotate()
    fake.hold = "train"
    lab.click("train_button")
    lab.wait(lambda: lab.controller.train._model is not None)
    lab.panel.train.loss_plot.redraw()  # pyqtgraph leaves windows behind, if one lets it
    lab.viewer.close()
    qtbot.waitUntil(lambda: not lab.controller.lane.busy, timeout=20_000)
    assert fake.closed_in == ["annotrain-training"]


def test_without_torch_one_can_paint_and_is_told(person, monkeypatch):
    from napari_annotrain._napari import engine

    def missing():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(engine, "load", missing)
    lab = person()
    lab.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    lab.open_panel()
    assert "PyTorch is not installed" in lab.status
    assert lab.enabled("new_annotation_button")
    lab.annotate()
    assert not lab.enabled("train_button")
    assert "PyTorch" in lab.find("train_button").toolTip()


def test_menu_commands_open_the_panel(person, fake):
    from napari_annotrain._napari.actions import new_annotation_layer, predict_view

    lab = person()
    lab.viewer.add_image(np.zeros((32, 40), np.uint8), name="cells")
    new_annotation_layer(lab.viewer)
    assert "cells annotation" in lab.viewer.layers
    predict_view(lab.viewer)
    assert "no model" in controller_of(lab.viewer).session.status
    lab.controller = controller_of(lab.viewer)
    lab.wait(lambda: lab.controller.loading.done)


def test_the_theme_is_followed(lab):
    lab.viewer.theme = "light"
    assert lab.panel.train.loss_plot._theme.light

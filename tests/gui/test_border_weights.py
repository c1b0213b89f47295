"""Border weights as a layer: someone wonders why two cells merge."""

import threading

import numpy as np
import pytest

from napari_annotrain._napari.runs import work as runs
from napari_annotrain.data.border_map import border_map

pytestmark = pytest.mark.gui
UM = ("micrometer", "micrometer")


@pytest.fixture
def lab(person, fake):
    """A window with one image (name: cells), an empty annotation of cells, and the panel."""
    made = person()
    made.viewer.add_image(np.zeros((60, 80), np.uint8), name="cells", scale=(0.5, 0.25), translate=(3, 4), units=UM)
    made.fake = fake
    made.open_panel()
    made.find("target_combo").setCurrentText("cells")
    made.click("new_annotation_button")
    return made


def paint_pair(layer, plane=()):
    """Two cells, rows 20 to 39, with the columns 38 and 39 of background between them."""
    layer.data[(*plane, slice(15, 45), slice(15, 65))] = 1
    layer.data[(*plane, slice(20, 40), slice(20, 38))] = 2
    layer.data[(*plane, slice(20, 40), slice(40, 60))] = 3
    layer.refresh()


def press(lab):
    lab.click("border_weights_button")
    settled(lab)


def settled(lab):
    lab.wait(lambda: not lab.controller.borders.busy)


def setting(lab, name):
    return lab.panel.train.more.form._groups["weights"]._fields[name]._entry


def weights(lab):
    return np.array(lab.viewer.layers["cells border weights"].data)


def names(lab):
    return [layer.name for layer in lab.viewer.layers]


def test_someone_paints_two_near_cells_and_sees_the_gap_glow(person, fake):
    lab = person(show=True)
    lab.viewer.window.resize(1100, 800)
    lab.viewer.add_image(np.zeros((60, 80), np.uint8), name="cells")
    lab.open_panel()
    lab.qtbot.wait(100)  # the canvas takes its size
    lab.viewer.fit_to_view()
    lab.find("target_combo").setCurrentText("cells")
    lab.click("new_annotation_button")
    layer = lab.viewer.layers["cells annotation"]
    layer.brush_size = 8
    lab.stroke(layer, (20, 30), (40, 30))
    layer.selected_label = 3
    lab.stroke(layer, (20, 42), (40, 42))
    layer.selected_label, layer.brush_size = 1, 4
    lab.stroke(layer, (20, 36), (40, 36))
    assert {1, 2, 3} <= set(np.unique(layer.data))

    press(lab)
    gap = (layer.data == 1) & (np.arange(60)[:, None] >= 20) & (np.arange(60)[:, None] < 41)
    usual = weights(lab)
    assert usual[gap].max() > 5  # w0 is 10
    assert not usual[layer.data != 1].any()
    assert "times as much" in lab.status

    setting(lab, "border").value = 20
    lab.wait(lambda: weights(lab).max() > 1.9 * usual.max())
    assert np.allclose(weights(lab), 2 * usual)
    setting(lab, "sigma_px").value = 10
    lab.wait(lambda: weights(lab).max() > 2.1 * usual.max())


def test_the_layer_lies_over_the_image_and_disturbs_nobody(lab):
    layer = lab.controller.annotation
    paint_pair(layer)
    press(lab)
    shown = lab.viewer.layers["cells border weights"]
    assert shown.scale.tolist() == [0.5, 0.25]
    assert shown.translate.tolist() == [3, 4]
    assert [str(unit) for unit in shown.units] == list(UM)
    assert tuple(shown.contrast_limits) == (0, 10)
    assert weights(lab)[20:40, 38:40] == pytest.approx(10 * np.exp(-(3**2) / 50))
    assert names(lab) == ["cells", "cells annotation", "cells border weights"]
    assert lab.viewer.layers.selection.active is layer
    assert layer.mode == "paint"
    assert lab.controller.roster.images() == [lab.viewer.layers["cells"]]  # nothing to train on
    assert lab.find("image_combo").count() == 1


def test_pressing_again_brings_it_up_to_date(lab):
    layer = lab.controller.annotation
    paint_pair(layer)
    press(lab)
    setting(lab, "border").value = 30
    lab.wait(lambda: weights(lab).max() > 20)
    assert tuple(lab.viewer.layers["cells border weights"].contrast_limits) == (0, 10)  # so that it is seen
    layer.data[layer.data == 3] = 1
    layer.data[50:55, 70:75] = 3
    press(lab)
    assert not weights(lab).any()
    assert "near each other" in lab.status
    assert names(lab).count("cells border weights") == 1
    assert tuple(lab.viewer.layers["cells border weights"].contrast_limits) == (0, 30)


@pytest.mark.parametrize(
    ("paint", "words"),
    [
        (lambda data: None, "Nothing is painted here"),
        (lambda data: data[:20].fill(1), "no gap between cells"),
        (lambda data: (data[:20].fill(1), data[5:9, 5:9].fill(2)), "no gap between cells"),
        (lambda data: (data[:20].fill(2), data[21:40].fill(3)), "paint background between cells"),
    ],
)
def test_where_there_is_no_gap_a_sentence_says_so_and_no_layer_is_made(lab, paint, words):
    paint(lab.controller.annotation.data)
    press(lab)
    assert words in lab.status
    assert names(lab) == ["cells", "cells annotation"]


def test_strokes_of_classes_need_a_complete_region(lab):
    lab.find("target_combo").setCurrentText("classes")
    data = lab.controller.annotation.data
    data[20:40, 20:30], data[20:40, 40:50], data[20:40, 32:38] = 2, 2, 1
    press(lab)
    assert "complete region" in lab.status
    data[data == 0] = 1
    press(lab)
    assert weights(lab)[30, 30:40].min() > 0.5


def test_without_w0_it_says_what_to_raise(lab):
    paint_pair(lab.controller.annotation)
    setting(lab, "border").value = 0
    press(lab)
    assert "w0 is 0" in lab.status
    assert names(lab) == ["cells", "cells annotation"]


def test_it_follows_the_target(lab):
    layer = lab.controller.annotation
    layer.data[:] = 1
    layer.data[20:40, 20:40], layer.data[20:40, 40:60] = 2, 3  # touching
    press(lab)
    assert weights(lab).max() > 9
    layer.data[layer.data == 3] = 2
    lab.find("target_combo").setCurrentText("classes")
    lab.wait(lambda: not weights(lab).any())


def test_in_a_stack_only_the_plane_on_screen_is_computed_and_followed(person, fake, monkeypatch):
    seen = []

    def watched(image, t, z, target, spec):
        seen.append((t, z))
        return border_map(image, t, z, target, spec)

    monkeypatch.setattr(runs, "border_map", watched)
    lab = person()
    lab.viewer.add_image(np.zeros((40, 60, 80), np.uint8), name="cells")
    lab.viewer.dims.set_current_step(0, 7)
    lab.open_panel()
    lab.find("target_combo").setCurrentText("cells")
    lab.click("new_annotation_button")
    for z in (7, 9):
        paint_pair(lab.controller.annotation, (z,))
    press(lab)
    assert seen == [(0, 7)]
    assert [z for z in range(40) if weights(lab)[z].any()] == [7]
    said = lab.status
    lab.viewer.dims.set_current_step(0, 9)
    lab.wait(lambda: bool(weights(lab)[9].any()))
    settled(lab)
    assert [z for z in range(40) if weights(lab)[z].any()] == [9]  # what is not looked at is never out of date
    assert lab.status == said
    lab.viewer.dims.set_current_step(0, 20)
    lab.wait(lambda: not weights(lab).any())
    lab.viewer.dims.ndisplay = 3
    lab.wait(lambda: [z for z in range(40) if weights(lab)[z].any()] == [7, 9])


def test_a_layer_that_is_deleted_stays_away_until_the_button_is_pressed(lab):
    paint_pair(lab.controller.annotation)
    press(lab)
    lab.viewer.layers.remove("cells border weights")
    setting(lab, "border").value = 20
    lab.qtbot.wait(400)
    assert names(lab) == ["cells", "cells annotation"]
    press(lab)
    assert weights(lab).max() > 16


def test_it_can_be_looked_at_while_training_goes_on(lab):
    paint_pair(lab.controller.annotation)
    lab.fake.hold = "train"
    lab.click("train_button")
    lab.wait(lambda: lab.controller.train._model is not None)
    assert lab.enabled("border_weights_button")
    assert not lab.enabled("more_train_button")
    press(lab)
    assert weights(lab).any()
    assert lab.controller.session.activity == "training"
    lab.click("stop_button")
    lab.idle()
    assert lab.enabled("more_train_button")


def test_closing_the_panel_while_it_computes_is_clean(lab, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def slow(*args):
        begun.set()
        go.wait(5)
        return border_map(*args)

    monkeypatch.setattr(runs, "border_map", slow)
    paint_pair(lab.controller.annotation)
    lab.click("border_weights_button")
    lab.wait(begun.is_set)
    threading.Timer(0.2, go.set).start()
    lab.viewer.window.remove_dock_widget(lab.dock)
    assert not lab.controller.borders.busy
    assert names(lab) == ["cells", "cells annotation"]
    lab.viewer.dims.ndisplay = 3  # nobody follows any more
    lab.open_panel()
    press(lab)
    assert weights(lab).any()


def test_a_failure_is_told(lab, monkeypatch):
    def broken(*args):
        raise RuntimeError("no luck")

    monkeypatch.setattr(runs, "border_map", broken)
    paint_pair(lab.controller.annotation)
    press(lab)
    assert "no luck" in lab.status
    assert lab.enabled("border_weights_button")


def test_the_button_says_why_it_is_grey(person, fake):
    lab = person().open_panel()
    assert "no image" in lab.find("border_weights_button").toolTip()
    lab.viewer.add_image(np.zeros((8, 8)), name="first")
    assert not lab.enabled("border_weights_button")
    assert "New layer" in lab.find("border_weights_button").toolTip()
    lab.click("new_annotation_button")
    assert lab.enabled("border_weights_button")


def test_other_axes_make_another_layer(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((3, 60, 80), np.uint8), name="cells")
    lab.open_panel()
    lab.find("target_combo").setCurrentText("cells")
    lab.click("new_annotation_button")
    paint_pair(lab.controller.annotation, (lab.viewer.dims.current_step[0],))
    press(lab)
    assert weights(lab).shape == (3, 60, 80)
    lab.controller.set_axes("CYX")
    lab.viewer.layers.remove("cells annotation")
    lab.click("new_annotation_button")
    paint_pair(lab.controller.annotation)
    press(lab)
    assert weights(lab).shape == (60, 80)
    assert len(names(lab)) == 3

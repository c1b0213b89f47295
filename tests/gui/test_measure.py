"""The fifth step: from the button to the table, from a row to its object and back, and to the files."""

import csv
import threading

import numpy as np
import pytest
import roifile
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

from napari_annotrain._napari.controller import controller_of
from napari_annotrain._napari.measure import flow as measure_flow
from napari_annotrain.events import Measured

pytestmark = pytest.mark.gui

UM = ("micrometer", "micrometer")


def boxes():
    """Three objects: 1 at the border, 2 in the middle, 7 small and bright."""
    labels = np.zeros((40, 60), np.uint16)
    labels[0:10, 5:15], labels[15:30, 20:40], labels[32:36, 50:54] = 1, 2, 7
    return labels


def open_lab(person, labels, **kwargs):
    """A window with an image, labels over it, and the fifth step unfolded."""
    lab = person(show=kwargs.pop("show", False))
    lab.viewer.add_image((labels * 10).astype(np.uint16), name="cells", **kwargs)
    lab.layer = lab.viewer.add_labels(labels.copy(), name="mine", **kwargs)
    lab.open_panel()
    for title, fold in lab.panel.folds.items():
        fold.set_open(title == "Measure")
    return lab


@pytest.fixture
def lab(person, fake):
    return open_lab(person, boxes(), scale=(0.5, 0.5), units=UM)


def measure(lab):
    lab.click("measure_button")
    lab.wait(lambda: lab.enabled("measure_button"))


def cell(lab, row, column):
    model = lab.find("measure_table").model()
    return model.data(model.index(row, column))


def click_row(lab, row):
    view = lab.find("measure_table")
    place = view.visualRect(view.model().index(row, 0)).center()
    lab.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def chosen_label(lab):
    view = lab.find("measure_table")
    return cell(lab, view.currentIndex().row(), 0) if view.currentIndex().isValid() else None


def test_without_labels_it_says_what_to_do(person, fake):
    lab = person().open_panel()
    assert "Open an image" in lab.find("measure_label").text()
    lab.viewer.add_image(np.zeros((20, 30)), name="cells")
    assert "predict cells in step 4" in lab.find("measure_label").text()
    lab.viewer.add_labels(np.ones((20, 31), int), name="of another size")
    for name in ("measure_button", "cancel_measure_button", "save_table_button", "save_rois_button"):
        assert not lab.enabled(name)
        assert lab.find(name).toolTip()
    lab.viewer.add_labels(np.ones((20, 30), int), name="fits")
    assert lab.find("measure_combo").currentText() == "fits"
    assert lab.enabled("measure_button")


def test_the_table_shows_what_there_is(lab):
    assert "Press Measure" in lab.find("measure_label").text()
    measure(lab)
    assert lab.find("measure_label").text() == "3 cells; 1 touches the border of the image."
    assert lab.panel.folds["Measure"].summary() == "3 cells"
    assert [[cell(lab, row, column) for column in range(4)] for row in range(3)] == [
        ["1", "25", "10", "border"],
        ["2", "75", "20", ""],
        ["7", "4", "70", ""],
    ]
    step = lab.panel.measure
    assert step.minimumSizeHint().width() <= 300
    lab.find("more_columns_check").click()
    model = lab.find("measure_table").model()
    assert model.columnCount() == len(step._table)
    assert step.minimumSizeHint().width() <= 300


def test_a_row_leads_to_its_object_and_a_click_on_an_object_to_its_row(person, fake):
    lab = open_lab(person, boxes(), show=True, scale=(0.5, 0.5), units=UM)
    lab.viewer.window.resize(1100, 900)
    lab.qtbot.wait(100)  # the canvas takes its size
    lab.viewer.fit_to_view()
    measure(lab)
    click_row(lab, 2)
    assert lab.layer.selected_label == 7
    assert lab.viewer.scene.camera.center[-2:] == pytest.approx((33.5 * 0.5, 51.5 * 0.5))
    lab.viewer.fit_to_view()
    canvas = lab.viewer.window._qt_viewer.canvas.native
    for place, label in (((20, 30), "2"), ((5, 10), "1")):
        QTest.mouseMove(canvas, lab.on_canvas(lab.layer, *place))
        QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=lab.on_canvas(lab.layer, *place))
        assert chosen_label(lab) == label
    lab.layer.selected_label = 2
    assert chosen_label(lab) == "2"
    lab.viewer.layers.selection.active = lab.layer
    lab.layer.mode = "paint"  # then a click paints, and is no question
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=lab.on_canvas(lab.layer, 5, 10))
    assert lab.layer.data[5, 10] == 2
    assert chosen_label(lab) == "2"


def test_a_row_of_another_plane_moves_the_slider(person, fake):
    labels = np.stack([boxes(), 0 * boxes(), boxes() * 3])
    lab = open_lab(person, labels, scale=(2.0, 1.0, 1.0))
    measure(lab)
    assert "6 cells in 3 planes (0 to 3 in each, 2 on average)" in lab.find("measure_label").text()
    assert lab.viewer.dims.current_step[0] == 1
    click_row(lab, 4)
    assert lab.viewer.dims.current_step[0] == 2
    assert lab.layer.selected_label == 6
    lab.qtbot.keyClick(lab.find("measure_table"), Qt.Key.Key_Home)
    lab.qtbot.keyClick(lab.find("measure_table"), Qt.Key.Key_Up)
    lab.find("measure_table").sortByColumn(2, Qt.SortOrder.DescendingOrder)
    assert [cell(lab, row, 0) for row in range(3)] == ["2", "6", "1"]


def test_a_label_in_several_planes_is_found_in_the_plane_in_view(person, fake):
    lab = open_lab(person, np.stack([boxes()] * 3))
    measure(lab)
    assert lab.find("measure_label").text().startswith("3 cells, 9 outlines in 3 planes")
    lab.viewer.dims.set_current_step(0, 2)
    lab.layer.selected_label = 2
    assert lab.find("measure_table").chosen() == 7


def test_files_are_written_where_the_dialog_says(lab, tmp_path, monkeypatch):
    measure(lab)
    places = iter([tmp_path / "cells.csv", tmp_path / "cells", ""])  # the second without its type
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(next(places)), ""))
    for name in ("save_table_button", "save_rois_button"):
        lab.click(name)
        lab.wait(lambda name=name: lab.enabled(name))
    assert "3 outlines as cells.zip" in lab.status
    with (tmp_path / "cells.csv").open(newline="") as file:
        assert [(row["label"], row["area_um2"]) for row in csv.DictReader(file)] == [
            ("1", "25"),
            ("2", "75"),
            ("7", "4"),
        ]
    assert [roi.name for roi in roifile.roiread(tmp_path / "cells.zip")] == ["cell 1", "cell 2", "cell 7"]
    lab.click("save_table_button")  # and think better of it
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_measured_is_out_of_date_once_the_labels_change(lab):
    layer = lab.layer
    layer.selected_label = 5
    layer.paint((38, 5), 5)
    measure(lab)
    stale = lab.find("measure_stale_label")
    assert stale.isHidden()
    layer.refresh()
    lab.qtbot.wait(0)
    layer.undo()  # which only draws the layer anew
    lab.wait(lambda: not stale.isHidden())
    assert "out of date" in lab.panel.folds["Measure"].summary()
    assert not lab.enabled("save_rois_button")
    assert lab.enabled("save_table_button")
    measure(lab)
    assert stale.isHidden()
    assert lab.find("measure_label").text().startswith("3 cells")
    layer.paint((38, 5), 5)
    assert not stale.isHidden()
    measure(lab)
    lab.viewer.layers["cells"].scale = (0.3, 0.3)  # then areas are other ones, too
    assert not stale.isHidden()


def test_a_prediction_is_chosen_measured_and_outdated_by_the_next(person, fake):
    lab = person()
    lab.viewer.add_image(np.zeros((3, 32, 40), np.uint8), name="stack")
    lab.viewer.add_labels(np.ones((3, 32, 40), int), name="mine")
    lab.open_panel()
    lab.annotate()
    lab.train()
    assert lab.find("measure_combo").currentText() == "stack prediction"
    lab.click("predict_stack_button")
    lab.idle()
    measure(lab)
    assert lab.find("measure_label").text() == "1 class in 3 planes."
    fake.hold = "predict"
    lab.click("predict_stack_button")
    lab.wait(lambda: not lab.find("measure_stale_label").isHidden())
    assert "prediction" in lab.find("measure_button").toolTip()
    lab.click("cancel_button")
    lab.idle()
    lab.find("measure_combo").choose(lab.viewer.layers["stack annotation"])
    assert lab.find("measure_stale_label").isHidden()  # of this layer there is no table yet
    measure(lab)
    table = lab.panel.measure._table
    assert np.unique(table["label"]).tolist() == [2]  # background is no object
    lab.find("measure_combo").choose(lab.viewer.layers["stack prediction"])
    assert not lab.find("measure_stale_label").isHidden()


def test_the_window_lives_while_it_measures_and_cancel_ends_it(lab, monkeypatch):
    go_on = threading.Event()

    def slow(*_):
        try:
            while not go_on.wait(0.005):
                yield Measured(12, 3, 40)
        finally:
            closed.append(True)

    closed = []
    monkeypatch.setattr(measure_flow, "iter_measurement", slow)
    lab.click("measure_button")
    lab.wait(lambda: "Plane 4 of 40, 12 objects" in lab.find("measure_label").text())
    assert not lab.enabled("measure_button")
    lab.click("cancel_measure_button")
    lab.wait(lambda: lab.enabled("measure_button"))
    assert closed
    assert lab.status == "Cancelled."
    assert not lab.enabled("save_table_button")


def test_other_channels_are_measured_where_that_is_wanted(lab):
    lab.viewer.add_image(np.zeros((5, 5)), name="of another size")
    assert lab.find("measure_also_check").isHidden()
    lab.find("image_combo").choose(lab.viewer.layers["cells"])
    lab.viewer.add_image(np.full((40, 60), 3, np.uint8), name="GFP", scale=(0.5, 0.5), units=UM)
    lab.find("image_combo").choose(lab.viewer.layers["cells"])
    check = lab.find("measure_also_check")
    assert check.text() == "Brightness in 1 other image, too"
    check.click()
    measure(lab)
    assert lab.panel.measure._table["intensity_mean_GFP"].tolist() == [3, 3, 3]
    assert lab.panel.measure.minimumSizeHint().width() <= 300


def test_closing_the_panel_ends_a_measurement(lab, monkeypatch):
    def endless(*_):
        while True:
            threading.Event().wait(0.005)
            yield Measured(1, 0, 1)

    monkeypatch.setattr(measure_flow, "iter_measurement", endless)
    lab.click("measure_button")
    lab.dock.close()
    lab.viewer.window.remove_dock_widget(lab.dock)
    controller = controller_of(lab.viewer)
    lab.wait(lambda: controller.panel is None)
    assert not controller.measure._lane.busy


def test_labels_without_objects_are_told(person, fake):
    lab = open_lab(person, np.zeros((20, 30), np.uint8))
    measure(lab)
    assert "There is no object in mine" in lab.status
    assert not lab.enabled("save_table_button")

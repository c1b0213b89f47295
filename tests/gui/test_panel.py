"""The views alone, without napari."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QCheckBox, QComboBox, QLabel, QProgressBar, QTableWidget, QWidget

from napari_annotrain._qt.annotate import ClassRow
from napari_annotrain._qt.combos import ChoiceCombo, ItemCombo
from napari_annotrain._qt.palette import Theme
from napari_annotrain._qt.panel import Panel

NAMES = {
    QComboBox: "image_combo annotation_combo target_combo base_combo preset_combo device_combo output_combo",
    QAbstractButton: "new_annotation_button complete_region_button train_button stop_button predict_view_button "
    "predict_slice_button predict_stack_button cancel_button",
    QCheckBox: "live_check",
    QTableWidget: "class_table",
    QProgressBar: "progress_bar",
    QLabel: "status_label",
    QWidget: "loss_plot",
}


@pytest.fixture
def panel(qtbot):
    made = Panel()
    qtbot.addWidget(made)
    made.resize(320, 900)
    made.show()
    return made


def test_every_promised_widget_is_there_from_the_start(panel):
    for kind, names in NAMES.items():
        for name in names.split():
            found = panel.findChildren(QWidget, name)
            assert len(found) == 1, name
            assert isinstance(found[0], kind), name


def test_the_target_starts_as_classes(panel):
    assert panel.annotate.target_combo.currentText() == "classes"


def test_a_step_folds_and_keeps_its_line_of_state(panel, qtbot):
    fold = panel.folds["Train"]
    panel.set_summary("Train", "model 1 · score 0.83")
    qtbot.mouseClick(fold.header, Qt.MouseButton.LeftButton)
    assert fold.body.isHidden()
    assert fold.summary() == "model 1 · score 0.83"
    qtbot.mouseClick(fold.header, Qt.MouseButton.LeftButton)
    assert not fold.body.isHidden()


def test_nothing_is_wider_than_320_px(panel):
    inner = panel.folds["Train"].parentWidget()
    assert inner.minimumSizeHint().width() <= 320


def test_a_grey_button_says_why(panel):
    panel.train.set_running(True, "A training is going on.", "")
    assert not panel.train.train_button.isEnabled()
    assert panel.train.train_button.toolTip() == "A training is going on."
    panel.train.set_running(False, "", "Nothing is being trained.")
    assert panel.train.train_button.isEnabled()
    assert "key T" in panel.train.train_button.toolTip()


def test_class_table_tells_what_is_clicked_and_renamed(panel, qtbot):
    table, chosen, renamed = panel.annotate.class_table, [], []
    panel.annotate.class_chosen.connect(chosen.append)
    panel.annotate.class_renamed.connect(lambda value, name: renamed.append((value, name)))
    panel.annotate.set_rows([ClassRow(1, "background", "#888888"), ClassRow(2, "cell", "#ff9f1c", "88 px", "Alt+2")])
    assert renamed == []
    place = table.visualItemRect(table.item(1, 2)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert chosen == [2]
    table.item(1, 1).setText("nucleus")
    assert renamed == [(2, "nucleus")]


def test_the_item_combo_follows_the_object(qtbot):
    combo, told = ItemCombo("x", empty="(none)"), []
    qtbot.addWidget(combo)
    combo.item_changed.connect(told.append)
    a, b = object(), object()
    combo.set_items([("a", a), ("b", b)], prefer=a)
    combo.set_items([("b", b), ("renamed", a)])
    assert combo.currentText() == "renamed"
    assert told == [a]
    combo.set_items([("b", b)], prefer=b)
    assert told == [a, b]
    combo.set_items([])
    assert combo.item() is None
    assert told == [a, b, None]


def test_the_choice_combo_keeps_its_choice_where_it_can(qtbot):
    combo, told = ChoiceCombo("x", [("a", "A"), ("b", "B")]), []
    qtbot.addWidget(combo)
    combo.choose("b")
    combo.choice_changed.connect(told.append)
    combo.set_choices([("c", "C"), ("b", "Bee")])
    assert combo.choice() == "b"
    assert told == []
    combo.set_choices([("c", "C")])
    assert told == ["c"]


def test_the_curve_is_drawn_when_points_arrive(panel, qtbot):
    plot = panel.train.loss_plot
    assert plot._plot is None
    for step in range(50):
        plot.add_loss(step / 10, 1 - step / 100)
    plot.add_score(4.0, 0.8)
    qtbot.waitUntil(lambda: plot._plot is not None)
    assert len(plot._curves[0].getData()[0]) == 50
    assert "0.80" in plot._words.text()
    panel.set_theme(Theme(background="#ffffff", text="#000000"))
    plot.clear()
    assert plot._curves[0].getData()[0] is None


def test_the_wheel_does_not_change_a_combo_one_scrolls_over(panel, qtbot):
    combo = panel.train.preset_combo
    before = combo.currentText()
    assert not combo.hasFocus()
    from qtpy.QtCore import QPoint, QPointF
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(0, -120),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(combo, event)
    assert combo.currentText() == before

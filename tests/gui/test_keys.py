"""The keys: in napari's Preferences, in the panel, and at work; none of them is one of napari's own."""

from pathlib import Path

import napari
import numpy as np
import pytest
from napari.settings import get_settings
from napari.utils.action_manager import action_manager
from napari.utils.key_bindings import KeyBinding
from napari.utils.shortcuts import default_shortcuts
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_annotrain._napari.keys import KEYS, VALUES, all_keys, bind_keys, label_key

pytestmark = pytest.mark.gui
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def lab(person, fake):
    made = person()
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    made.fake = fake
    return made.open_panel()


def test_none_is_one_of_naparis_own():
    ours = {KeyBinding.from_str(key.key) for key in KEYS} | {KeyBinding.from_str(label_key(v)) for v in VALUES}
    assert len(ours) == len(KEYS) + len(VALUES)
    types = (napari.Viewer, napari.layers.Image, napari.layers.Labels)
    actions = {name for kind in types for name in action_manager._get_provider_actions(kind)}
    theirs = {key for name in actions & set(default_shortcuts) for key in default_shortcuts[name]}
    assert len(theirs) > 20
    plane = {KeyBinding.from_str("O")}  # of an image shown as a plane in 3-D, where that layer's own key comes first
    assert ours & theirs <= plane


def test_the_documentation_has_them_all():
    page = (Path(__file__).parents[2] / "docs" / "first-steps.md").read_text(encoding="utf-8")
    assert [row for row in all_keys() if f"| `{row[0]}` | {row[1]} |" not in page] == []


def test_preferences_offer_them(lab):
    from napari._qt.widgets.qt_keyboard_settings import ShortcutEditor

    editor = ShortcutEditor()
    lab.qtbot.addWidget(editor)
    offered = editor.key_bindings_strs[ShortcutEditor.VIEWER_KEYBINDINGS]
    assert offered["napari-annotrain:train"].description == "Annotrain: Train"
    assert {f"napari-annotrain:{key.name}" for key in KEYS} <= set(offered)


def test_a_key_that_the_user_chose_is_kept(lab, monkeypatch):
    action = "napari-annotrain:measure"
    monkeypatch.setitem(get_settings().shortcuts.shortcuts, action, [KeyBinding.from_str("Ctrl-Alt-J")])
    action_manager.unbind_shortcut(action)
    action_manager.bind_shortcut(action, "Ctrl-Alt-J")
    bind_keys(lab.controller.roster.viewer, lab.controller)
    assert [str(key) for key in action_manager._shortcuts[action]] == ["Ctrl-Alt-J"]
    assert ("Ctrl+Alt+J", "Measure") in all_keys()
    action_manager.unbind_shortcut(action)
    action_manager.bind_shortcut(action, "Shift-M")


def test_the_loop_by_keys(lab):
    lab.press(Qt.Key.Key_N, SHIFT)
    layer = lab.controller.annotation
    assert layer is lab.viewer.layers["cells annotation"]
    layer.data[:8], layer.data[12:20, 12:20] = 1, 2
    layer.refresh()
    lab.fake.hold = "train"
    lab.press(Qt.Key.Key_T)
    lab.wait(lambda: "steps" in lab.find("run_label").text())
    lab.press(Qt.Key.Key_T)
    assert lab.status == "A training is going on."
    lab.press(Qt.Key.Key_Q)
    lab.idle()
    lab.press(Qt.Key.Key_W, SHIFT)
    lab.idle()
    assert lab.viewer.layers["cells prediction"].data.all()
    lab.press(Qt.Key.Key_A)
    assert (layer.data == 2).sum() > 500


def test_a_key_says_why_nothing_can_be_done(lab):
    lab.press(Qt.Key.Key_M, SHIFT)
    assert lab.status == lab.find("measure_button").toolTip()
    lab.press(Qt.Key.Key_K)
    assert lab.status == lab.find("split_cell_button").toolTip()


def test_on_the_layer_of_regions_t_trains(lab):
    lab.annotate()
    lab.press(Qt.Key.Key_R)
    regions = lab.viewer.layers.selection.active
    assert regions.mode == "add_rectangle"
    lab.press(Qt.Key.Key_T)
    lab.idle()
    assert lab.controller.session.model is not None
    assert regions.mode == "add_rectangle"


def test_after_the_panel_they_do_nothing(lab):
    lab.viewer.window.remove_dock_widget(lab.dock)
    lab.press(Qt.Key.Key_N, SHIFT)
    assert [layer.name for layer in lab.viewer.layers] == ["cells"]


def test_the_panel_shows_them_and_tooltips_name_them(lab):
    lab.click("keys_button")
    window = lab.panel.keys_window
    assert window.isVisible()
    assert not window.isModal()
    shown = {label.text() for label in window.findChildren(QLabel)}
    assert {text for row in all_keys() for text in row} <= shown
    lab.qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
    assert "(key Q)" in lab.panel.train.stop_button.property("tip")
    assert "(key Q)" in lab.panel.predict.cancel_button.property("tip")
    for key in KEYS:
        if key.name != "stop":
            assert f"(key {key.key.replace('-', '+')})" in key.button(lab.panel).property("tip"), key.name

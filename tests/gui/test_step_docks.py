"""A step in a dock of its own shares the session with the panel, whichever was opened first."""

import numpy as np
import pytest
from qtpy.QtWidgets import QWidget

from napari_annotrain._napari.controller import controller_of

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    made = person()
    made.viewer.add_image(np.random.default_rng(0).integers(0, 200, (24, 40), dtype=np.uint8), name="cells")
    return made


def alone(lab, title):
    """Open a step on its own; its dock and its widget."""
    return lab.viewer.window.add_plugin_dock_widget("napari-annotrain", title)


def part(widget, name):
    return widget.findChild(QWidget, name)


def test_train_on_its_own_needs_no_panel(lab):
    _, train = alone(lab, "Train")
    controller = controller_of(lab.viewer)
    lab.wait(lambda: controller.loading.done)
    assert not part(train, "train_button").isEnabled()
    _, annotate = alone(lab, "Annotate")
    part(annotate, "new_annotation_button").click()
    assert part(train, "train_button").isEnabled()
    lab.viewer.layers["cells annotation"].data[:4] = 1
    lab.viewer.layers["cells annotation"].data[8:] = 2
    part(train, "train_button").click()
    lab.wait(lambda: len(controller.session.models) == 1 and not controller.lane.busy)
    assert "Training ended" in part(train, "status_label").text()


def test_a_step_leaves_the_panel_for_its_dock_and_comes_back(lab):
    lab.open_panel()
    button = lab.find("train_button")
    dock, train = alone(lab, "Train")
    assert part(train, "train_button") is button
    assert lab.panel.findChild(QWidget, "train_button") is None
    lab.viewer.window.remove_dock_widget(dock)
    assert lab.find("train_button") is button
    assert lab.controller.panel is lab.panel


def test_the_panel_opened_after_a_step_shares_its_session(lab):
    _, annotate = alone(lab, "Annotate")
    part(annotate, "new_annotation_button").click()
    lab.open_panel()
    assert part(annotate, "annotation_combo").currentText() == "cells annotation"
    assert lab.enabled("train_button")
    assert lab.panel.findChild(QWidget, "annotation_combo") is None


def test_a_step_outlives_the_panel_and_the_last_one_lets_go(lab):
    lab.open_panel()
    dock, train = alone(lab, "Train")
    lab.viewer.window.remove_dock_widget(lab.dock)
    assert lab.controller.panel is not None
    assert part(train, "train_button") is not None
    lab.viewer.window.remove_dock_widget(dock)
    assert lab.controller.panel is None


def test_a_step_comes_as_a_tab_beside_the_panel_and_is_no_wider(person, fake):
    made = person(show=True)
    made.viewer.window.resize(1300, 900)
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    made.open_panel()
    made.wait(lambda: made.panel.width() > 0)
    wide = made.panel.width()
    for title in ("Train", "Annotate"):
        dock, step = alone(made, title)
        window = dock.parent()
        made.wait(lambda dock=dock, window=window: dock in window.tabifiedDockWidgets(made.dock))
        made.wait(lambda step=step: not step.visibleRegion().isEmpty())
        assert step.width() <= wide
    assert made.panel.visibleRegion().isEmpty()  # behind its tabs, as wide as it was


def test_a_step_alone_says_where_its_buttons_are_and_opens_the_panel(lab):
    _, train = alone(lab, "Train")
    controller = controller_of(lab.viewer)
    lab.wait(lambda: controller.loading.done)
    assert part(train, "image_combo").currentText() == "cells"
    assert "+ New layer" in part(train, "status_label").text()
    assert "press All steps" in part(train, "status_label").text()
    part(train, "all_steps_button").click()
    assert controller.panel.parent() is not None
    assert part(controller.panel, "image_combo") is not None
    assert part(train, "image_combo") is None
    assert part(train, "all_steps_button").isHidden()
    assert "All steps" not in part(train, "status_label").text()


def test_earlier_work_is_offered_in_a_step_alone(person, fake):
    pixels = np.random.default_rng(0).integers(0, 200, (24, 40), dtype=np.uint8)
    before = person()
    before.viewer.add_image(pixels, name="cells")
    before.open_panel().annotate()
    before.train()
    before.viewer.window.remove_dock_widget(before.dock)

    lab = person()
    lab.viewer.add_image(pixels, name="cells")
    dock, models = alone(lab, "Models")
    _, train = alone(lab, "Train")
    lab.wait(lambda: not part(models, "offer_frame").isHidden())
    assert part(train, "offer_frame") is None
    lab.viewer.window.remove_dock_widget(dock)
    part(train, "reopen_button").click()
    assert "cells annotation" in lab.viewer.layers
    lab.wait(lambda: len(controller_of(lab.viewer).session.models) == 1)

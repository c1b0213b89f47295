"""Live: whatever changes what is seen is followed, the newest wishes win, and nothing is computed twice."""

import threading

import numpy as np
import pytest
from tests.inference.test_segment import threshold_model

from napari_annotrain._napari.viewer import watch as live
from napari_annotrain.events import TileDone
from napari_annotrain.session import Trained
from napari_annotrain.specs import CellsSpec, PredictSpec

pytestmark = pytest.mark.gui
SIDE = 400


@pytest.fixture
def lab(person, fake):
    """A stack, a model, and a view of 40 px a side; with Live on."""
    made = person(show=True)
    made.viewer.window.resize(1100, 800)
    made.image = made.viewer.add_image(np.zeros((3, SIDE, SIDE), np.uint8), name="stack")
    made.open_panel()
    made.fake = fake
    made.controller.models.use(Trained("a model", fake._model({"target": "classes", "class_names": {}})))
    made.qtbot.wait(100)  # the canvas takes its size
    made.viewer.dims.set_current_step(0, 0)
    show(made, 100, 100)
    made.find("live_check").setChecked(True)
    rest(made)
    fake.calls.clear()
    return made


def show(lab, y, x, px=40):
    lab.viewer.scene.camera.zoom = min(lab.viewer.canvas.viewbox_size(lab.viewer.layers)) / px
    lab.viewer.scene.camera.center = (0, y, x)


def rest(lab):
    """Wait as long as a run may begin, and until it has ended."""
    lab.qtbot.wait(live.DEBOUNCE_MS + 100)
    lab.idle()


def regions(lab):
    """What was computed since it was asked last."""
    found = [call[2]["region"] for call in lab.fake.calls if call[0] == "predict"]
    lab.fake.calls.clear()
    return found


def holds(region, z, y, x):
    return (
        region[1] == slice(z, z + 1) and region[2].start <= y < region[2].stop and region[3].start <= x < region[3].stop
    )


def predicted(lab):
    return lab.viewer.layers["stack prediction"].data


# --- what it follows ------------------------------------------------------------------------------------------------


def test_a_pan_is_followed_once_it_has_come_to_rest(lab, monkeypatch):
    monkeypatch.setattr(live, "DEBOUNCE_MS", 500)  # however slow the computer
    for x in np.linspace(100, 300, 8):
        show(lab, 100, x)
        lab.qtbot.wait(20)
    rest(lab)
    (region,) = regions(lab)
    assert holds(region, 0, 100, 300)
    assert predicted(lab)[0, 100, 300]
    assert not predicted(lab)[0, 100, 200]


def test_zooming_out_is_followed(lab):
    show(lab, 100, 100, px=120)
    rest(lab)
    assert holds(regions(lab)[-1], 0, 60, 100)


def test_a_step_is_followed_and_by_itself_at_once(lab, monkeypatch):
    monkeypatch.setattr(live, "DEBOUNCE_MS", 60_000)
    lab.viewer.dims.set_current_step(0, 2)
    lab.wait(lambda: bool(lab.fake.calls))
    lab.idle()
    assert [holds(region, 2, 100, 100) for region in regions(lab)] == [True]
    lab.controller.watch._last_jump -= live.JUMP_SECONDS
    lab.viewer.dims.set_current_step(0, 1)
    lab.viewer.dims.set_current_step(0, 0)  # one of several: the last one counts, when no more follow
    lab.viewer.dims.set_current_step(0, 1)
    lab.qtbot.wait(200)
    assert not lab.fake.calls


def test_a_new_model_is_followed(lab):
    change_model(lab)
    rest(lab)
    assert holds(regions(lab)[-1], 0, 100, 100)


# --- the newest wishes win ------------------------------------------------------------------------------------------


@pytest.fixture
def slow(lab):
    """The first prediction from now on is in the middle of a tile, where nothing stops it, until `slow.set()`."""
    gate, compute = threading.Event(), lab.fake.iter_prediction
    lab.writes = []

    def held(*given, **more):
        first = not lab.fake.calls
        for event in compute(*given, **more):
            if isinstance(event, TileDone):
                if first:
                    gate.wait(30)
                lab.writes.append(event.write)
            yield event

    lab.fake.iter_prediction = held
    yield gate
    gate.set()


def test_of_several_wishes_the_newest_is_computed_and_nothing_old_is_painted_after_it(lab, slow):
    show(lab, 100, 200)
    lab.wait(lambda: bool(lab.fake.calls))
    for y in (200, 300):
        show(lab, y, 200)
        lab.qtbot.wait(live.DEBOUNCE_MS + 100)
    slow.set()
    rest(lab)
    first, second = regions(lab)
    assert holds(first, 0, 100, 200)
    assert holds(second, 0, 300, 200)
    assert lab.writes in ([first, second], [second])


def test_what_an_old_model_ends_late_is_not_taken_for_the_new_one(lab, slow):
    show(lab, 300, 300)
    lab.wait(lambda: bool(lab.fake.calls))
    show(lab, 100, 300)
    change_model(lab)
    slow.set()
    rest(lab)
    first, *new = regions(lab)
    assert holds(first, 0, 300, 300)
    assert all(holds(region, 0, 100, 300) for region in new)
    assert new
    show(lab, 300, 300)
    rest(lab)
    assert [holds(region, 0, 300, 300) for region in regions(lab)] == [True]


# --- what was computed is kept --------------------------------------------------------------------------------------


def test_a_place_seen_before_is_not_computed_again(lab):
    for y, x in ((100, 200), (200, 200), (300, 100)):
        show(lab, y, x)
        rest(lab)
    lab.viewer.dims.set_current_step(0, 1)
    rest(lab)
    assert len(regions(lab)) == 4
    for y, x in ((300, 100), (100, 200), (100, 100)):
        show(lab, y, x)
        rest(lab)
        lab.viewer.dims.set_current_step(0, 0)
        rest(lab)
    assert [region[1] for region in regions(lab)] == [], "all of it was known"


def test_of_classes_only_what_is_new_is_computed(lab):
    show(lab, 100, 120)
    rest(lab)
    (region,) = regions(lab)
    assert region[3].stop - region[3].start <= 22
    assert predicted(lab)[0, 100, 125]


def test_after_the_whole_stack_nothing_is_left_to_do(lab):
    lab.click("predict_stack_button")
    rest(lab)
    regions(lab)
    show(lab, 300, 300)
    lab.viewer.dims.set_current_step(0, 2)
    rest(lab)
    assert not regions(lab)


def change_output(lab):
    lab.panel.predict.output_combo.choose("probabilities")
    rest(lab)
    lab.panel.predict.output_combo.choose("classes")


def change_model(lab):
    lab.controller.models.use(Trained("another", lab.fake._model({"target": "classes", "class_names": {}})))


CHANGES = {
    "model": change_model,
    "output": change_output,
    "settings": lambda lab: lab.controller.predict.set_spec(PredictSpec(tile=32)),
    "cells": lambda lab: lab.controller.predict.set_cells(CellsSpec(min_size_px=9)),
    "pixels": lambda lab: setattr(lab.image, "data", np.ones((3, SIDE, SIDE), np.uint8)),
    "layer": lambda lab: lab.viewer.layers.remove("stack prediction"),
    "training": lambda lab: (lab.annotate(), lab.train()),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_place_seen_before_is_computed_again_after_a_change_of(what, lab):
    show(lab, 300, 300)
    rest(lab)
    regions(lab)
    CHANGES[what](lab)
    rest(lab)
    show(lab, 100, 100)
    rest(lab)
    assert any(holds(region, 0, 100, 100) for region in regions(lab))


# --- with the real engine -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
@pytest.mark.parametrize("output", ["classes", "cells"])
def test_looking_around_shows_what_the_whole_slice_gives(person, output):
    lab = person(show=True)
    lab.viewer.window.resize(1100, 800)
    y, x = np.indices((SIDE, SIDE))
    lab.viewer.add_image((((y // 9 + x // 7) % 3 == 0) * 900 + (x % 5)).astype(np.float32), name="stack")
    lab.open_panel()
    lab.controller.models.use(Trained("a model", threshold_model("classes")))
    lab.controller.predict.set_spec(PredictSpec(device="cpu", tile=64))
    lab.panel.predict.output_combo.choose(output)
    lab.qtbot.wait(100)
    lab.find("live_check").setChecked(True)
    places = [(100, 100), (100, 120), (130, 120), (300, 300), (115, 110), (100, 100)]
    for place in places:
        show(lab, *place, px=60)
        rest(lab)
    seen = predicted(lab).copy()
    lab.find("live_check").setChecked(False)
    lab.click("predict_slice_button")
    lab.idle()
    whole = predicted(lab)
    for y, x in ((100, 100), (300, 300)):
        window = slice(y - 15, y + 15), slice(x - 25, x + 25)
        assert whole[window].any()
        if output == "classes":
            assert np.array_equal(seen[window], whole[window])
        else:
            pairs = np.unique(np.stack([seen[window].ravel(), whole[window].ravel()]), axis=1)
            assert len(set(pairs[1])) == pairs.shape[1], "no cell is cut in two"

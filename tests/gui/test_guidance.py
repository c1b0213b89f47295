"""Where next? and suspect labels with the real engine and a model that is in doubt where the image is half bright."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]
CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def lab(person):
    from tests.api.test_next_places import half_bright
    from tests.inference.test_segment import threshold_model

    from napari_annotrain.session import Trained

    made = person(show=True)
    made.viewer.window.resize(1100, 800)
    made.viewer.add_image(half_bright(), name="cells", scale=(3, 0.5, 0.5), translate=(1, 2, 3))
    made.open_panel()
    made.click("new_annotation_button")
    made.controller.models.use(Trained("by hand", threshold_model()))
    made.panel.train.device_combo.choose("cpu")
    made.layer = made.controller.annotation
    made.viewer.fit_to_view()
    return made


def place(lab):
    """(z, y, x) of the middle of the canvas in pixels of the image."""
    z = lab.viewer.dims.current_step[0]
    y, x = lab.viewer.scene.camera.center[-2:]
    return z, *lab.layer.world_to_data((0, y, x))[1:]


def test_n_goes_from_place_to_place_and_computes_only_once(lab):
    runs = []
    lab.controller.session.events.activity.connect(lambda now: runs.append(now))
    lab.press(Qt.Key.Key_N)
    lab.idle()
    assert place(lab) == pytest.approx((3, 159.5, 223.5), abs=1)
    assert lab.status.startswith(
        "Plane 3: the model is in doubt about 3,300 px here (probability near one half) and nothing is painted within"
    )
    lab.click("where_next_button")
    assert place(lab) == pytest.approx((1, 159.5, 95.5), abs=1)
    assert runs == ["predicting", "idle"]
    while "last of these" not in lab.status:
        lab.press(Qt.Key.Key_N)
        assert not lab.controller.lane.busy
    here = (np.full(9, 3), *(a + 150 for a in np.indices((3, 3)).reshape(2, -1)))
    lab.layer.data_setitem((here[0], here[1], here[2] + 70), 1)
    lab.press(Qt.Key.Key_N)  # anew, and what is painted now is left out
    lab.idle()
    assert place(lab) == pytest.approx((1, 159.5, 95.5), abs=1)


def test_a_place_that_was_painted_meanwhile_is_passed_over(lab):
    lab.press(Qt.Key.Key_N)
    lab.idle()
    second = lab.controller.doubts._left[0]
    lab.layer.data_setitem((np.array([second.z]), *(np.array([s.start + 5]) for s in second.box)), 1)
    third = lab.controller.doubts._left[1]
    lab.press(Qt.Key.Key_N)
    assert place(lab)[0] == third.z
    assert str(third) in lab.status


def test_slips_are_listed_shown_and_unannotated(lab):
    z, y, x = (a.ravel() for a in np.meshgrid([2], range(60, 70), range(60, 70), indexing="ij"))
    lab.layer.data_setitem((z, y, x), 2)
    lab.layer.data_setitem((z * 0, y, x), 1)
    lab.click("suspects_button")
    lab.idle()
    shown = lab.find("suspects_list")
    assert [shown.item(i).text() for i in range(shown.count())] == ["Plane 2 · cell · model: background (100 %)"]
    assert shown.isVisible()
    lab.qtbot.mouseClick(shown.viewport(), Qt.MouseButton.LeftButton, pos=shown.visualItemRect(shown.item(0)).center())
    assert place(lab) == pytest.approx((2, 65, 65), abs=1)
    assert "Plane 2: cell, 100 px; the model sees background on 100 %" in lab.status
    lab.qtbot.keyClick(shown, Qt.Key.Key_Backspace)
    assert not lab.layer.data[2].any()
    assert (lab.layer.data[0] == 1).sum() == 100
    assert not shown.isVisible()
    lab.press(Qt.Key.Key_Z, CTRL)
    assert (lab.layer.data[2] == 2).sum() == 100

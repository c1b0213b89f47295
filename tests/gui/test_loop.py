"""The whole loop with the real engine and real strokes of the mouse: open, paint, train, look."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

SCALE, TRANSLATE, UNITS = (0.5, 0.5), (10, 20), ("micrometer", "micrometer")


def blobs(shape=(96, 128)):
    """Bright discs on a dark ground, and where they are."""
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    truth = np.zeros(shape, bool)
    for y, x in ((20, 24), (24, 90), (60, 50), (70, 104), (76, 16)):
        truth |= (yy - y) ** 2 + (xx - x) ** 2 < 11**2
    noise = np.random.default_rng(0).normal(0, 8, shape)
    return (60 + 120 * truth + noise).clip(0, 255).astype(np.uint8), truth


@pytest.fixture
def lab(person):
    made = person(show=True)
    image, made.truth = blobs()
    made.viewer.window.resize(1100, 800)
    made.viewer.add_image(image, name="blobs", scale=SCALE, translate=TRANSLATE, units=UNITS)
    made.open_panel()
    made.qtbot.wait(100)  # the canvas takes its size
    made.viewer.fit_to_view()
    return made


def test_paint_train_and_see_labels(lab):
    lab.click("new_annotation_button")
    layer = lab.viewer.layers["blobs annotation"]
    layer.brush_size = 8
    lab.stroke(layer, (20, 18), (20, 30))
    lab.stroke(layer, (60, 44), (60, 56))
    assert (layer.data == 2).sum() > 50
    canvas = lab.viewer.window._qt_viewer.canvas.native
    lab.qtbot.keyClick(canvas, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    lab.stroke(layer, (44, 6), (44, 120))
    lab.stroke(layer, (6, 50), (6, 70))
    assert (layer.data == 1).sum() > 200
    assert not (layer.data[lab.truth] == 1).sum() > 20

    lab.panel.train.basic_form._fields["seconds"]._entry.value = 300
    steps = lab.panel.train.more.form._fields["steps"]
    steps._check.setChecked(True)
    steps._entry.value = 25
    lab.panel.train.more.form._fields["patch"]._entry.value = 64
    lab.panel.train.device_combo.choose("cpu")
    lab.click("train_button")
    lab.wait(lambda: lab.enabled("stop_button"))
    lab.wait(lambda: lab.enabled("train_button"), timeout=120_000)
    lab.idle()
    assert "Training ended" in lab.status
    assert "25 steps" in lab.find("run_label").text()
    result = lab.viewer.layers["blobs prediction"]
    assert result.scale.tolist() == list(SCALE)
    assert result.translate.tolist() == list(TRANSLATE)
    assert [str(unit) for unit in result.units] == list(UNITS)
    assert result.dtype == np.uint8
    found = result.data == 1
    overlap = (found & lab.truth).sum() / (found | lab.truth).sum()
    assert overlap > 0.5  # the whole image is in view

    seen = result.data.copy()
    lab.click("predict_stack_button")
    lab.idle()
    assert np.array_equal(seen, result.data)  # view and stack agree

    lab.panel.predict.output_combo.choose("cells")
    lab.click("predict_slice_button")
    lab.idle()
    cells = lab.viewer.layers["blobs prediction"].data
    assert len(np.unique(cells)) >= 4

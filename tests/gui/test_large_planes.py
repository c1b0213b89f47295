"""Strokes on planes that napari shows thinned out, as they are larger than the driver's largest texture."""

import numpy as np
import pytest
from napari._vispy.utils.gl import get_max_texture_sizes

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore:data shape:UserWarning")]


def test_a_stroke_changes_the_picture_only_where_it_is_and_as_if_all_were_drawn_again(person):
    longest = get_max_texture_sizes()[0]
    who = person().open_panel()
    who.viewer.add_image(np.zeros((64, longest + 101), np.uint8), name="scan")
    who.click("new_annotation_button")
    layer = who.controller.annotation
    layer.brush_size = 7
    redrawn = []
    layer.events.set_data.connect(redrawn.append)
    for value, x in ((2, 11), (3, longest // 2), (1, longest + 98)):
        who.viewer.scene.camera.center, who.viewer.scene.camera.zoom = (0, 32, x), 8
        layer.selected_label = value
        who.stroke(layer, (20, x - 6), (41, x + 1))
    assert {int(v) for v in np.unique(layer.data)} == {0, 1, 2, 3}
    assert not redrawn
    canvas = who.viewer.window._qt_viewer.canvas
    strokes = canvas.screenshot()
    layer.refresh()
    assert np.array_equal(canvas.screenshot(), strokes)

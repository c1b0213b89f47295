"""Going to an object: however its layer is placed, it is in the middle of what is seen afterwards."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_annotrain._napari.viewer.going import SEEN_PX, SPECK_PX, go_to, point_in
from napari_annotrain._napari.viewer.view import visible_box

NM = ("s", "pixel", "nm", "nm", "nm")


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
@pytest.mark.parametrize(
    ("scale", "units", "translate"),
    [
        ((2, 0.5, 0.25), ("um", "um", "um"), (0, 0, 0)),
        ((2000, 500, 250), ("nm", "nm", "nm"), (0, 300, 0)),
        ((3, 1, 1), ("pixel", "pixel", "pixel"), (3, -7, 0)),
    ],
)
def test_the_object_is_in_the_middle_of_its_plane(viewer, scale, units, translate, order):
    same = units[0] == "pixel"
    viewer.add_image(np.zeros((9, 40, 50)), units=units if same else ("um",) * 3)  # beside another unit
    layer = viewer.add_labels(np.zeros((9, 40, 50), int), scale=scale, units=units, translate=translate)
    viewer.dims.order = order
    viewer.scene.camera.zoom = 50
    go_to(viewer, layer, (7, 12, 30), size_px=5)
    box = visible_box(viewer, layer)
    assert box is not None
    for (start, stop), wanted, axis in zip(box, (7, 12, 30), range(3), strict=True):
        if axis in viewer.dims.not_displayed:
            assert start == wanted
        elif start > 0 and stop < (9, 40, 50)[axis]:  # else the edge of the image cuts it
            assert (start + stop) / 2 == pytest.approx(wanted + 0.5, abs=1)
        else:
            assert start <= wanted < stop


def test_in_3d_it_is_in_the_middle_too(viewer):
    layer = viewer.add_labels(np.zeros((9, 40, 50), int), scale=(3, 1, 1))
    viewer.dims.ndisplay = 3
    go_to(viewer, layer, (7, 12, 30), size_px=5)
    assert viewer.scene.camera.center == (21, 12, 30)


def test_a_plane_over_a_stack_leaves_the_slider_alone(viewer):
    viewer.add_image(np.zeros((9, 40, 50)))
    layer = viewer.add_labels(np.zeros((40, 50), int))
    viewer.dims.set_current_step(0, 3)
    go_to(viewer, layer, (12, 30), size_px=5)
    assert viewer.dims.current_step[0] == 3
    assert viewer.scene.camera.center[-2:] == (12, 30)


def test_a_speck_is_looked_at_from_near_a_large_one_as_before(viewer):
    layer = viewer.add_labels(np.zeros((4000, 5000), int), scale=(0.5, 0.5))
    viewer.scene.camera.zoom = 0.1
    go_to(viewer, layer, (100, 100), size_px=10)
    assert viewer.scene.camera.zoom == pytest.approx(SPECK_PX / (10 * 0.5))
    viewer.scene.camera.zoom = 80
    go_to(viewer, layer, (200, 200), size_px=10)
    assert viewer.scene.camera.zoom == 80


@pytest.mark.parametrize("zoom", [0.001, 2, 500])
def test_to_paint_it_is_seen_in_2d_from_neither_too_far_nor_too_near(viewer, zoom):
    layer = viewer.add_image(np.zeros((3, 2, 5, 2000, 3000), np.uint8), scale=(1, 1, 2, 0.5, 0.5), units=NM)
    viewer.add_labels(np.zeros((20, 20), np.uint8), units=("pm", "pm"))  # the smallest unit is the window's
    viewer.dims.ndisplay = 3
    viewer.dims.set_current_step(1, 1)
    viewer.scene.camera.zoom = zoom
    go_to(viewer, layer, point_in(layer, "TCZYX", 2, 4, 700.5, 800.5), size_px=200, to_paint=True)
    assert viewer.dims.ndisplay == 2
    t, c, z, y, x = visible_box(viewer, layer)
    assert (t, c, z) == ((2, 3), (1, 2), (4, 5))  # the channel that was shown stays
    assert (sum(y) / 2, sum(x) / 2) == pytest.approx((701, 801), abs=1)
    assert SEEN_PX / 4 <= min(y[1] - y[0], x[1] - x[0]) <= 2 * 200 + 2


def test_to_paint_the_view_stays_as_near_as_it_is_where_that_will_do(viewer):
    layer = viewer.add_image(np.zeros((2000, 3000), np.uint8))
    near = min(viewer.canvas.viewbox_size(viewer.layers)) / SEEN_PX
    viewer.scene.camera.zoom = 2 * near
    go_to(viewer, layer, (700, 800), size_px=0, to_paint=True)
    assert viewer.scene.camera.zoom == 2 * near

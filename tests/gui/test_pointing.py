"""Going to an object: however its layer is placed, it is in the middle of what is seen afterwards."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_annotrain._napari.pointing import SPECK_PX, go_to
from napari_annotrain._napari.view import visible_box


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
    go_to(viewer, layer, (7, 12, 30), diameter_px=5)
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
    go_to(viewer, layer, (7, 12, 30), diameter_px=5)
    assert viewer.scene.camera.center == (21, 12, 30)


def test_a_plane_over_a_stack_leaves_the_slider_alone(viewer):
    viewer.add_image(np.zeros((9, 40, 50)))
    layer = viewer.add_labels(np.zeros((40, 50), int))
    viewer.dims.set_current_step(0, 3)
    go_to(viewer, layer, (12, 30), diameter_px=5)
    assert viewer.dims.current_step[0] == 3
    assert viewer.scene.camera.center[-2:] == (12, 30)


def test_a_speck_is_looked_at_from_near_a_large_one_as_before(viewer):
    layer = viewer.add_labels(np.zeros((4000, 5000), int), scale=(0.5, 0.5))
    viewer.scene.camera.zoom = 0.1
    go_to(viewer, layer, (100, 100), diameter_px=10)
    assert viewer.scene.camera.zoom == pytest.approx(SPECK_PX / (10 * 0.5))
    viewer.scene.camera.zoom = 80
    go_to(viewer, layer, (200, 200), diameter_px=10)
    assert viewer.scene.camera.zoom == 80

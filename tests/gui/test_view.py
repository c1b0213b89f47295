"""What is seen, in pixels of the image, however it is placed."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_annotrain._napari.viewer.view import is_inside, layer_shape, region_of, visible_box


@pytest.fixture
def viewer():
    return ViewerModel()


def look_at(viewer, centre, zoom):
    viewer.scene.camera.center = (0, *centre)
    viewer.scene.camera.zoom = zoom


@pytest.mark.parametrize(
    ("scale", "units", "translate"),
    [
        ((1, 1), ("pixel", "pixel"), (0, 0)),
        ((0.5, 0.25), ("um", "um"), (7, -3)),
        ((500, 250), ("nm", "nm"), (7000, -3000)),
    ],
)
def test_the_box_is_what_the_canvas_shows(viewer, scale, units, translate):
    layer = viewer.add_image(np.zeros((400, 600)), scale=scale, units=units, translate=translate)
    height, width = viewer.canvas.viewbox_size(viewer.layers)
    centre = np.array(translate) + np.array(scale) * (200, 300)
    zoom = 10 / scale[0]
    look_at(viewer, centre, zoom)
    (top, bottom), (left, right) = visible_box(viewer, layer)
    assert (bottom - top) == pytest.approx(height / 10, abs=2)
    assert (right - left) == pytest.approx(width / 10 * scale[0] / scale[1], abs=2)
    assert (top + bottom) / 2 == pytest.approx(200, abs=1)
    assert (left + right) / 2 == pytest.approx(300, abs=1)


def test_only_the_shown_plane_is_seen(viewer):
    layer = viewer.add_image(np.zeros((5, 6, 40, 50)), scale=(1, 2, 1, 1))
    viewer.dims.set_current_step(0, 3)
    viewer.dims.set_current_step(1, 4)
    viewer.fit_to_view()
    t, z, y, x = region_of(viewer, layer, "TZYX", whole=True)
    assert (t, z, y, x) == (slice(3, 4), slice(4, 5), slice(0, 40), slice(0, 50))
    row = viewer.dims.current_step[2]
    viewer.dims.order = (0, 2, 1, 3)  # looking along Y
    assert region_of(viewer, layer, "TZYX", whole=True)[1:3] == (slice(0, 6), slice(row, row + 1))


def test_a_multiscale_layer_is_counted_in_its_finest_pixels(viewer):
    layer = viewer.add_image([np.zeros((64, 80)), np.zeros((32, 40))], multiscale=True)
    assert layer_shape(layer) == (64, 80)
    assert visible_box(viewer, layer, whole=True) == ((0, 64), (0, 80))


def test_colours_are_no_axis(viewer):
    layer = viewer.add_image(np.zeros((30, 40, 3), np.uint8), rgb=True)
    assert region_of(viewer, layer, "YXC", whole=True) == (slice(0, 1), slice(0, 1), slice(0, 30), slice(0, 40))


def test_nothing_is_seen_of_what_is_elsewhere(viewer):
    layer = viewer.add_image(np.zeros((30, 40)))
    look_at(viewer, (5000, 5000), 10)
    assert visible_box(viewer, layer) is None
    assert region_of(viewer, layer, "YX") is None


def test_in_3d_all_of_it_is_seen(viewer):
    layer = viewer.add_image(np.zeros((5, 30, 40)))
    viewer.dims.ndisplay = 3
    assert visible_box(viewer, layer) == ((0, 5), (0, 30), (0, 40))


def test_a_region_within_another():
    whole = (slice(0, 1), slice(0, 1), slice(0, 30), slice(0, 40))
    part = (slice(0, 1), slice(0, 1), slice(5, 30), slice(0, 39))
    assert is_inside(part, whole)
    assert not is_inside(whole, part)
    assert not is_inside(part, None)

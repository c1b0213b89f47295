"""Complete regions in pixels of the annotation, however both layers are placed."""

import numpy as np
import pytest
from napari.layers import Labels, Shapes

from napari_annotrain._napari.session.kept_images import drawn

CORNERS = [
    np.array([[1.0, 2, 3], [1, 2, 30], [1, 20, 30.25]]),
    np.array([[0, 4, 4], [0, 4, 9], [0, 9, 9], [0, 9, 4.0]]),
]
PLACES = {
    "plain": {},
    "placed": {"scale": (3, 0.1, 0.3), "translate": (1000, -7, 12.5)},
    "turned": {"scale": (3, 0.5, 0.25), "translate": (1, -7, 12), "rotate": 30},
    "anyhow": {"scale": (2, 1, 1), "affine": np.array([[1, 0, 0, 4], [0, 0.9, 0.2, 1], [0, -0.1, 1, 2], [0, 0, 0, 1]])},
}


@pytest.mark.parametrize("shapes_place", PLACES)
@pytest.mark.parametrize("labels_place", PLACES)
def test_corners_lie_where_each_of_them_is_seen(shapes_place, labels_place):
    shapes = Shapes(CORNERS, shape_type=["polygon", "rectangle"], **PLACES[shapes_place])
    labels = Labels(np.zeros((3, 40, 40), np.uint8), **PLACES[labels_place])
    found = drawn(shapes, labels)
    assert [one.kind for one in found] == ["polygon", "rectangle"]
    for one, corners in zip(found, shapes.data, strict=True):
        wanted = [labels.world_to_data(shapes.data_to_world(corner)) for corner in corners]
        assert np.allclose(one.corners, wanted, atol=1e-8)


def test_without_an_annotation_over_them_they_are_in_pixels_of_their_own_layer():
    shapes = Shapes(CORNERS, shape_type=["polygon", "rectangle"], **PLACES["turned"])
    for labels in (None, Labels(np.zeros((40, 40), np.uint8), scale=(5, 5))):
        for one, corners in zip(drawn(shapes, labels), shapes.data, strict=True):
            assert np.allclose(one.corners, corners)
    assert drawn(None, None) == drawn(Shapes(ndim=3), None) == ()


def test_a_corner_is_the_same_whatever_else_is_drawn():
    place = PLACES["turned"]
    one, both = (Shapes(CORNERS[:n], shape_type="polygon", **place) for n in (1, 2))
    assert drawn(one, None)[0] == drawn(both, None)[0]

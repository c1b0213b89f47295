"""A veil lies exactly over its image, and is lifted where pieces are finished."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_annotrain._napari.predict import veils
from napari_annotrain._napari.predict.veils import Veil


@pytest.mark.parametrize(
    ("shape", "axes", "kwargs"),
    [
        ((3, 300, 200), "ZYX", {"scale": (3, 0.5, 0.5), "translate": (1, 2, 3)}),
        ((300, 257), "YX", {"rotate": 30, "shear": [0.2]}),
        ((2, 7, 32, 400), "TZYX", {"scale": (1, 3, 0.5, 0.25), "shear": [0, 0, 0, 0.1, 0, 0.3]}),
        ((300, 200, 3), "YXC", {"scale": (2, 3)}),
        ((7, 32, 400), "ZYX", {"affine": np.diag([2.0, 3.0, 4.0, 1.0]) + np.eye(4, k=1) * 0.1}),
    ],
)
def test_its_corners_are_those_of_the_image(shape, axes, kwargs):
    image = ViewerModel().add_image(np.zeros(shape, np.uint8), **kwargs)
    veil = Veil(image, axes, None).layer
    n_px, n_cells = np.array(shape[: image.ndim]), np.array(veil.data.shape)
    assert max(n_cells[-2:]) <= veils.MOST_CELLS
    for corner in np.ndindex(*[2] * image.ndim):
        mine, its = veil.data_to_world(n_cells * corner - 0.5), image.data_to_world(n_px * corner - 0.5)
        assert np.allclose(mine, its)


@pytest.mark.parametrize("tile", [48, 100, 257, 1000])
def test_tiles_that_make_up_the_image_lift_all_of_it_and_each_its_share(tile):
    image = ViewerModel().add_image(np.zeros((2, 1000, 730), np.uint8))
    veil = Veil(image, "ZYX", None)
    assert veil.untouched
    places = [
        (slice(0, 1), slice(z, z + 1), slice(y, min(y + tile, 1000)), slice(x, min(x + tile, 730)))
        for z in range(2)
        for y in range(0, 1000, tile)
        for x in range(0, 730, tile)
    ]
    veil.lift(places[: len(places) // 2])
    assert not veil.untouched
    assert not veil.layer.data[0].any()
    assert veil.layer.data[1].all()
    veil.lift(places)
    assert not veil.layer.data.any()

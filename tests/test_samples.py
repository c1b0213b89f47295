from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from napari_annotrain._napari import samples

MADE = [samples.cells_2d, samples.cells_stack, samples.cells_movie]


@pytest.fixture(scope="module", params=MADE, ids=lambda sample: sample.__name__)
def layers(request):
    return request.param()


def test_an_image_comes_with_its_annotation(layers):
    (image, about_image, image_kind), (annotation, about_annotation, annotation_kind) = layers
    assert (image_kind, annotation_kind) == ("image", "labels")
    assert about_annotation["name"] == f"{about_image['name']} annotation"
    assert image.shape == annotation.shape
    assert annotation.dtype == np.uint16
    assert np.unique(annotation).tolist() == [0, 1, 2]


def test_both_lie_on_the_same_micrometres(layers):
    (image, about_image, _), (_, about_annotation, _) = layers
    for key in ("scale", "units", "axis_labels"):
        assert len(about_image[key]) == image.ndim
        assert about_image[key] == about_annotation[key]
    assert about_image["units"][-2:] == ("um", "um")
    assert about_image["scale"][-2:] == (0.65, 0.65)


def test_contrast_limits_span_what_is_seen(layers):
    image, about, _ = layers[0]
    low, high = about["contrast_limits"]
    assert image.min() <= low < np.median(image) < high < image.max()


def test_of_many_planes_the_one_napari_shows_first_is_annotated(layers):
    annotation = layers[1][0]
    if annotation.ndim == 3:
        assert np.unique(np.nonzero(annotation)[0]).tolist() == [(len(annotation) - 1) // 2]


def test_the_colour_image_is_on_this_computer_already():
    folder = Path(find_spec("skimage.data").submodule_search_locations[0])
    assert (folder / "ihc.png").is_file()
    ((image, about, kind),) = samples.stained_tissue()
    assert (image.shape, image.dtype, kind, about["rgb"]) == ((512, 512, 3), np.uint8, "image", True)

"""Outlines for ImageJ enclose the pixels of their objects, on the right plane."""

import numpy as np
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import points_in_poly

from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.measurement import iter_rois


def written(path, labels, **more):
    for _ in iter_rois(path, Stack(labels, "TZYX"[-labels.ndim :]), **more):
        pass
    return roifile.roiread(path)


def pixels(roi, shape):
    """What ImageJ selects: pixels whose centre lies in an odd number of outlines; the first centre is at (0.5, 0.5)."""
    centres = np.argwhere(np.ones(shape, bool))[:, ::-1] + 0.5
    outlines = roi.coordinates(multi=True)
    inside = np.zeros(len(centres), int)
    for outline in outlines:
        inside += points_in_poly(centres, outline)
    return (inside % 2).reshape(shape).astype(bool)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("rois") / "some.zip"


@given(arrays(np.uint8, (7, 9), elements=st.integers(0, 2)).filter(np.any))
def test_an_outline_encloses_the_pixels_of_its_object(place, labels):
    for roi in written(place, labels):
        assert np.array_equal(pixels(roi, labels.shape), labels == int(roi.name.split()[1])), roi.name


def test_holes_and_pieces_stay_with_their_object(tmp_path):
    labels = np.zeros((20, 30), np.uint16)
    labels[2:9, 2:9], labels[4:6, 4:6], labels[12:15, 20:29] = 300, 0, 300
    (roi,) = written(tmp_path / "x.zip", labels)
    assert np.array_equal(pixels(roi, labels.shape), labels == 300)
    assert roi.name == "cell 300"
    assert roi.composite
    assert (roi.left, roi.top, roi.right, roi.bottom) == (2, 2, 29, 15)


def test_a_stack_has_one_position_a_hyperstack_several(tmp_path):
    labels = np.zeros((2, 3, 8, 8), np.uint8)
    labels[1, 2, 2:5, 2:5] = 4
    (roi,) = written(tmp_path / "tz.zip", labels)
    assert (roi.position, roi.c_position, roi.z_position, roi.t_position) == (0, 0, 3, 2)
    assert roi.name == "cell 4 z2 t1"
    (roi,) = written(tmp_path / "z.zip", labels[1])
    assert (roi.position, roi.z_position) == (3, 0)
    (roi,) = written(tmp_path / "cz.zip", labels[1], n_channels=2)
    assert (roi.position, roi.z_position, roi.t_position) == (0, 3, 1)
    (roi,) = written(tmp_path / "plane.zip", labels[1, 2], kind="classes")
    assert (roi.position, roi.z_position) == (0, 0)
    assert roi.name == "class 4"


def test_nothing_is_left_of_what_was_stopped_or_refused(tmp_path):
    labels = np.arange(1, 301).reshape(15, 20)
    run = iter_rois(tmp_path / "x.zip", Stack.of(labels))
    next(run)
    run.close()
    with pytest.raises(AnnotrainError, match="no object"):
        written(tmp_path / "x.zip", np.zeros((5, 5), np.uint8))
    with pytest.raises(AnnotrainError, match=r"end in \.zip"):
        written(tmp_path / "x.roi", labels)
    assert not list(tmp_path.iterdir())

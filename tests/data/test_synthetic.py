from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage as ndi

from napari_annotrain.data.strokes import painted_cells, strokes
from napari_annotrain.data.synthetic import cell_movie, cell_stack, cells

MAKERS = [
    pytest.param(cells, {"shape": (120, 140), "n_cells": 8}, id="cells"),
    pytest.param(cell_stack, {"shape": (4, 90, 100), "n_cells": 8}, id="stack"),
    pytest.param(cell_movie, {"shape": (3, 90, 100), "n_cells": 6}, id="movie"),
]


@pytest.fixture(scope="module")
def crowd():
    return cells((256, 256), n_cells=30, seed=3)


@pytest.mark.parametrize(("make", "settings"), MAKERS)
def test_image_and_labels_are_of_a_kind(make, settings):
    image, labels = make(**settings)
    assert image.shape == labels.shape == settings["shape"]
    assert image.dtype == labels.dtype == np.uint16
    assert 1 < len(np.unique(labels)) <= settings["n_cells"] + 1


@pytest.mark.parametrize(("make", "settings"), MAKERS)
def test_the_seed_decides_everything(make, settings):
    first, again, other = make(**settings, seed=1), make(**settings, seed=1), make(**settings, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[1], other[1])


def test_cells_are_in_one_piece_and_of_different_sizes(crowd):
    labels = crowd[1]
    sizes = np.bincount(labels.ravel())[1:]
    assert sizes.max() > 2 * np.median(sizes[sizes > 0]) or sizes.std() > 0.2 * sizes.mean()
    pieces = [ndi.label(labels == k)[1] for k in np.unique(labels)[1:]]
    assert np.mean(np.array(pieces) == 1) > 0.9
    assert np.sqrt(4 * np.median(sizes) / np.pi) == pytest.approx(28, rel=0.25)


def test_some_cells_touch(crowd):
    labels = crowd[1]
    assert ndi.label(labels > 0)[1] < labels.max()
    apart = cells((256, 256), n_cells=12, seed=3, touching=0)[1]
    assert apart.max() == 12


def test_more_cells_than_fit_are_not_forced_in():
    labels = cells((64, 64), n_cells=60)[1]
    assert 0 < labels.max() < 60


def test_the_picture_looks_like_a_camera_s(crowd):
    image, labels = crowd
    inside, outside = image[labels > 0], image[ndi.distance_transform_edt(labels == 0) > 12]
    assert 100 < outside.mean() < 300
    assert inside.mean() > 2 * outside.mean()
    assert inside.std() > 3 * outside.std() > 0
    assert image.max() < 2**14, "nothing near saturation"


def test_there_is_haze_around_cells(crowd):
    image, labels = crowd
    away = ndi.distance_transform_edt(labels == 0)
    assert image[(away > 5) & (away < 9)].mean() > image[away > 25].mean()


def test_deeper_planes_are_dimmer_and_more_blurred():
    image, labels = cell_stack((8, 160, 160), n_cells=40, seed=1)
    mean = [plane[where > 0].mean() for plane, where in zip(image, labels, strict=True)]
    assert np.mean(mean[:3]) > np.mean(mean[-3:])


def test_a_nucleus_reaches_over_several_planes_but_not_all():
    labels = cell_stack((12, 128, 128), n_cells=20, seed=1, diameter_px=24)[1]
    planes = [len(np.unique(np.nonzero(labels == k)[0])) for k in np.unique(labels)[1:]]
    assert 2 < np.median(planes) < 12


def test_ids_follow_the_cells_through_the_movie():
    labels = cell_movie((5, 160, 160), n_cells=12, seed=2)[1]
    moved = []
    for before, after in pairwise(labels):
        for k in np.intersect1d(before, after)[1:]:
            here, there = ndi.center_of_mass(before == k), ndi.center_of_mass(after == k)
            moved.append(np.hypot(*np.subtract(here, there)))
    assert max(moved) < 10
    assert np.mean(moved) > 0.5


def test_strokes_are_sparse_and_never_wrong(crowd):
    labels = crowd[1]
    annotation = strokes(labels, n_cells=6)
    assert annotation.dtype == np.uint8
    assert np.unique(annotation).tolist() == [0, 1, 2]
    assert np.all(labels[annotation == 2] > 0)
    assert np.all(labels[annotation == 1] == 0)
    assert 0.001 < np.mean(annotation > 0) < 0.05
    assert len(np.unique(labels[annotation == 2])) == 6


def test_strokes_go_along_the_gaps_between_cells():
    labels = np.zeros((60, 80), np.uint16)
    labels[20:40, 10:38], labels[20:40, 42:70] = 1, 2
    annotation = strokes(labels, n_cells=2)
    assert np.mean(annotation[22:38, 39:41] == 1) > 0.8


def test_strokes_are_three_or_five_pixels_wide():
    empty = np.zeros((200, 200), np.uint16)
    thickness = ndi.distance_transform_edt(strokes(empty, n_cells=1, seed=4) == 1).max()
    assert 1 < thickness <= 3


def test_strokes_where_there_is_nothing_to_paint():
    assert not (strokes(np.zeros((30, 30), np.uint16)) == 2).any()
    full = strokes(np.ones((30, 30), np.uint16))
    assert not (full == 1).any()
    assert (full == 2).any()


def test_strokes_follow_their_seed(crowd):
    assert np.array_equal(strokes(crowd[1], seed=1), strokes(crowd[1], seed=1))
    assert not np.array_equal(strokes(crowd[1], seed=1), strokes(crowd[1], seed=2))


def test_painted_cells_are_whole_and_ringed_by_background(crowd):
    labels = crowd[1]
    annotation = painted_cells(labels, n=5)
    assert np.unique(annotation).tolist() == [0, 1, 2, 3, 4, 5, 6]
    for value in range(2, 7):
        (cell,) = np.unique(labels[annotation == value])
        assert np.array_equal(annotation == value, labels == cell)
    assert np.all(labels[annotation == 1] == 0)
    around = ndi.binary_dilation(annotation > 1) & (labels == 0)
    assert np.all(annotation[around] == 1)
    assert (annotation == 0).any()


def test_painted_cells_takes_what_there_is():
    assert not painted_cells(np.zeros((20, 20), np.uint16)).any()
    two = np.zeros((40, 40), np.uint16)
    two[5:15, 5:15], two[5:15, 20:30] = 9, 70
    assert np.unique(painted_cells(two, n=10)).tolist() == [0, 1, 2, 3]

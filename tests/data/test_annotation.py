import numpy as np
import pytest

from napari_annotrain.data.annotation import AnnotatedImage, CompleteRegion, as_annotation, predicted_values
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError


def test_dense_ground_truth_moves_up_by_one_so_that_nothing_is_unknown():
    assert as_annotation(np.array([[0, 1, 7]], np.uint8), dense=True).tolist() == [[1, 2, 8]]
    assert as_annotation(np.array([[0, 1, 7]], np.uint8), dense=False).tolist() == [[0, 1, 7]]


@pytest.mark.parametrize("values", [[[0.5, 1]], [[-1, 2]], [[2**31, 1]]])
def test_what_is_no_label_is_refused_in_words(values):
    with pytest.raises(AnnotrainError, match="annotation of cells"):
        as_annotation(np.array(values), dense=False, name="cells")


def test_whole_numbers_stored_as_floats_are_labels():
    assert as_annotation(np.array([[0.0, 2.0]]), dense=False).dtype == np.int32


def test_annotation_value_n_plus_1_is_predicted_value_n():
    assert predicted_values([0, 1, 2, 5]) == [0, 1, 4]


def test_a_complete_region_turns_unpainted_pixels_inside_into_background_and_nothing_else():
    labels = np.zeros((12, 12), np.uint8)
    labels[5, 5] = 3
    region = CompleteRegion(0, 0, ((2, 2), (2, 8), (9, 8), (9, 2)))
    image = AnnotatedImage(Stack.of(np.zeros((12, 12))), Stack.of(labels), (region,))
    plane = image.plane(0, 0, (slice(0, 12), slice(0, 12)))
    assert plane[5, 5] == 3
    assert plane[4, 4] == 1
    assert plane[0, 0] == plane[11, 11] == 0
    part = image.plane(0, 0, (slice(3, 12), slice(4, 12)))
    assert np.array_equal(part, plane[3:, 4:])


def test_a_complete_region_stays_in_its_plane():
    labels = np.zeros((2, 12, 12), np.uint8)
    region = CompleteRegion(0, 1, ((2, 2), (2, 8), (9, 8), (9, 2)))
    image = AnnotatedImage(Stack.of(np.zeros((2, 12, 12))), Stack.of(labels), (region,))
    box = (slice(0, 12), slice(0, 12))
    assert not image.plane(0, 0, box).any()
    assert image.plane(0, 1, box).any()


def test_image_and_annotation_of_different_size_are_refused_with_both_sizes():
    with pytest.raises(AnnotrainError, match="8 x 9 but its annotation is 8 x 8"):
        AnnotatedImage(Stack.of(np.zeros((8, 9))), Stack.of(np.zeros((8, 8), int)))


@pytest.mark.parametrize("dtype", [np.uint64, np.int64, np.float64])
@pytest.mark.parametrize(
    ("dense", "expected"), [(True, [[1, 2, 4, 5], [4, 3, 2, 1]]), (False, [[0, 1, 3, 4], [3, 2, 1, 0]])]
)
def test_cells_with_ids_of_any_size_are_compacted_and_background_stays(dtype, dense, expected):
    ids = np.array([[0, 1, 2**33, 2 * 2**33], [2**33, 7, 1, 0]]).astype(dtype)
    labels = as_annotation(ids, dense, cells=True)
    assert (labels.tolist(), labels.dtype) == (expected, np.int32)
    alone = as_annotation(ids[:1, 2:], dense, cells=True)
    assert alone.tolist() == [[2, 3]], "without background the first cell is still a cell"


def test_classes_have_no_ids_of_any_size():
    with pytest.raises(AnnotrainError, match="8589934592: choose the target cells"):
        as_annotation(np.array([[0, 2**33]], np.uint64), dense=True)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("cells", [True, False])
def test_labels_that_are_not_finite_are_refused_in_words(value, cells):
    with pytest.raises(AnnotrainError, match="NaN or infinite values: choose a label image"):
        as_annotation(np.array([[0, value]]), dense=True, cells=cells)


def test_an_annotation_in_colour_is_refused_with_its_channels():
    colours = Stack.of(np.zeros((8, 9, 3), np.uint8), "YXC")
    with pytest.raises(AnnotrainError, match="has 3 channels: save it as a label image with one value a pixel"):
        AnnotatedImage(Stack.of(np.zeros((8, 9))), colours)

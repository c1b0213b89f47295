import numpy as np
import pytest

import napari_annotrain as at
from napari_annotrain.data.gaps import count_closed, find_gaps
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import AugmentSpec

STILL = AugmentSpec(elastic_px=0, rotate_deg=0, scale=1, flip=False, contrast=0, brightness=0, gamma=1, noise=0)


@pytest.fixture(scope="module")
def cells():
    """Cells of 12 px side by side, 2 px of background between them."""
    labels = np.ones((200, 220), np.uint16)
    for k, (y, x) in enumerate(np.ndindex(10, 10)):
        labels[20 + 14 * y : 32 + 14 * y, 20 + 14 * x : 32 + 14 * x] = k + 2
    rng = np.random.default_rng(0)
    return ((labels > 1) * 500 + rng.normal(100, 20, labels.shape)).astype(np.float32), labels


def test_the_first_picture_is_the_image_and_the_same_seed_gives_the_same_pictures(cells):
    a, b = (at.preview_augmentation(*cells, target="cells", patch=64) for _ in range(2))
    assert a.images.shape == (9, 64, 64, 3)
    assert a.images.dtype == np.uint8
    assert np.array_equal(a.images, b.images)
    assert not np.array_equal(a.images[1], a.images[2])
    still = at.preview_augmentation(*cells, target="cells", patch=64, augment=STILL, n=3, place=(0, 0, 100, 110))
    assert np.array_equal(still.images[0], still.images[1])
    grey = (still.images[0] == still.images[0][..., :1]).all(-1)
    image = cells[0][68:132, 78:142]
    assert np.corrcoef(still.images[0][grey][:, 0], image[grey])[0, 1] > 0.99


def test_nothing_closes_while_nothing_is_deformed_and_much_does_when_it_is_torn(cells):
    still = at.preview_augmentation(*cells, target="cells", patch=64, augment=STILL)
    assert still.n_gaps > 50
    assert still.n_closed == 0
    assert not still.warns
    torn = at.preview_augmentation(
        *cells, target="cells", patch=64, augment=AugmentSpec(elastic_px=25, elastic_spacing_px=8)
    )
    assert torn.n_closed > 0.1 * torn.n_gaps
    assert torn.warns
    assert "lower the elastic deformation" in torn.in_words()
    usual = at.preview_augmentation(*cells, target="cells", patch=64)
    assert usual.n_closed <= 0.05 * usual.n_gaps


def test_classes_are_measured_by_their_separate_pieces(cells):
    image, labels = cells
    found = at.preview_augmentation(image, np.where(labels > 1, 2, 1).astype(np.uint8), patch=64)
    assert found.n_gaps > 50
    alone = np.zeros_like(labels)
    alone[20:32, 20:32], alone[60:80, 20:90] = 2, 1
    found = at.preview_augmentation(image, alone, patch=64)
    assert found.n_gaps == 0
    assert "cannot be measured" in found.in_words()


def test_a_place_at_the_edge_and_a_stack_can_be_previewed(cells):
    image, labels = cells
    stack, annotation = np.stack([image, image]), np.stack([np.zeros_like(labels), labels])
    assert at.preview_augmentation(stack, annotation, target="cells", patch=64).place[1] == 1
    edge = at.preview_augmentation(stack, annotation, target="cells", patch=64, place=(0, 1, 0, 219))
    assert edge.images.shape == (9, 64, 64, 3)


def test_what_cannot_be_previewed_is_refused_in_words(cells):
    with pytest.raises(AnnotrainError, match="Nothing is annotated yet"):
        at.preview_augmentation(cells[0], np.zeros_like(cells[1]))
    with pytest.raises(AnnotrainError, match="at least 2"):
        at.preview_augmentation(*cells, n=1)


# --- gaps -----------------------------------------------------------------------------------------------------------


def test_a_gap_lies_between_neighbours_that_do_not_touch():
    cells = np.zeros((40, 60), np.int64)
    cells[5:20, 5:15], cells[5:20, 18:30], cells[20:35, 18:30], cells[5:20, 50:58] = 3, 7, 9, 11
    gaps = find_gaps(cells, cells == 0)
    assert [3, 7] in gaps.pairs.tolist()
    assert [7, 9] not in gaps.pairs.tolist(), "they touch"
    assert not (gaps.pairs == 11).any(), "too far away"
    number = gaps.pairs.tolist().index([3, 7]) + 1
    assert (gaps.map[6:17, 15:18] == number).all()
    assert count_closed(gaps, gaps.map, cells) == (len(gaps.pairs), 0)


def test_a_gap_has_closed_when_more_of_it_touches_than_is_left():
    cells = np.zeros((20, 30), np.int64)
    cells[2:18, 2:14], cells[2:18, 15:28] = 1, 2
    gaps = find_gaps(cells, cells == 0)
    for n_rows, closed in ((3, 0), (12, 1)):
        grown = cells.copy()
        grown[2 : 2 + n_rows, 14] = 1
        assert count_closed(gaps, gaps.map * (grown == 0), grown) == (1, closed)


def test_without_cells_there_are_no_gaps():
    for cells in (np.zeros((9, 9), np.int64), np.ones((9, 9), np.int64)):
        assert len(find_gaps(cells, cells == 0).pairs) == 0

import numpy as np
import pytest
import tifffile
from scipy import ndimage as ndi
from skimage.segmentation import watershed

from napari_annotrain.data import synthetic
from napari_annotrain.metrics import count_cells, pool, score_cells
from napari_annotrain.objects import basins
from napari_annotrain.objects.instances import cells_of, label_cells, label_classes
from napari_annotrain.objects.rules import CellRules, Expected

Y, X = np.ogrid[:160, :160]


def disc(y, x, radius):
    return (y - Y) ** 2 + (x - X) ** 2 <= radius**2


TWO = disc(80, 50, 25) | disc(80, 94, 25)
LONG = ((Y - 80) / 9.0) ** 2 + ((X - 80) / 70.0) ** 2 <= 1
BENT = ((abs(Y - 130) < 8) & (X > 20) & (X < 140)) | ((abs(X - 28) < 8) & (Y > 20) & (Y < 130))
RING = disc(80, 80, 60) & ~disc(80, 80, 42)
EGG = disc(80, 60, 30) | disc(80, 82, 24)


def test_nothing_there_gives_no_object():
    assert not label_cells(np.zeros((30, 40), np.float32)).any()
    assert label_cells(np.zeros((30, 40), bool)).dtype == np.int32


@pytest.mark.parametrize("shape", [(1, 1), (30, 40)])
def test_one_object_may_fill_the_image(shape):
    assert np.array_equal(label_cells(np.ones(shape, bool)), np.ones(shape))


def test_touching_discs_are_parted_at_the_neck():
    labels = label_cells(TWO)
    truth = np.where(X < 72, 1, 2) * TWO
    assert score_cells(labels, truth)["ap"]["0.95"] == 1


@pytest.mark.parametrize("shape", [LONG, BENT, RING, EGG], ids=["long", "bent", "ring", "egg"])
def test_one_cell_of_any_shape_stays_whole(shape):
    labels = label_cells(shape)
    assert np.array_equal(labels > 0, shape)
    assert labels.max() == 1


@pytest.mark.parametrize("factor", [1, 3])
@pytest.mark.parametrize(("shape", "n"), [(TWO, 2), (LONG, 1), (EGG, 1)], ids=["two", "long", "egg"])
def test_the_magnification_does_not_matter(shape, n, factor):
    assert label_cells(np.kron(shape, np.ones((factor, factor), bool))).max() == n


def test_a_known_diameter_keeps_lobes_of_one_cell_together():
    assert label_cells(TWO).max() == 2
    assert label_cells(TWO, cell_diameter_px=75).max() == 1


def test_less_certainty_between_two_cells_parts_them_where_the_shape_does_not():
    block = np.zeros((60, 100), np.float32)
    block[15:45, 15:85] = 1
    assert label_cells(block).max() == 1
    block[15:45, 48:52] = 0.6
    labels = label_cells(block)
    assert labels.max() == 2
    assert (labels[30, 16], labels[30, 83]) == (1, 2)


def test_pixels_that_touch_at_a_corner_are_two_objects():
    corners = np.zeros((20, 20), bool)
    corners[2:10, 2:10] = corners[10:18, 10:18] = True
    assert label_cells(corners).max() == 2


def test_the_threshold_is_the_least_probability():
    probability = np.where(disc(80, 80, 20), np.float32(0.5), np.float32(0))
    assert label_cells(probability).max() == 1
    assert label_cells(probability, threshold=0.51).max() == 0


def test_no_number_counts_as_no_cell():
    probability = disc(80, 80, 20).astype(np.float32)
    probability[:5] = np.nan
    assert np.array_equal(label_cells(probability), disc(80, 80, 20))


def test_crumbs_are_dropped_and_ids_stay_without_gaps():
    mask = disc(40, 40, 15) | disc(40, 110, 15) | disc(110, 40, 15)
    crumbs = mask.copy()
    crumbs[1, 1] = crumbs[150, 150] = crumbs[5, 5:8] = True
    labels = label_cells(crumbs)
    assert np.array_equal(labels > 0, mask)
    assert np.unique(labels).tolist() == [0, 1, 2, 3]
    assert label_cells(crumbs, min_size=1).max() == 6
    assert label_cells(crumbs, min_size=3).max() == 4


def test_small_holes_are_closed_and_gaps_between_cells_are_not():
    holed = disc(80, 80, 30) & ~disc(80, 85, 8)
    assert np.array_equal(label_cells(holed) > 0, disc(80, 80, 30))
    assert np.array_equal(label_cells(holed, largest_hole_px=0) > 0, holed)
    assert not label_cells(RING, cell_diameter_px=30)[80, 80]


def test_a_hole_at_the_border_of_the_image_is_not_closed():
    mask = np.ones((40, 40), bool)
    mask[0, 20:23] = False
    assert np.array_equal(label_cells(mask) > 0, mask)


@pytest.mark.parametrize("turn", range(4))
def test_synthetic_cells_are_found_again_from_their_outline(turn):
    truth = np.rot90(synthetic.cells((256, 256), n_cells=35, seed=5, touching=0.5)[1], turn)
    foreground = truth > 0
    split, unsplit = score_cells(label_cells(foreground), truth), score_cells(ndi.label(foreground)[0], truth)
    assert unsplit["ap50"] < 0.7, "test invalid: nothing touches"
    assert split["ap50"] > 0.85
    assert split["seg"] > unsplit["seg"]


def test_same_image_same_labels():
    foreground = np.random.default_rng(0).random((80, 80), np.float32)
    assert np.array_equal(label_cells(foreground), label_cells(foreground.copy()))


def test_the_input_is_left_alone():
    probability = np.where(disc(80, 80, 30) & ~disc(80, 85, 8), np.float32(0.9), np.float32(0.1))
    before = probability.copy()
    label_cells(probability)
    assert np.array_equal(probability, before)


def test_classes_share_no_id_and_no_pixel():
    classes = np.where(TWO & (X < 72), 1, 0) + np.where(TWO & (X >= 72), 4, 0) + np.where(disc(20, 130, 12), 1, 0)
    labels = label_classes(classes)
    assert np.array_equal(labels > 0, classes > 0)
    assert [np.unique(classes[labels == k]).tolist() for k in (1, 2, 3)] == [[1], [1], [4]]
    assert labels.max() == 3


def test_touching_cells_of_one_class_are_parted():
    assert label_classes(TWO.astype(np.uint8) * 7).max() == 2


def test_any_value_may_be_the_background():
    classes = np.where(disc(80, 80, 20), 0, 3)
    assert np.array_equal(label_classes(classes, background=3) > 0, classes == 0)
    assert not label_classes(np.full((9, 9), 3), background=3).any()


def test_a_closed_hole_keeps_what_another_class_has_there():
    inner = disc(80, 85, 8)
    classes = np.where(inner, 2, np.where(disc(80, 80, 30), 1, 0))
    labels = label_classes(classes, largest_hole_px=None)
    assert len(np.unique(labels[inner])) == 1
    assert labels[80, 85] != labels[80, 60]


@pytest.mark.real_data
@pytest.mark.parametrize(("folder", "least"), [("bbbc039", 0.97), ("dsb2018", 0.96), ("t98g-phase", 0.94)])
def test_real_cells_are_found_again_when_one_pixel_parts_them(real_data, folder, least):
    counts = []
    for path in sorted((real_data / folder / "test" / "labels").glob("*.tif")):
        truth = tifffile.imread(path)
        apart = (truth > 0) & (ndi.maximum_filter(truth, 3) == truth)
        counts.append(count_cells(label_cells(apart), truth, min_size=16))
    assert pool(counts).scores()["ap50"] > least


def test_cells_that_look_nowhere_deep_are_dropped():
    cell, blur = disc(80, 40, 20), disc(80, 120, 20)
    labels = label_cells(0.9 * (cell | blur), np.where(cell, 1.0, 0.3) * (cell | blur))
    assert np.array_equal(labels > 0, cell)
    assert labels.max() == 1


def test_cells_that_the_network_doubts_on_the_whole_are_dropped():
    cell, doubt = disc(80, 40, 20), disc(80, 120, 20)
    foreground = 0.95 * cell + 0.65 * doubt
    labels = label_cells(foreground, 1.0 * (cell | doubt))
    assert np.array_equal(labels > 0, cell)
    assert label_cells(foreground, 1.0 * (cell | doubt), threshold=0.2).max() == 2


def test_where_the_network_sees_a_border_touching_cells_are_parted():
    both = disc(80, 70, 20) | disc(80, 90, 20)  # no neck to speak of
    seam = np.abs(X - 80) <= 2
    assert label_cells(1.0 * both).max() == 1
    assert label_cells(1.0 * both, np.where(seam, 0.1, 1.0) * both).max() == 2


def test_a_fragment_that_the_network_sees_apart_is_an_object_however_small_beside_the_others():
    cell, fragment = disc(80, 70, 20), disc(80, 98, 9)
    foreground = 1.0 * (cell | fragment)
    deep = np.maximum(1 - np.hypot(Y - 80, X - 70) / 21, 1 - np.hypot(Y - 80, X - 98) / 10).clip(0)
    assert label_cells(foreground, foreground, cell_diameter_px=40).max() == 1
    labels = label_cells(foreground, deep, cell_diameter_px=40)
    assert labels.max() == 2
    assert labels[80, 100] != labels[80, 70]


@pytest.mark.parametrize("certain", [True, False], ids=["mask", "probability"])
@pytest.mark.parametrize("turn", range(3))
def test_the_steepest_way_up_gives_the_labels_of_a_flood(certain, turn, monkeypatch):
    truth = np.rot90(synthetic.cells((256, 256), n_cells=60, seed=turn, diameter_px=20, touching=0.6)[1], turn)
    foreground = (truth > 0).astype(np.float32)
    if not certain:
        noise = np.random.default_rng(turn).normal(0, 0.3, truth.shape)
        foreground = np.clip(ndi.gaussian_filter(foreground + noise, 1), 0, 1)
    labels = label_cells(foreground)
    monkeypatch.setattr(basins, "_climb", lambda heights, _, seeds, mask: watershed(-heights, seeds, mask=mask))
    assert np.array_equal(labels, label_cells(foreground))


@pytest.mark.parametrize("seed", range(20))
def test_a_component_is_parted_alike_whatever_else_is_there(seed):
    """Of a mask, where many ways are equally steep."""
    mask = ndi.binary_opening(np.random.default_rng(seed).random((120, 120)) < 0.72)
    rules = {"cell_diameter_px": 8.0, "smoothing_px": 0, "largest_hole_px": 0}
    parts, _ = ndi.label(mask)
    whole, one = label_cells(mask, **rules), parts == np.bincount(parts[mask]).argmax()
    alone = label_cells(one, **rules)
    pairs = np.unique(np.stack([alone[one], whole[one]]), axis=1)
    assert pairs.shape[1] == alone.max() > 3
    assert len(np.unique(pairs[1])) == pairs.shape[1]


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (30, 40), (200, 300), (300, 200)])
@pytest.mark.parametrize("share", [0.5, 0.01, 0.0001])
def test_depths_are_euclidean_in_shallow_and_in_deep_masks(shape, share):
    mask = np.random.default_rng(0).random(shape) > share
    mask.flat[5] = False
    assert np.array_equal(basins.depths(mask), ndi.distance_transform_edt(mask).astype(np.float32))


class TestExpectedSize:
    """Twelve small cells, for a model that was shown cells of some size."""

    CELLS = np.logical_or.reduce([disc(y, x, 8) for y in (25, 60, 95, 130) for x in (30, 70, 110)])

    def cells(self, **expected):
        return cells_of(1.0 * self.CELLS, rules=CellRules(expected=Expected(**expected)))

    def test_of_about_the_same_size_the_annotated_cells_say_what_a_crumb_is(self):
        assert self.cells(diameter_px=20, min_size=150).max() == 12
        assert self.cells(diameter_px=20, min_size=250).max() == 0

    def test_of_another_size_the_image_is_measured(self):
        assert self.cells(diameter_px=60, min_size=1000).max() == 12
        assert self.cells(diameter_px=4, min_size=1).max() == 12

    def test_what_the_user_says_is_done_whatever_is_seen(self):
        said = CellRules(min_size=250, expected=Expected(60, 10))
        assert cells_of(1.0 * self.CELLS, rules=said).max() == 0
        assert CellRules(cell_diameter_px=50, expected=Expected(16)).seeing(np.full(12, 200)).cell_diameter_px == 50

    def test_too_few_objects_tell_nothing(self):
        few = CellRules(expected=Expected(60, 10)).seeing(np.array([200, 200]))
        assert (few.cell_diameter_px, few.min_size) == (60, 10)

"""Annotations of cells as they also come: any ids, one id for several cells, crumbs, a cell or none on all of an image.

. . . . . . . .
. 1 1 2 2 . . .      1 and 2 touch, 3 is alone
. 1 1 2 2 . 3 .
. . . . . . . .
"""

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.cells import CellSizes, separate
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.weights import IGNORE
from napari_annotrain.specs import TrainSpec
from napari_annotrain.store.models import load_model
from tests.command_line import TRAIN, annotrain

SPEC = TrainSpec(seconds=None, steps=2, patch=32, batch=2, device="cpu")
CELLS = np.zeros((64, 72), np.int64)
CELLS[10:24, 10:22], CELLS[10:24, 22:34], CELLS[30:50, 48:64] = 1, 2, 3
IMAGE = np.where(CELLS > 0, 900, 400) + np.random.default_rng(0).normal(0, 60, CELLS.shape)
#: Cells as usual, which give a dataset what it needs beside an image that has only cells, or none.
USUAL = AnnotatedImage(Stack.of(IMAGE, name="usual"), Stack.of(CELLS), dense=True)


def crumbs(sizes):
    """Lines of so many pixels, each with an id of its own, none of which touch."""
    labels = np.zeros_like(CELLS)
    for k, size in enumerate(sizes):
        labels[52 + 2 * (k // 3), 24 * (k % 3) : 24 * (k % 3) + size] = 100 + k
    return labels


def pieces():
    """Three pieces of one id: large, small, and a crumb."""
    labels = np.zeros_like(CELLS)
    labels[5:35, 5:35] = labels[10:18, 45:53] = labels[50, 60] = 7
    return labels


CRUMBS = crumbs([1, 2, 5, 9, 14, 20])
#: Every pair of dense ground truth that can be learnt from, beside `USUAL`.
ODD = {
    "one id for all cells": (CELLS > 0).astype(np.uint8),
    "truth values": CELLS > 0,
    "touching cells share an id": np.where(CELLS == 2, 1, CELLS),
    "an id in several pieces": pieces(),
    "crumbs": CELLS + CRUMBS,
    "only crumbs": CRUMBS,
    "a cell in every pixel": np.arange(CELLS.size).reshape(CELLS.shape),
    "a cell fills the image": np.full(CELLS.shape, 5, np.uint16),
    "no cells": np.zeros(CELLS.shape, np.uint8),
    "ids up to 2^31 - 1": np.where(CELLS > 0, 2**31 - CELLS, 0).astype(np.int32),
    "ids up to 2^32 - 1": np.where(CELLS > 0, 2**32 - CELLS, 0).astype(">u4"),
    "ids up to 2^63 - 1": np.where(CELLS > 0, 2**63 - 1 - CELLS, 0),
    "ids up to 2^64 - 1": np.where(CELLS > 0, np.uint64(2**64 - 1) - CELLS.astype(np.uint64), np.uint64(0)),
    "ids of real numbers": np.where(CELLS > 0, 2.0**40 + CELLS, 0),
}
HUGE = [name for name in ODD if "ids" in name]


def in_strokes(truth):
    """What somebody has painted who left out a part of everything: 0 not annotated, 1 background, 2, ... cells."""
    ids = truth if truth.max() > 2**30 else truth.astype(np.int64) + 1
    known = np.where(truth > 0, ids, np.ones((), ids.dtype))
    known[::9] = 0
    return known


def annotated(labels, dense=True, name="odd"):
    return AnnotatedImage(Stack.of(IMAGE, name=name), Stack.of(labels), dense=dense)


def area_of(labels, dense=True):
    """What is learnt from one plane beside `USUAL`."""
    dataset = build_dataset([annotated(labels, dense), USUAL], "cells", SPEC)
    return next(area for area in dataset.areas if area.image == 0)


@pytest.mark.parametrize("dense", [True, False], ids=["dense", "strokes"])
@pytest.mark.parametrize("how", ODD)
def test_training_goes_on_beside(how, dense):
    labels = ODD[how] if dense else in_strokes(ODD[how])
    model = list(api.iter_training([annotated(labels, dense), USUAL], target="cells", spec=SPEC))[-1].result
    assert all(tensor.isfinite().all() for tensor in model.weights.values())
    assert 0 <= model.card.min_size_px < CELLS.size / 2


@pytest.mark.parametrize("how", HUGE)
@pytest.mark.parametrize("dense", [True, False], ids=["dense", "strokes"])
def test_ids_of_any_size_teach_what_small_ones_do(how, dense):
    odd, usual = (ODD[how], CELLS) if dense else (in_strokes(ODD[how]), in_strokes(CELLS))
    found, expected = area_of(odd, dense), area_of(usual, dense)
    for map_name in ("target", "weight", "distance"):
        assert np.array_equal(getattr(found, map_name), getattr(expected, map_name)), map_name
    one, other = (build_dataset([annotated(labels, dense)], "cells", SPEC) for labels in (odd, usual))
    assert one.sizes == other.sizes


def test_an_image_without_cells_teaches_that_there_are_none():
    area = area_of(ODD["no cells"])
    assert not area.target.any()
    assert not area.distance.any()
    assert np.ptp(area.weight) == 0, "no border without cells"
    both, alone = (build_dataset(images, "cells", SPEC) for images in ([annotated(CELLS * 0), USUAL], [USUAL]))
    assert both.sizes == alone.sizes


def test_a_cell_that_fills_the_image_is_deep_all_over():
    area = area_of(ODD["a cell fills the image"])
    assert (area.target == 1).all()
    assert (area.distance == 1).all()
    assert np.ptp(area.weight) == 0
    assert build_dataset([annotated(area.target), USUAL], "cells", SPEC).sizes.diameter_px < 30


def test_a_mask_teaches_its_pieces_as_cells():
    mask = np.zeros_like(CELLS)
    mask[10:30, 10:30] = mask[10:20, 34:44] = 1
    own = mask.copy()
    own[:, 32:] *= 2
    found, expected = area_of(mask), area_of(own)
    assert np.array_equal(found.distance, expected.distance)
    assert np.array_equal(found.weight, expected.weight)
    assert found.weight[15, 32] > 2 * found.weight[15, 60], "between them lies a border"
    assert CellSizes.of([separate(mask.astype(np.int32) + 1)]).n == 2


def test_each_piece_of_an_id_is_a_hill_and_a_crumb_is_none():
    distance = area_of(pieces()).distance
    assert distance[5:35, 5:35].max() == distance[10:18, 45:53].max() == 1
    assert 0 < distance[50, 60] <= 0.1


def test_strokes_of_one_id_stay_one_cell():
    strokes = np.zeros_like(CELLS)
    strokes[5:35, 5:35] = strokes[10:13, 40:60] = 7
    strokes[45:50] = 1
    distance = area_of(strokes, dense=False).distance
    assert distance.max() == 1
    assert distance[5:8, 35:55].max() < 0.5


def test_touching_cells_that_share_an_id_are_one():
    area = area_of(ODD["touching cells share an id"])
    assert (area.target[10:24, 10:34] == 1).all()
    assert area_of(CELLS).target[10:24, 10:34].min() == 0


def test_what_touches_at_a_corner_is_one_cell():
    labels = np.ones((9, 9), np.int32)
    labels[2:5, 2:5] = labels[5:8, 5:8] = 4
    assert len(np.unique(separate(labels))) == 2


@pytest.mark.parametrize("n", [1, 6])
def test_crumbs_change_no_size(n):
    with_crumbs, without = (
        build_dataset([annotated(labels)], "cells", SPEC).sizes
        for labels in (CELLS + crumbs([1, 2, 3, 5, 9, 14][:n]), CELLS)
    )
    assert with_crumbs == without


def test_small_cells_beside_a_huge_one_are_no_crumbs():
    small = np.ones((200, 200), np.int32)
    for k in range(40):
        y, x = divmod(k, 8)
        small[20 * y : 20 * y + 7, 20 * x : 20 * x + 7] = 2 + k
    sizes = CellSizes.of([small, np.full((200, 200), 2, np.int32)])
    assert sizes.n == 41
    assert sizes.diameter_px == pytest.approx(2 * np.sqrt(49 / np.pi))
    assert sizes.least_px < 49


def test_where_all_is_tiny_the_tiny_are_the_cells():
    assert build_dataset([annotated(crumbs([3, 5, 9, 14, 20]))], "cells", SPEC).sizes.n == 5


@given(arrays.arrays(np.int32, (12, 14), elements=st.integers(1, 4)))
def test_separating_parts_values_and_moves_no_pixel(labels):
    parted = separate(labels)
    assert np.array_equal(parted > 1, labels > 1)
    assert parted.min() >= 1
    for cell in np.unique(parted[parted > 1]):
        assert len(np.unique(labels[parted == cell])) == 1


def test_in_a_partly_annotated_area_only_what_is_enclosed_is_parted():
    labels = np.zeros((40, 60), np.int32)
    labels[4:36, 4:56] = 1  # a complete region
    for x in (10, 25, 40):
        labels[12:24, x : x + 8] = 2  # painted with one value
    parted = separate(labels)
    assert len(np.unique(parted[labels == 2])) == 3
    assert np.array_equal(parted <= 1, labels <= 1)
    open_strokes = np.where(labels == 1, 0, labels)
    assert len(np.unique(separate(open_strokes)[labels == 2])) == 1


def test_cells_without_background_stay_as_painted():
    labels = np.where(CELLS > 0, CELLS + 1, 0).astype(np.int32)
    assert len(np.unique(separate(labels))) == len(np.unique(labels))
    assert area_of(labels, dense=False).target.max() == 1
    assert (area_of(in_strokes(CELLS), dense=False).target == IGNORE).any()


# --- by the command line ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        pytest.param(
            ODD["no cells"], ["--dense"], "Only background is painted: paint at least one cell", id="no_cells"
        ),
        pytest.param(CELLS * 0 + 5, ["--dense"], "Only cells are painted: paint some background", id="nothing_else"),
        pytest.param(CELLS * 0 + 2**31 - 1, [], "Only cells are painted", id="one_huge_id_everywhere"),
        pytest.param(CELLS * 0 + 1, [], "Only background is painted", id="background_everywhere"),
        pytest.param(CELLS * 0, [], "Nothing is annotated yet: paint", id="nothing_annotated"),
        pytest.param(-CELLS, ["--dense"], "holds negative values: renumber its labels", id="negative"),
        pytest.param(CELLS * 2.0**70 + 0.5, ["--dense"], "holds fractions: choose a label image", id="fractions"),
        pytest.param(
            np.where(CELLS > 0, np.inf, 0), ["--dense"], "holds NaN or infinite values: choose", id="infinite"
        ),
    ],
)
def test_cells_are_not_trained_on(labels, options, words, refused):
    tifffile.imwrite("image.tif", IMAGE.astype(np.uint16))
    tifffile.imwrite("labels.tif", labels)
    refused([*TRAIN, "--target", "cells", *options], words)


def test_a_folder_with_ids_of_any_size_and_an_image_without_cells_is_trained_on(folder):
    for name, labels in (("a", ODD["ids up to 2^64 - 1"]), ("b", ODD["no cells"]), ("c", ODD["one id for all cells"])):
        tifffile.imwrite(folder / "images" / f"{name}.tif", IMAGE.astype(np.uint16))
        tifffile.imwrite(folder / "annotations" / f"{name}.tif", labels)
    assert annotrain("train", "images", "annotations", *TRAIN[3:], "--target", "cells", "--dense") == 0
    assert load_model("new/m.safetensors").card.provenance["images"] == ["a", "b", "c"]

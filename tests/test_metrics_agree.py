"""Our scores of cells equal those of StarDist, py-ctcmetrics and scikit-image, in an environment of their own."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.metrics import adapted_rand_error, variation_of_information

import napari_annotrain as at
from napari_annotrain.metrics import count_cells, pool, score_cells, summarise

pytestmark = pytest.mark.nightly
ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-metrics" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
#: StarDist sums float32, and so agrees to six digits.
CLOSE = {"rel": 1e-5, "abs": 1e-6}
SHAPES = [(96, 120), (64, 64), (200, 31), (12, 40, 48)]


def draw_objects(rng, shape, n):
    """Up to n ellipsoids, the later over the earlier, numbered with gaps."""
    labels = np.zeros(shape, np.int32)
    grid = np.indices(shape)
    for name in rng.choice(np.arange(1, 10 * n), n, replace=False):
        radii = [rng.uniform(2, max(3, min(14, side / 5))) for side in shape]
        centre = [rng.integers(0, side) for side in shape]
        labels[sum(((x - c) / r) ** 2 for x, c, r in zip(grid, centre, radii, strict=True)) <= 1] = name
    return labels


def disturb(rng, true):
    """What a bad prediction makes of a truth: objects moved, lost, cut in two, merged, grown into others, invented."""
    found = np.roll(true, rng.integers(-1, 2, true.ndim), tuple(range(true.ndim)))
    for name in np.setdiff1d(true, 0):
        fate, own = rng.random(), found == name
        if fate < 0.1:
            found[own] = 0
        elif fate < 0.2:
            column = np.indices(true.shape)[-1]
            found[own & (column > np.median(column[own]))] = 1000 + name
        elif fate < 0.28:
            found[own] = rng.choice(np.unique(true))
        elif fate < 0.4:
            found[own & (rng.random(true.shape) < rng.random())] = 0
    return np.where(draw_objects(rng, true.shape, 3) * (rng.random() < 0.5) > 0, 2000, found)


def pairs():
    """(true, found), all with some background: 60 random ones, those at a threshold, those with an empty side."""
    rng = np.random.default_rng(0)
    for k in range(60):
        true = draw_objects(rng, SHAPES[k % len(SHAPES)], int(rng.integers(1, 30)))
        yield true, disturb(rng, true)
    for k in range(10, 20):
        yield at_threshold(k)
    some = draw_objects(rng, (40, 50), 6)
    nothing = np.zeros_like(some)
    yield from ((some, some), (some, nothing), (nothing, some), (nothing, nothing))


def at_threshold(k):
    """One object of 20 pixels of which k are found: the IoU is k/20."""
    true = np.zeros((3, 30), np.int32)
    true[1, 5:25] = 3
    found = np.zeros_like(true)
    found[1, 5 : 5 + k] = 8
    return true, found


@pytest.fixture(scope="module")
def labels():
    return list(pairs())


@pytest.fixture(scope="module")
def others(labels, tmp_path_factory):
    """What the others say of the same labels, and the folder they lie in."""
    if not PYTHON.exists():
        pytest.skip("the environment .venv-metrics is not there: make nightly makes it")
    folder = tmp_path_factory.mktemp("labels")
    for k, (true, found) in enumerate(labels):
        np.save(folder / f"true_{k:03}.npy", true)
        np.save(folder / f"found_{k:03}.npy", found)
    write_ctc_set(folder / "ctc", labels)
    command = [PYTHON, Path(__file__).with_name("others_scores.py"), folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"folder": folder}


def write_ctc_set(folder, labels):
    """Frames with a result each; truth of every third frame; of a stack, one slice.

    One slice only: py-ctcmetrics lays the slices of a frame on each other, makes one object of equal names, and
    counts the heap once for each slice. The challenge's own program goes file by file (class SEG of
    CellTrackingChallenge/java-ctcmetrics), and so do we.
    """
    for name in ("01_RES", "01_GT/SEG", "01_GT/TRA"):
        (folder / name).mkdir(parents=True)
    for t, (true, found) in enumerate(labels):
        tifffile.imwrite(folder / f"01_RES/mask{t:03}.tif", found.astype(np.uint16))
        (folder / f"01_GT/TRA/man_track{t:03}.tif").touch()
        if true.ndim == 3:
            tifffile.imwrite(folder / f"01_GT/SEG/man_seg_{t:03}_004.tif", true[4].astype(np.uint16))
        elif t % 3 == 0:
            tifffile.imwrite(folder / f"01_GT/SEG/man_seg{t:03}.tif", true.astype(np.uint16))


def agree(ours, theirs):
    """Average precision at every threshold, F1 and panoptic quality at 0.50."""
    assert list(ours["ap"].values()) == pytest.approx(theirs["accuracy"], **CLOSE)
    assert ours["f1_50"] == pytest.approx(theirs["f1"][0], **CLOSE)
    assert ours["pq_50"] == pytest.approx(theirs["panoptic_quality"][0], **CLOSE)


def test_the_labels_are_worth_comparing(labels):
    counts = [count_cells(found, true) for true, found in labels]
    whole = pool(counts)
    assert whole.n_true > 700
    assert 0.2 < whole.scores()["ap50"] < 0.9
    assert len({count.scores()["map"] for count in counts}) > 50
    assert any(count.matched[0] > count.matched[5] > count.matched[9] > 0 for count in counts)


def test_each_image_scores_as_in_stardist(labels, others):
    for (true, found), theirs in zip(labels, others["images"], strict=True):
        if true.any() or found.any():
            agree(score_cells(found, true), theirs)
        else:  # nothing to find and nothing found: StarDist calls 0/0 a failure, we call it perfect
            assert theirs["accuracy"][0] == 0
            assert score_cells(found, true)["ap50"] == 1


def test_pooled_images_score_as_in_stardist(labels, others):
    agree(pool(count_cells(found, true) for true, found in labels).scores(), others["pooled"])


def test_the_mean_over_images_is_that_of_stardist(labels, others):
    summary = summarise({str(k): count_cells(found, true) for k, (true, found) in enumerate(labels)})
    of_nothing = 1 / len(labels)  # the one image with nothing on either side, 1 here and 0 there
    theirs = {key: np.add(values, of_nothing) for key, values in others["mean"].items()}
    agree(summary["mean"], theirs)


def test_an_overlap_of_exactly_the_threshold_is_a_match_here_and_in_stardist(others):
    for k, theirs in zip(range(10, 20), others["images"][60:70], strict=True):
        assert list(score_cells(*at_threshold(k)[::-1])["ap"].values()) == [1] * (k - 9) + [0] * (19 - k)
        assert theirs["accuracy"] == [1] * (k - 9) + [0] * (19 - k)


def test_seg_of_each_image_is_that_of_the_challenge(labels, others):
    for (true, found), theirs in zip(labels, others["images"], strict=True):
        # without an object in the truth SEG is 0/0, which py-ctcmetrics calls 0
        assert (score_cells(found, true)["seg"] or 0) == pytest.approx(theirs["seg"], abs=1e-12)
    assert sum(0 < theirs["seg"] < 1 for theirs in others["images"]) > 50


def test_seg_of_a_set_in_the_layout_of_the_challenge(others):
    folder = others["folder"] / "ctc"
    scores = at.evaluate(folder / "01_RES", folder / "01_GT")
    assert len(scores["images"]) == len(list((folder / "01_GT/SEG").iterdir()))
    assert scores["pooled"]["seg"] == pytest.approx(others["ctc"], abs=1e-12)
    assert 0.2 < others["ctc"] < 0.9


def test_rand_error_and_variation_of_information_are_those_of_scikit_image(labels):
    for true, found in labels:
        if not true.any():
            continue
        ours = score_cells(found, true)
        with np.errstate(invalid="ignore", divide="ignore"):
            rand_error, _, _ = adapted_rand_error(true, found, ignore_labels=(0,))
        split, merge = variation_of_information(true, found, ignore_labels=(0,))
        assert ours["rand_error"] == pytest.approx(rand_error, abs=1e-9)
        assert (ours["vi_split"], ours["vi_merge"]) == pytest.approx((split, merge), abs=1e-9)

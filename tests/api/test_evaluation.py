"""Scores and training from data sets of the Cell Tracking Challenge, laid out as it gives them.

PhC/01/t000.tif ... t003.tif                  images
PhC/01_GT/SEG/man_seg000.tif, man_seg002.tif  gold truth of two frames
PhC/01_ST/SEG/man_seg000.tif ... 003          silver truth
PhC/01_RES/mask000.tif ... mask003.tif        results: of frame 2 the second disc is lost
"""

import json

import numpy as np
import pytest
import tifffile

import napari_annotrain as at
from napari_annotrain.data import tiff
from napari_annotrain.data.lazy import FileArray
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.store.models import load_model, save_model
from tests.command_line import annotrain
from tests.conftest import draw_discs, train_on_discs


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, compression="zlib")


@pytest.fixture
def movie(tmp_path, monkeypatch):
    """The present folder holds the set PhC (see above)."""
    for t in range(4):
        image, labels = draw_discs(seed=t)
        labels = labels.astype(np.uint16)
        write(tmp_path / f"PhC/01/t{t:03}.tif", image)
        write(tmp_path / f"PhC/01_ST/SEG/man_seg{t:03}.tif", labels)
        write(tmp_path / f"PhC/01_RES/mask{t:03}.tif", np.where((labels == 2) & (t == 2), 0, labels * 7))
        if t in (0, 2):
            write(tmp_path / f"PhC/01_GT/SEG/man_seg{t:03}.tif", labels)
    (tmp_path / "PhC/01_RES/res_track.txt").write_text("7 0 3 0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "PhC"


@pytest.fixture
def stacks(tmp_path, monkeypatch):
    """The present folder holds the set N3D: frame 3 has truth in slices 1 and 5, frame 8 whole; slice k has k discs."""
    labels = np.zeros((6, 40, 60), np.uint16)
    for z in range(6):
        for k in range(z):
            labels[z, 10:30, 10 * k + 2 : 10 * k + 9] = 10 * z + k + 1
    found = np.where(labels % 10 == 5, 0, labels)
    for t in (3, 8):
        write(tmp_path / f"N3D/01_RES/mask{t:03}.tif", found)
    for z in (1, 5):
        write(tmp_path / f"N3D/01_GT/SEG/man_seg_003_{z:02}.tif", labels[z])
    write(tmp_path / "N3D/01_GT/SEG/man_seg008.tif", labels)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "N3D"


def scores_of(capsys, *words, code=0):
    """Scores that the command line prints, and what it says on stderr."""
    assert annotrain("evaluate", *words, "--as", "cells", "--json") == code
    said = capsys.readouterr()
    return json.loads(said.out), said.err.splitlines()


@pytest.mark.parametrize("truth", ["01_GT", "01_GT/SEG"])
def test_results_are_scored_against_the_gold_truth_of_some_frames(movie, capsys, truth):
    scores, notes = scores_of(capsys, "PhC/01_RES", f"PhC/{truth}")
    assert list(scores["images"]) == ["mask000", "mask002"]
    assert scores["pooled"]["seg"] == 3 / 4
    assert scores["mean"]["seg"] == (1 + 1 / 2) / 2
    assert notes == ["2 predictions are left out, without truth of the same frame: mask001.tif, mask003.tif."]


@pytest.mark.parametrize("truth", ["01_ST", "01_ST/SEG"])
def test_silver_truth_scores_every_frame(movie, capsys, truth):
    scores, notes = scores_of(capsys, "PhC/01_RES", f"PhC/{truth}")
    assert len(scores["images"]) == 4
    assert scores["pooled"]["seg"] == 7 / 8
    assert notes == []


def test_what_predict_writes_is_scored_as_it_lies(movie, capsys):
    save_model(train_on_discs("cells"), "m.safetensors")
    assert annotrain("predict", "m.safetensors", "PhC/01", "-o", "labels", "--device", "cpu") == 0
    capsys.readouterr()
    scores, notes = scores_of(capsys, "labels", "PhC/01_GT")
    assert list(scores["images"]) == ["t000", "t002"]
    assert notes == ["2 predictions are left out, without truth of the same frame: t001.tif, t003.tif."]
    assert scores["pooled"]["seg"] > 0.5


def test_a_model_is_trained_on_the_frames_that_have_truth(movie, capsys):
    words = ["--dense", "--target", "cells", "--steps", "2", "--device", "cpu", "-o", "m.safetensors"]
    assert annotrain("train", "PhC/01", "PhC/01_GT/SEG", *words) == 0
    assert load_model("m.safetensors").card.provenance["images"] == ["t000", "t002"]
    assert "2 images are left out, without annotation of the same frame: t001.tif, t003.tif." in capsys.readouterr().err


def test_a_slice_of_truth_is_compared_with_that_slice_of_the_stack(stacks, capsys):
    scores, _ = scores_of(capsys, "N3D/01_RES", "N3D/01_GT")
    seg = {name: values["seg"] for name, values in scores["images"].items()}
    assert seg == {"mask003 slice 1": 1, "mask003 slice 5": 4 / 5, "mask008": 14 / 15}
    assert scores["pooled"]["seg"] == (1 + 4 + 14) / (1 + 5 + 15)


def test_a_slice_of_truth_is_compared_with_a_single_plane_as_well(stacks):
    result, truth = stacks / "01_RES/mask003.tif", stacks / "01_GT/SEG/man_seg_003_05.tif"
    tifffile.imwrite("plane.tif", tifffile.imread(result)[5])
    whole, plane = (at.evaluate(found, truth)["pooled"] for found in (result, "plane.tif"))
    assert whole == plane
    assert whole["seg"] == 4 / 5


def test_of_a_large_stack_only_the_slice_is_read(stacks, monkeypatch):
    read = []
    window = FileArray.__getitem__

    def watched(self, key):
        read.append(window(self, key).shape)
        return window(self, key)

    monkeypatch.setattr(tiff, "SMALL_BYTES", 10_000)
    monkeypatch.setattr(FileArray, "__getitem__", watched)
    at.evaluate(stacks / "01_RES/mask003.tif", stacks / "01_GT/SEG/man_seg_003_05.tif")
    assert set(read) == {(40, 60)}


def test_a_slice_beyond_the_stack_is_said_and_the_others_are_scored(stacks, capsys):
    write(stacks / "01_GT/SEG/man_seg_003_06.tif", np.ones((40, 60), np.uint16))
    scores, said = scores_of(capsys, "N3D/01_RES", "N3D/01_GT", code=2)
    assert len(scores["images"]) == 3
    assert said == [
        "The prediction of mask003 slice 6 has only 6 slices, counted from 0: choose the truth of the same stack.",
        "1 of 4 pairs could not be compared: mask003.tif.",
    ]
    with pytest.raises(AnnotrainError, match="has only 6 slices"):
        at.evaluate(stacks / "01_RES/mask003.tif", stacks / "01_GT/SEG/man_seg_003_06.tif")


def test_a_truth_of_another_size_is_named(stacks):
    write(stacks / "01_GT/SEG/man_seg_003_01.tif", np.ones((40, 61), np.uint16))
    with pytest.raises(PartlyDone, match=r"1 of 3 pairs could not be compared: mask003\.tif"):
        at.evaluate(stacks / "01_RES", stacks / "01_GT")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["mask007.tif"], "No prediction in labels is of a frame in PhC/01_GT/SEG: name the one for man_seg000.tif"),
        (["cells.tif"], "name the one for man_seg000.tif mask000.tif or t000.tif."),
        (["mask000.tif", "t000.tif"], "mask000.tif and t000.tif in labels are the same frame: keep one of them."),
    ],
)
def test_results_without_a_frame_of_the_truth_are_refused(movie, capsys, names, words):
    for name in names:
        write(movie.parent / "labels" / name, draw_discs()[1])
    assert annotrain("evaluate", "labels", "PhC/01_GT", "--as", "cells") == 2
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said

"""Measuring from Python and from the command line: arrays, files and folders."""

import csv

import numpy as np
import pytest
import roifile
import tifffile

import napari_annotrain as at
from napari_annotrain.errors import AnnotrainError, PartlyDone
from tests.command_line import annotrain
from tests.conftest import draw_discs


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The present folder, with images and labels of two discs each; those of c are empty."""
    monkeypatch.chdir(tmp_path)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for seed, name in enumerate("abc"):
        image, labels = draw_discs(seed=seed)
        tifffile.imwrite(f"images/{name}.tif", image)
        tifffile.imwrite(f"labels/{name}.tif", (labels * (name != "c")).astype(np.uint16))
    return tmp_path


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_arrays_make_a_table():
    image, labels = draw_discs()
    table = at.measure(labels, image)
    assert table["label"].tolist() == [1, 2]
    assert table["area_px"].tolist() == [(labels == k).sum() for k in (1, 2)]
    assert table["intensity_mean"] == pytest.approx([image[labels == k].mean() for k in (1, 2)])


def test_the_command_writes_a_table_and_outlines(here, capsys):
    assert annotrain("measure", "labels/a.tif", "images/a.tif", "-o", "a.csv", "--rois", "a.zip") == 0
    assert capsys.readouterr().out.strip() == "The table is in a.csv."
    assert [row["label"] for row in rows_of("a.csv")] == ["1", "2"]
    assert [roi.name for roi in roifile.roiread("a.zip")] == ["cell 1", "cell 2"]


def test_folders_make_one_table(here, capsys):
    assert annotrain("measure", "labels", "images", "-o", "all.csv", "--rois", "rois") == 0
    assert [(row["image"], row["label"]) for row in rows_of("all.csv")] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
        ("b", "2"),
    ]
    assert sorted(path.name for path in (here / "rois").iterdir()) == ["a.zip", "b.zip"]
    assert "no object in c" in capsys.readouterr().err


def test_in_a_folder_one_bad_file_is_told_and_the_others_go_on(here, capsys):
    tifffile.imwrite("labels/b.tif", np.ones((5, 5), np.uint8))
    assert annotrain("measure", "labels", "images", "-o", "all.csv") == 2
    said = capsys.readouterr()
    assert "1 of 3 images could not be measured: b.tif." in said.err
    assert {row["image"] for row in rows_of("all.csv")} == {"a"}
    with pytest.raises(PartlyDone) as partly:
        at.measure("labels", "images")
    assert partly.value.result["image"].tolist() == ["a", "a"]


def test_classes_and_annotations(here):
    image, labels = draw_discs()
    classes = at.measure((labels > 0).astype(np.uint8), image, kind="classes")
    assert classes["area_px"].tolist() == [(labels > 0).sum()]
    painted = at.measure(labels + 1, image, annotation=True)
    assert painted["label"].tolist() == [2, 3]
    tifffile.imwrite("painted.tif", (labels + 1).astype(np.uint8))
    words = ("measure", "painted.tif", "images/a.tif", "-o", "p.csv", "--annotation", "--as", "classes")
    assert annotrain(*words) == 0
    assert [row["label"] for row in rows_of("p.csv")] == ["2", "3"]


def test_other_channels_in_files_and_folders_are_measured_too(here, capsys):
    (here / "gfp").mkdir()
    for name in "abc":
        tifffile.imwrite(f"gfp/{name}.tif", np.full((64, 72), 9, np.uint8))
    words = ("measure", "labels/a.tif", "images/a.tif", "-o", "a.csv", "--also", "gfp/b.tif", "--also", "gfp/c.tif")
    assert annotrain(*words) == 0
    row = rows_of("a.csv")[0]
    assert (row["intensity_mean_b"], row["intensity_max_c"]) == ("9", "9")
    assert annotrain("measure", "labels", "images", "-o", "all.csv", "--also", "gfp") == 0
    assert {row["intensity_mean_gfp"] for row in rows_of("all.csv")} == {"9"}
    assert float(rows_of("all.csv")[0]["intensity_mean_images"]) > 1000
    (here / "gfp" / "b.tif").unlink()
    assert annotrain("measure", "labels", "images", "-o", "some.csv", "--also", "gfp") == 2
    assert "b has no partner in gfp" in capsys.readouterr().err
    assert {row["image"] for row in rows_of("some.csv")} == {"a"}
    image, labels = draw_discs()
    assert "intensity_sum_image 2" in at.measure(labels, image, also=[image])


def test_axes_and_pixel_sizes_come_from_the_image(here):
    image = np.stack([draw_discs(seed=s)[0] for s in range(2)])
    labels = np.stack([draw_discs()[1]] * 2).astype(np.uint8)
    tifffile.imwrite("movie.ome.tif", image, metadata={"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
    tifffile.imwrite("found.tif", labels)
    table = at.measure("found.tif", "movie.ome.tif")
    assert table["t"].tolist() == [0, 0, 1, 1]
    assert table["area_um2"] == pytest.approx(table["area_px"] / 4)
    assert at.measure(labels, image, axes="ZYX")["z"].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("labels/c.tif", "images/c.tif", "-o", "x.csv"), "There is no object in c"),
        (("labels/a.tif", "images/a.tif", "-o", "x.txt"), "end in .csv"),
        (("labels/a.tif", "images/a.tif", "-o", "x.csv", "--rois", "x.roi"), "end in .zip"),
        (("labels", "images", "-o", "x.csv", "--rois", "x.zip"), "name a folder"),
        (("images/none.tif", "images/a.tif", "-o", "x.csv"), "There is no file or folder"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_nothing_is_written(here, capsys, words, said):
    before = sorted(here.rglob("*"))
    assert annotrain("measure", *words) == 2
    assert said in capsys.readouterr().err
    assert sorted(here.rglob("*")) == before


def test_an_unknown_kind_is_refused():
    with pytest.raises(AnnotrainError, match="choose cells or classes"):
        at.measure(np.ones((3, 3), int), np.ones((3, 3)), kind="blobs")

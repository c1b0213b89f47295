import numpy as np
import pytest
import zarr

from napari_annotrain.data.pairs import list_images, pair_files, stem
from napari_annotrain.errors import AnnotrainError


@pytest.fixture
def fill(tmp_path):
    """Make a folder of empty files of these names; a name with a bar at its end becomes a folder."""

    def make(folder, *names):
        (tmp_path / folder).mkdir()
        for name in names:
            path = tmp_path / folder / name
            path.mkdir() if name.endswith("/") else path.touch()
        return tmp_path / folder

    return make


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cells.tif", "cells"),
        ("cells.ome.tif", "cells"),
        ("cells.ome.tiff", "cells"),
        ("cells.OME.TIF", "cells"),
        ("cells.ome.zarr", "cells"),
        ("cells.zarr", "cells"),
        ("cells.PNG", "cells"),
        ("day.1.cells.tif", "day.1.cells"),
        ("folder.tif/t01.2.png", "t01.2"),
        ("cells.ome.png", "cells.ome"),
        ("cells.czi", "cells"),
        ("cells", "cells"),
        (".tif", ".tif"),
    ],
)
def test_stem(name, expected):
    assert stem(name) == expected


def test_images_of_a_folder_in_natural_order(fill):
    folder = fill(
        "in", "t10.tif", "t2.tif", "T1.PNG", "t2b.jpg", "a.ome.zarr/", "notes.txt", ".t3.tif", "deeper/", "b.tif/"
    )
    zarr.create_array(folder / "unnamed", data=np.zeros((2, 2)))
    zarr.create_array(folder / ".hidden.zarr", data=np.zeros((2, 2)))
    names = ["a.ome.zarr", "T1.PNG", "t2.tif", "t2b.jpg", "t10.tif", "unnamed"]
    assert [path.name for path in list_images(folder)] == names
    assert [path.name for path in list_images(str(folder))] == names


def test_a_file_or_a_zarr_is_itself(fill):
    folder = fill("in", "a.tif", "b.zarr/")
    assert list_images(folder / "a.tif") == [folder / "a.tif"]
    assert list_images(folder / "b.zarr") == [folder / "b.zarr"]


def test_nothing_to_list(fill, tmp_path):
    with pytest.raises(AnnotrainError, match=r"no image in the folder .*in: put TIFF, PNG, JPEG or OME-Zarr"):
        list_images(fill("in", "notes.txt", "movie.czi"))
    with pytest.raises(AnnotrainError, match=r"no file or folder .*gone: check its name"):
        list_images(tmp_path / "gone")


def test_two_files_are_a_pair_whatever_their_names(fill):
    images, labels = fill("images", "raw.tif"), fill("labels", "painted.png")
    assert pair_files(images / "raw.tif", labels / "painted.png") == (
        [(images / "raw.tif", labels / "painted.png")],
        [],
    )


def test_stems_match_in_folders_and_the_rest_is_named(fill):
    images = fill("images", "t10.tif", "t2.ome.tif", "t3.png")
    labels = fill("labels", "t2.png", "t10.ome.zarr/", "x1.tif", "x2.tif", "x3.tif", "x4.tif", "x5.tif", "x6.tif")
    pairs, notes = pair_files(images, labels)
    assert pairs == [(images / "t2.ome.tif", labels / "t2.png"), (images / "t10.tif", labels / "t10.ome.zarr")]
    assert notes == [
        "1 image is left out, without annotation of the same name: t3.png.",
        "6 annotations are left out, without image of the same name: x1.tif, x2.tif, x3.tif, x4.tif and 2 more.",
    ]


def test_a_file_against_a_folder(fill):
    images, labels = fill("images", "a.tif", "b.tif"), fill("labels", "a.png", "b.png")
    assert pair_files(images / "b.tif", labels)[0] == [(images / "b.tif", labels / "b.png")]
    assert pair_files(images, labels / "a.png")[0] == [(images / "a.tif", labels / "a.png")]


def test_a_folder_of_one_image_is_still_matched_by_stem(fill):
    images, labels = fill("images", "a.tif"), fill("labels", "b.tif")
    with pytest.raises(AnnotrainError, match=r"name the one for a\.tif the same, a\.tif"):
        pair_files(images, labels)


def test_the_same_name_twice_is_ambiguous(fill):
    images, labels = fill("images", "a.tif"), fill("labels", "a.tif", "a.png")
    with pytest.raises(AnnotrainError, match=r"a\.png and a\.tif in .*labels differ only in their type"):
        pair_files(images, labels)

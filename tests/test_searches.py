"""Where to paint next and what is suspect, from the command line."""

import json

import numpy as np
import pytest
import tifffile

from napari_annotrain.store.models import save_model
from tests.command_line import annotrain
from tests.inference.test_segment import threshold_model


@pytest.fixture
def files(tmp_path):
    """A model, two dark images of which the second has a place that it cannot decide on, and what was painted."""
    save_model(threshold_model(), tmp_path / "m.safetensors")
    for folder in ("images", "annotations"):
        (tmp_path / folder).mkdir()
    for name, brightness in (("a", 0.0), ("b", 0.5)):
        image, painted = np.zeros((150, 200), np.float32), np.zeros((150, 200), np.uint8)
        image[:30, :30] = 1
        image[64:128, 128:192] = brightness
        painted[40:50, 40:50] = 1 + (name == "b")  # background, and by a slip a cell
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", image)
        tifffile.imwrite(tmp_path / "annotations" / f"{name}.tif", painted)
    return tmp_path


def run(files, verb, *words):
    return annotrain(verb, str(files / "m.safetensors"), *(str(word) for word in words), "--device", "cpu")


def test_the_most_doubtful_place_of_all_images_comes_first(files, capsys):
    assert run(files, "where-next", files / "images", "--most", 3) == 0
    head, first, *more = capsys.readouterr().out.splitlines()
    assert head.split() == ["image", "t", "z", "y", "x", "doubt", "why"]
    assert first.split()[:5] == ["b.tif", "0", "0", "96", "160"]
    assert "in doubt" in first
    assert len(more) == 2


def test_what_is_painted_by_a_slip_is_listed(files, capsys):
    assert run(files, "suspects", files / "images", files / "annotations", "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["image"], found["y"], found["x"], found["value"], found["pixels"]) == ("b.tif", 45, 45, 2, 100)
    assert "the model sees background on 100 %" in found["why"]
    assert run(files, "suspects", files / "images" / "a.tif", files / "annotations" / "a.tif") == 0
    assert capsys.readouterr().out == "The model agrees with all that is painted.\n"


def test_one_bad_image_is_told_and_the_others_are_searched(files, capsys):
    (files / "images" / "bad.tif").write_bytes(b"nothing")
    assert run(files, "where-next", files / "images") == 2
    said = capsys.readouterr()
    assert "b.tif" in said.out
    assert "1 of 3 images could not be searched: bad.tif." in said.err
    assert run(files, "where-next", files / "images" / "bad.tif") == 2
    assert run(files, "suspects", files / "images", files / "nothing") == 2

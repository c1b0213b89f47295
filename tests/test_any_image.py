"""Images of any real type and size train and predict; what is no number, or all the same, becomes background."""

from itertools import product

import numpy as np
import pytest
import tifffile

from napari_annotrain.store.models import load_model
from tests.command_line import PREDICT, TRAIN, annotrain
from tests.spoilt import IMAGE, bright_squares

pytestmark = pytest.mark.usefixtures("folder")
TYPES = ["uint8", "uint16", "int16", "int8", "int32", "float16", "float32", "float64", "bool", ">u2", ">i4", ">f4"]
SHAPES = [(50, 50), (7, 5), (2, 1)]


def write(path, shape, dtype):
    """Write an image in the byte order of its type, and return its classes."""
    image, labels = bright_squares(shape, dtype)
    byteorder = ">" if dtype.startswith(">") else "<"
    tifffile.imwrite(path, image, byteorder=byteorder)
    with tifffile.TiffFile(path) as file:
        assert file.byteorder == byteorder, "test invalid"
    return labels


def predicted():
    return tifffile.imread("new/o.tif")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TYPES)
def test_what_shows_something_is_predicted(shape, dtype):
    labels = write("image.tif", shape, dtype)
    assert annotrain(*PREDICT) == 0
    assert np.array_equal(predicted() + 1, labels)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)], ids=str)
def test_a_pixel_or_a_line_is_predicted(shape, dtype):
    write("image.tif", shape, dtype)
    assert annotrain(*PREDICT) == 0
    assert predicted().size == np.prod(shape)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((50, 50), "uint16"), ((50, 50), "bool"), ((7, 5), "int16"), ((7, 5), ">f4"), ((2, 1), ">u2")]
)
def test_what_shows_something_trains(shape, dtype):
    tifffile.imwrite("labels.tif", write("image.tif", shape, dtype))
    assert annotrain(*TRAIN, "--device", "cpu") == 0
    assert annotrain("predict", "new/m.safetensors", *PREDICT[2:]) == 0
    assert predicted().shape == shape


def test_images_of_all_types_and_sizes_train_one_model():
    for k, (shape, dtype) in enumerate(product(SHAPES, TYPES)):
        tifffile.imwrite(f"annotations/{k}.tif", write(f"images/{k}.tif", shape, dtype))
    assert annotrain("train", "images", "annotations", *TRAIN[3:], "--device", "cpu") == 0
    annotated = load_model("new/m.safetensors").card.provenance["annotated_pixels"]
    assert sum(annotated.values()) == IMAGE.size + len(TYPES) * (50 * 50 + 7 * 5 + 2)


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8"])
def test_pixels_that_are_no_numbers_become_background_and_are_counted(output, dtype, capsys):
    image, labels = bright_squares(dtype=dtype)
    squares = np.argwhere(labels == 2)[:3]
    image[tuple(squares.T)] = np.nan, np.inf, -np.inf
    tifffile.imwrite("image.tif", image)
    assert annotrain(*PREDICT, "--output", output) == 0
    assert "3 pixels of image are not numbers (NaN or infinite): they became background." in capsys.readouterr().err
    background = {"classes": 0, "cells": 0, "probabilities": [[1], [0]]}[output]
    assert (predicted()[..., squares[:, 0], squares[:, 1]] == background).all()
    assert predicted()[..., 40:, 40:].any(), "the rest is predicted as ever"


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
@pytest.mark.parametrize(
    "image",
    [IMAGE * 0 + 9, IMAGE > 0, np.full((7, 5), 0.1, "f4"), np.full((50, 50), np.nan), np.full((1, 1), -7, "i2")],
    ids=["uint16", "bool", "float32", "NaN", "one_pixel"],
)
def test_a_constant_image_becomes_background_with_a_note(image, output, capsys):
    tifffile.imwrite("image.tif", image)
    assert annotrain(*PREDICT, "--output", output) == 0
    said = capsys.readouterr().err
    assert "image has the same value everywhere: all of it became background." in said
    assert ("pixels of image are not numbers" in said) == np.isnan(image.astype(float)).any()
    found = predicted()
    assert not (found[1:] if output == "probabilities" else found).any()


def test_a_constant_image_with_infinities_becomes_background(capsys):
    tifffile.imwrite("image.tif", np.array([[5, np.inf], [-np.inf, 5]], np.float32))
    assert annotrain(*PREDICT) == 0
    assert "image has the same value everywhere" in capsys.readouterr().err
    assert not predicted().any()

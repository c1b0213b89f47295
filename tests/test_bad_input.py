"""What nothing can be done with is refused by the command line: one sentence, exit code 2, nothing changed on disk."""

import numpy as np
import pytest
import tifffile
import zarr

from napari_annotrain.store.models import load_model, save_model
from tests.command_line import PREDICT, TRAIN, annotrain
from tests.inference.test_segment import threshold_model
from tests.spoilt import IMAGE, LABELS, MODELS, STROKES, spoil_model, with_value

pytestmark = pytest.mark.usefixtures("folder")


# --- images and annotations that nothing can be learnt from -----------------------------------------------------


@pytest.mark.parametrize(
    ("image", "labels", "options", "words"),
    [
        pytest.param(IMAGE, LABELS[:-3], [], "is 50 x 50 but its annotation is 47 x 50: choose", id="other_shape"),
        pytest.param(IMAGE, np.stack([LABELS] * 2), [], "its annotation is 2 x 50 x 50", id="other_dimensions"),
        pytest.param(np.stack([IMAGE] * 2), LABELS, [], "is 2 x 50 x 50 but", id="annotation_of_one_plane"),
        pytest.param(IMAGE, LABELS * 0, [], "Nothing is annotated yet: paint", id="nothing_annotated"),
        pytest.param(IMAGE, LABELS * 0 + 1, [], "Only background is painted: paint", id="only_background"),
        pytest.param(IMAGE, LABELS * 0 + 2, [], "Only one class is painted: paint", id="only_one_class"),
        pytest.param(IMAGE, LABELS * 0 + 2, ["--target", "cells"], "Only cells are painted", id="only_one_cell"),
        pytest.param(IMAGE, LABELS * 0, ["--dense"], "Only background is painted", id="dense_of_zeros"),
        pytest.param(IMAGE, LABELS * 0 + 1, ["--dense"], "Only one class is painted", id="dense_of_ones"),
        pytest.param(IMAGE, LABELS / 3, [], "holds fractions", id="fractions_annotated"),
        pytest.param(IMAGE, -LABELS.astype(np.int16), [], "holds negative values", id="negative_annotated"),
        pytest.param(IMAGE, LABELS * np.nan, [], "holds NaN or infinite", id="NaN_annotated"),
        pytest.param(IMAGE, np.stack([LABELS] * 3, -1), [], "has 3 channels: save it as", id="coloured_annotation"),
        pytest.param(with_value(np.nan, 2, 2), STROKES, [], "image holds NaN", id="NaN_under_the_strokes"),
        pytest.param(with_value(np.nan, 40, 40), STROKES, [], "image holds NaN", id="NaN_beside_the_strokes"),
        pytest.param(with_value(np.inf, 2, 2, dtype=">f8"), STROKES, [], "image holds NaN or infinite", id="infinity"),
        pytest.param(with_value(-np.inf, 2, 2, dtype="f2"), STROKES, [], "or infinite", id="minus_infinity"),
        pytest.param(with_value(np.nan, ...), LABELS, ["--dense"], "holds NaN or infinite", id="nothing_but_NaN"),
        pytest.param(IMAGE * 0 + 7, LABELS, [], "image has the same value everywhere", id="constant"),
        pytest.param(IMAGE * 0 + np.float32(0.1), LABELS, [], "the same value everywhere", id="constant_real_numbers"),
        pytest.param(IMAGE > 0, LABELS, [], "the same value everywhere: leave it out", id="constant_truth_values"),
        pytest.param(IMAGE[:1, :1], LABELS[:1, :1], [], "the same value everywhere", id="one_pixel"),
    ],
)
def test_training_is_refused_on(image, labels, options, words, refused):
    tifffile.imwrite("image.tif", image)
    tifffile.imwrite("labels.tif", labels)
    refused([*TRAIN, *options], words)


def test_in_a_folder_bad_images_are_named_and_the_others_are_trained_on(capsys):
    for name, image in (("flat", IMAGE * 0), ("hot", with_value(np.inf, 9, 9))):
        tifffile.imwrite(f"images/{name}.tif", image)
        tifffile.imwrite(f"annotations/{name}.tif", LABELS)
    assert annotrain("train", "images", "annotations", *TRAIN[3:]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "2 of 3 images could not be trained on: flat, hot."
    assert any("flat has the same value everywhere" in line for line in said)
    assert any("hot holds NaN or infinite values" in line for line in said)
    assert load_model("new/m.safetensors").card.provenance["images"] == ["a"]


def test_a_folder_of_bad_images_only_is_refused(refused):
    tifffile.imwrite("images/b.tif", IMAGE * 0)
    tifffile.imwrite("annotations/b.tif", LABELS)
    tifffile.imwrite("images/a.tif", IMAGE * 0)
    command = ["train", "images", "annotations", *TRAIN[3:]]
    refused(command, "None of the 2 images can be trained on; The image a has the same value everywhere")
    for name in "ab":
        (open(f"images/{name}.tif", "wb")).close()
    refused(command, "None of the 2 images can be trained on", "a.tif is empty")


# --- files that cannot be read --------------------------------------------------------------------------------------


def spoil_file(how):
    """Write a file that cannot be read, and return its name and words of the sentence about it."""
    tifffile.imwrite("whole.tif", IMAGE)
    if how == "damaged_zarr":
        zarr.create_array("bad.zarr", data=IMAGE, chunks=(25, 50))
        (zarr.open("bad.zarr").store.root / "c" / "1" / "0").write_bytes(b"damaged")
        return "bad.zarr", "cannot be read"
    if how == "zarr_without_an_image":
        zarr.create_group("bad.zarr")
        return "bad.zarr", "holds no multiscale image"
    with open("whole.tif", "rb") as file:
        whole = file.read()
    name, content, words = {
        "missing": ("bad.tif", None, "no file"),
        "empty": ("bad.tif", b"", "is empty: copy or save it again"),
        "empty_png": ("bad.png", b"", "is empty"),
        "garbage": ("bad.tif", b"these are the notes of the experiment", "cannot be read"),
        "truncated": ("bad.tif", whole[:-900], "cannot be read: it is damaged, cut off"),
        "truncated_png": ("bad.png", b"\x89PNG\r\n\x1a\n" + b"x" * 99, "cannot be read"),
        "of_unknown_type": ("bad.czi", whole, "save it as TIFF"),
        "name_too_long": ("x" * 300 + ".tif", None, "check its name"),
    }[how]
    if content is not None:
        with open(name, "wb") as file:
            file.write(content)
    return name, words


BAD_FILES = [
    *("missing", "empty", "empty_png", "garbage", "truncated", "truncated_png", "of_unknown_type", "name_too_long"),
    *("damaged_zarr", "zarr_without_an_image"),
]


@pytest.mark.parametrize("place", ["image", "annotation", "input", "prediction", "truth"])
@pytest.mark.parametrize("how", BAD_FILES)
def test_a_file_is_refused_that_is(how, place, refused):
    name, words = spoil_file(how)
    commands = {
        "image": ["train", name, "labels.tif", *TRAIN[3:]],
        "annotation": ["train", "image.tif", name, *TRAIN[3:]],
        "input": ["predict", "m.safetensors", name, "-o", "new/o.tif"],
        "prediction": ["evaluate", name, "labels.tif", "--as", "cells"],
        "truth": ["evaluate", "labels.tif", name, "--as", "classes"],
    }
    refused(commands[place], words, name if len(name) < 99 else "xxx")


def test_a_file_that_may_not_be_read_is_refused(refused, monkeypatch):
    def forbidden(*rest):  # whoever runs the tests may be allowed to read everything
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("napari_annotrain.data.files.open_tiff", forbidden)
    refused(TRAIN, "image.tif may not be read: change its permissions")
    refused(PREDICT, "image.tif may not be read: change its permissions")


@pytest.mark.parametrize(
    "command",
    [
        ["train", "images", "others", *TRAIN[3:]],
        ["train", "images/a.tif", "others", *TRAIN[3:]],
        ["evaluate", "images", "others", "--as", "cells"],
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_a_folder_without_matching_stems_is_refused(command, folder, refused):
    (folder / "others").mkdir()
    refused(command, "There is no image in the folder others: put")
    tifffile.imwrite("others/b.tif", LABELS)
    refused(command, "named like any", "name the one for a.tif the same, a.tif")
    tifffile.imwrite("others/a.tif", LABELS)
    tifffile.imwrite("others/a.tiff", LABELS)
    refused(command, "a.tif and a.tiff in others differ only in their type: keep one of them")


def test_two_images_of_one_stem_or_none_are_no_input(folder, refused):
    (folder / "empty").mkdir()
    refused(["predict", "m.safetensors", "empty", "-o", "new"], "There is no image in the folder empty: put")
    tifffile.imwrite("images/a.ome.tif", IMAGE)
    refused(["predict", "m.safetensors", "images", "-o", "new"], "a.ome.tif and a.tif in images differ only")


# --- models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["predict", "show", "base"])
@pytest.mark.parametrize("how", MODELS)
def test_a_model_is_refused_that_is(how, verb, folder, refused):
    path = spoil_model(how, folder / "bad.safetensors")
    commands = {
        "predict": ["predict", path, "image.tif", "-o", "new/o.tif"],
        "show": ["models", "show", path],
        "base": [*TRAIN, "--base", path],
    }
    refused(commands[verb], MODELS[how], "bad.safetensors")


@pytest.mark.parametrize("how", [how for how in MODELS if "header" in how])
def test_nothing_is_made_for_a_header_that_claims_to_be_huge(how, folder, refused, monkeypatch):
    monkeypatch.setattr("napari_annotrain.store.tensors.safe_open", lambda *rest, **more: pytest.fail("it was opened"))
    refused(["models", "show", spoil_model(how, folder / "bad.safetensors")], MODELS[how])


@pytest.mark.parametrize("how", ["weights_missing", "of_3_dimensions", "of_another_program", "too_many_channels"])
def test_weights_are_read_only_when_card_and_header_are_in_order(how, folder, refused, monkeypatch):
    monkeypatch.setattr("napari_annotrain.store.tensors.TensorFile.read", lambda file: pytest.fail("they were read"))
    refused(["models", "show", spoil_model(how, folder / "bad.safetensors")], MODELS[how])


@pytest.mark.parametrize("how", [how for how in MODELS if how != "missing"])  # then training starts afresh
def test_training_is_not_resumed_from_a_state_that_is(how, folder, refused):
    spoil_model(how, folder / "m.training.safetensors")
    refused([*TRAIN[:4], "m.safetensors", "--steps", "1", "--resume"], "m.training.safetensors")


@pytest.mark.parametrize("out", ["new/o.tif", "new/o.zarr"])
@pytest.mark.parametrize(
    ("channels", "image"),
    [(3, IMAGE), (1, np.stack([IMAGE] * 3, -1)), (2, np.stack([IMAGE] * 3, -1))],
    ids=["grey_for_3", "colours_for_1", "colours_for_2"],
)
def test_an_image_of_another_number_of_channels_than_the_models_is_refused(channels, image, out, refused):
    save_model(threshold_model(channels=channels), "m.safetensors")
    tifffile.imwrite("image.tif", image)
    refused([*PREDICT[:-1], out], f"channels but the model reads {channels}: choose another model")

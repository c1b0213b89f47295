"""Options and places that make no sense are refused by the command line, in one sentence and before any work."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
import torch
import zarr

from tests.command_line import PREDICT, TRAIN
from tests.spoilt import IMAGE, is_one_sentence

pytestmark = pytest.mark.usefixtures("folder")


def absent(device):
    there = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}[device]()
    return pytest.param(device, "GPU that this PyTorch", marks=pytest.mark.skipif(there, reason="it is there"))


@pytest.mark.parametrize("command", [TRAIN, PREDICT, ["predict", "m.safetensors", "images", "-o", "new"]], ids=str)
@pytest.mark.parametrize(("device", "words"), [("tpu", "'tpu' is no device"), absent("cuda"), absent("mps")])
def test_a_device_that_is_unknown_or_not_there_is_refused(command, device, words, refused):
    refused([*command, "--device", device], words, ": choose")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([*TRAIN, "--preset", "huge"], "There is no preset 'huge': choose one of fast"),
        ([*TRAIN, "--up", "unpool", "--down", "average"], "Unpooling needs to know where the largest pixels were"),
        ([*TRAIN, "--preset", "segnet", "--down", "strided"], "choose max as way down"),
        ([*TRAIN, "--skips", "some"], "--skips cannot be some"),
        ([*TRAIN, "--depth", "40"], "--depth cannot be 40"),
        ([*TRAIN[:2], *TRAIN[3:], "--target", "image"], "There are no target images"),
        ([*TRAIN[:2], *TRAIN[3:]], "learnt from annotations"),
        ([*TRAIN, "--learn-from", "noise2void"], "for the target image only"),
        ([*TRAIN, "--target", "spots"], "'spots' is no target: choose"),
        ([*TRAIN[:-1], "0"], "0 steps"),
        ([*TRAIN[:-1], "many"], "many"),
        ([*TRAIN, "--seconds", "-1"], "-1.0 seconds"),
        ([*TRAIN, "--seconds", "nan"], "nan seconds"),
        ([*TRAIN, "--seed", 2**70], "give one from 0 to 9223372036854775807"),
        ([*TRAIN, "--axes", "QX"], "'QX' cannot be read"),
        ([*TRAIN, "--base", "nowhere"], "There is no model 'nowhere'"),
        (TRAIN[:3], "--out"),
        (["train"], "--images"),
        ([*PREDICT, "--tile", "-5"], "tile must be a positive number"),
        ([*PREDICT, "--tile=-5"], "tile must be a positive number"),
        ([*PREDICT, "--tile", "0"], "tile must be a positive number"),
        ([*PREDICT, "--tile", "1.5"], "tile must be a positive number"),
        ([*PREDICT, "--tile", "large"], "tile must be a positive number"),
        ([*PREDICT, "--memory", "lots"], "2GB"),
        ([*PREDICT, "--memory=-2GB"], "2GB"),
        ([*PREDICT, "--precision", "float8"], "'float8' is no precision: choose"),
        ([*PREDICT, "--precision", "float16", "--device", "cpu"], "choose bfloat16 or float32"),
        ([*PREDICT, "--output", "image"], "cannot give 'image': choose"),
        ([*PREDICT, "--axes", "ZYX"], "name 3 dimensions but the image has 2: give one letter"),
        ([*PREDICT, "--scheduler", "local:many"], "names no number of processes"),
        ([*PREDICT, "--colour", "red"], "--colour"),
        ([*PREDICT, "--threshold", "3"], "--threshold cannot be 3"),
        ([*PREDICT, "--diameter-px", "0"], "--diameter-px cannot be 0"),
        ([*PREDICT, "--min-size-px", "large"], "--min-size-px cannot be large"),
        (["evaluate", "labels.tif", "labels.tif", "--as", "dots"], "dots"),
        (["evaluate", "labels.tif", "labels.tif", "--as", "cells", "--min-size", "-1"], "give 0 or more"),
        (["models", "export", "m.safetensors", "o.zip"], "not there yet"),
        (["models", "import", "m.safetensors"], "not there yet"),
        (["paint"], "paint"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_an_option_that_makes_no_sense_is_refused(command, words, refused):
    refused(command, words)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("o.xyz", "let it end in"),
        ("o", "let it end in"),
        ("labels.tif/o{}", "labels.tif is a file, not a folder): choose another place"),
        ("taken{}", "is a folder of other things: choose another name"),
        ("x" * 300 + "{}", "cannot be written (File name too long): choose another place"),
        ("x" * 300 + "/o{}", "cannot be written (File name too long): choose another place"),
        pytest.param(
            "/proc/annotrain/o{}",
            "cannot be written",
            marks=pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc"),
        ),
    ],
    ids=lambda value: value[:20],
)
@pytest.mark.parametrize("suffix", [".safetensors", ".tif", ".zarr"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(place, words, suffix, folder, refused, monkeypatch):
    monkeypatch.setattr("napari_annotrain.api.training_run.fit", lambda *rest, **more: pytest.fail("it was trained"))
    predictor = "napari_annotrain.inference.predictor.Predictor.__init__"
    monkeypatch.setattr(predictor, lambda *rest: pytest.fail("it was predicted"))
    (folder / f"taken{suffix}").mkdir()
    (folder / f"taken{suffix}" / "thesis.txt").write_text("years of work")
    command = TRAIN if suffix == ".safetensors" else PREDICT
    refused([*command[:4], place.format(suffix), *command[5:]], words)


@pytest.mark.parametrize(
    ("input_", "out", "words"),
    [
        ("images", "labels.tif", "labels.tif is a file, not a folder"),
        ("images", "x" * 300, "File name too long"),
        ("images", "images", "would replace images itself"),
        ("image.tif", "image.tif", "would replace image.tif itself"),
        ("image.tif", "there.zarr", "exists already: choose another name, or allow"),
        ("stack.tif", "o.png", "o.png cannot hold this result"),
    ],
)
def test_a_result_that_has_no_place_there_is_refused(input_, out, words, folder, refused):
    zarr.create_group("there.zarr")
    tifffile.imwrite("stack.tif", np.stack([IMAGE] * 2))
    refused(["predict", "m.safetensors", input_, "-o", out], words)


@pytest.mark.parametrize(
    "command",
    [[*TRAIN, "--dense", "--preset", "huge"], [*PREDICT, "--tile", "-5"], ["models", "show", "labels.tif"]],
    ids=lambda command: command[0],
)
def test_the_program_itself_says_one_sentence_and_exits_with_2(command):
    done = subprocess.run([sys.executable, "-m", "napari_annotrain.cli", *command], capture_output=True, text=True)
    assert done.returncode == 2
    assert is_one_sentence(done.stderr.strip())
    assert not done.stdout

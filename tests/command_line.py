"""The command line as its entry point runs it, and words for it that work."""

import pytest

from napari_annotrain import cli

TRAIN = ["train", "image.tif", "labels.tif", "-o", "new/m.safetensors", "--steps", "1"]
PREDICT = ["predict", "m.safetensors", "image.tif", "-o", "new/o.tif"]


def annotrain(*words):
    """Run a command and return its exit code."""
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return end.value.code


def contents(folder):
    """Everything in a folder, byte by byte."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

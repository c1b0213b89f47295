"""One small world for all tests: two bright discs on a dark, noisy plane.

. . . . . . . .
. o o . . . . .      o: disc of radius 9 around (20, 20)
. o o . . x x .      x: disc of radius 12 around (40, 52)
. . . . . x x .
"""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, settings

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.writing import write_array
from napari_annotrain.specs import NetSpec, TrainSpec

# how long an example takes hangs on what else the computer does
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def draw_discs(shape=(64, 72), seed=0, discs=((20, 20, 9), (40, 52, 12))):
    """Image (uint16) and instance labels (int32) of bright discs."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for k, (cy, cx, r) in enumerate(discs, 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= r * r] = k
    image = 400 + 900 * (labels > 0) + rng.normal(0, 80, shape)
    return image.clip(0).astype(np.uint16), labels


def store_movie(path, n_planes):
    """An OME-Zarr of so many frames of discs, 100 x 120 px each."""
    write_array(
        path, np.stack([draw_discs((100, 120), seed=s)[0] for s in range(n_planes)]), "TYX", {"Y": 0.5, "X": 0.5}
    )
    return path


def train_on_discs(target):
    """A model of the preset `fast` that has seen four discs, on patches small enough for a test."""
    from napari_annotrain import api

    image, labels = draw_discs((128, 128), discs=[(30, 30, 14), (30, 90, 12), (90, 40, 16), (95, 95, 10)])
    truth = labels if target == "cells" else (labels > 0).astype(np.uint8)
    annotated = AnnotatedImage(Stack.of(image), Stack.of(truth), dense=True)
    spec = TrainSpec(seconds=None, steps=30, patch=64, batch=4, device="cpu")
    return list(api.iter_training([annotated], target=target, spec=spec))[-1].result


@pytest.fixture
def discs():
    return draw_discs()


@pytest.fixture
def dense_image(discs):
    image, labels = discs
    return AnnotatedImage(Stack.of(image), Stack.of((labels > 0).astype(np.uint8)), dense=True)


@pytest.fixture
def tiny_net():
    """Depth 2, so that a test image spans several tiles."""
    return NetSpec(width=4, depth=2)


@pytest.fixture
def tiny_spec():
    return TrainSpec(seconds=None, steps=6, patch=32, batch=2, device="cpu", precision="float32")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real images; the test says so and skips where it is absent."""
    folder = os.environ.get("ANNOTRAIN_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ANNOTRAIN_DATA does not point to the real images")
    return Path(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The present folder: an image, its annotation, the same two in folders, and a model (`tests.command_line`)."""
    from napari_annotrain.store.models import save_model
    from tests.inference.test_segment import threshold_model
    from tests.spoilt import IMAGE, LABELS

    monkeypatch.chdir(tmp_path)
    for place in ("images", "annotations"):
        (tmp_path / place).mkdir()
    for name, array in (("image", IMAGE), ("labels", LABELS), ("images/a", IMAGE), ("annotations/a", LABELS)):
        tifffile.imwrite(f"{name}.tif", array)
    save_model(threshold_model(), "m.safetensors")
    return tmp_path


@pytest.fixture
def refused(folder, capsys):
    """Check that a command is refused in one sentence with these words, and that nothing has changed on disk."""
    from tests.command_line import annotrain, contents
    from tests.spoilt import is_one_sentence

    def check(command, *words):
        before = contents(folder)
        assert annotrain(*command) == 2
        said = capsys.readouterr().err.strip()
        assert is_one_sentence(said), said
        assert all(word in said for word in words), said
        assert contents(folder) == before

    return check

"""What goes wrong under way ends in one sentence; when it is mended, resume ends as a run in one go."""

import os
import shutil
import tempfile

import numpy as np
import pytest
import tifffile
import zarr
from numcodecs import Blosc

import napari_annotrain as at
from napari_annotrain.data import tiff
from napari_annotrain.data.record import Record
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.inference.predictor import Predictor
from tests.command_line import annotrain, contents
from tests.conftest import draw_discs, store_movie
from tests.spoilt import is_one_sentence

pytestmark = pytest.mark.usefixtures("folder")

N_PLANES = 9
OPTIONS = ["--output", "classes", "--tile", "48", "--device", "cpu"]
RESUMABLE = "what is finished is kept, and resume goes on from there."


@pytest.fixture
def after(monkeypatch):
    """Do something while the network is at its n-th tile."""

    def plan(n, harm):
        tiles, compute = [0], Predictor.compute

        def harmed(self, patch, decoding):
            tiles[0] += 1
            if tiles[0] == n:
                harm()
            return compute(self, patch, decoding)

        monkeypatch.setattr(Predictor, "compute", harmed)

    return plan


@pytest.fixture
def fails(capsys):
    """Check that a prediction ends in one sentence with these words, under way or (`kept` False) before."""

    def check(image, *words, kept=True):
        before = contents(image.parent / "new")
        assert annotrain("predict", "m.safetensors", image.name, "-o", "new/o.zarr", *OPTIONS) == 2
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert is_one_sentence(said), said
        assert said.endswith(RESUMABLE) == kept, said
        assert all(word in said for word in words), said
        found = {path.name for path in (image.parent / "new").glob("*")}
        assert found == {".o.zarr.unfinished"} if kept else contents(image.parent / "new") == before

    return check


def resumes(image):
    """Check that going on gives what one run gives."""
    assert annotrain("predict", "m.safetensors", image.name, "-o", "new/o.zarr", *OPTIONS, "--resume") == 0
    assert [path.name for path in (image.parent / "new").iterdir()] == ["o.zarr"]
    whole = at.predict("m.safetensors", image, output="classes", tile=48, device="cpu")
    assert len(np.unique(whole)) == 2, "test invalid"
    assert np.array_equal(zarr.open_array("new/o.zarr", path="0", mode="r")[...], whole)


# --- the image ------------------------------------------------------------------------------------------------------


def store_blosc(path):
    """The movie as OME-Zarr 0.4 of other programs are: zarr 2, compressed with Blosc."""
    movie = np.stack([draw_discs((100, 120), seed=s)[0] for s in range(N_PLANES)])
    group = zarr.create_group(path, zarr_format=2)
    layout = {"shape": movie.shape, "chunks": (1, 100, 120), "dtype": movie.dtype}
    group.create_array("0", **layout, compressors=Blosc("lz4"))[...] = movie
    datasets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": list("tyx"), "datasets": datasets}]
    return path


@pytest.mark.parametrize("how", ["damaged", "cut_off", "empty"])
@pytest.mark.parametrize("blosc", [False, True], ids=["zstd", "blosc"])
def test_a_chunk_that_is(how, blosc, folder, after, fails):
    image = store_blosc(folder / "movie.zarr") if blosc else store_movie(folder / "movie.zarr", N_PLANES)
    chunk = image / "0" / ("7.0.0" if blosc else "c/7/0/0")
    whole = chunk.read_bytes()
    spoilt = {"damaged": b"damaged", "cut_off": whole[: len(whole) // 2], "empty": b""}[how]
    after(30, lambda: chunk.write_bytes(spoilt))
    fails(image, "movie.zarr cannot be read", "copy or save it again")
    chunk.write_bytes(whole)
    resumes(image)


@pytest.mark.parametrize("what", ["movie.zarr", "movie.zarr/0"])
def test_a_store_that_vanishes_is_not_taken_for_zeros(what, folder, after, fails):
    image = store_movie(folder / "movie.zarr", N_PLANES)
    after(30, lambda: os.rename(what, "elsewhere"))
    fails(image, "movie.zarr is not there any more: put it back" if what == image.name else "movie.zarr cannot be read")
    os.rename("elsewhere", what)
    resumes(image)


@pytest.mark.parametrize("how", ["gone", "cut_off"])
def test_a_memory_mapped_file_that_is(how, folder, after, fails, monkeypatch):
    monkeypatch.setattr(tiff, "SMALL_BYTES", 0)
    image = folder / "movie.tif"
    tifffile.imwrite(image, np.stack([draw_discs((100, 120), seed=s)[0] for s in range(N_PLANES)]), metadata=None)
    shutil.copy(image, "whole.tif")
    if how == "gone":
        after(30, lambda: os.rename(image, "elsewhere.tif"))
        fails(image, "movie.tif is not there any more: put it back")
    else:
        after(30, lambda: os.truncate(image, 9000))
        fails(image, "movie.tif cannot be read: it is damaged, cut off")
    shutil.copy("whole.tif", image)
    resumes(image)


# --- the place of the result ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(30, "Read-only file system")])
@pytest.mark.parametrize("at_step", ["a_piece", "the_record", "the_smaller_levels", "the_name"])
def test_what_cannot_be_written_at(at_step, error, folder, fails, monkeypatch):
    image = store_movie(folder / "movie.zarr", N_PLANES)
    place, name = {
        "a_piece": (zarr.Array, "__setitem__"),
        "the_record": (Record, "add"),
        "the_smaller_levels": ("napari_annotrain.data.filling", "iter_levels"),
        "the_name": ("napari_annotrain.data.filling", "put"),
    }[at_step]
    calls, last = [], 7 if at_step in ("a_piece", "the_record") else 1

    with monkeypatch.context() as patch:
        target = place if not isinstance(place, str) else __import__(place, fromlist=[name])
        original = getattr(target, name)

        def full(*given, **more):
            calls.append(given)
            if len(calls) >= last:
                raise error
            return original(*given, **more)

        patch.setattr(target, name, full)
        fails(image, "new/o.zarr cannot be written", error.strerror, "choose another place or make room")
    resumes(image)


def refuse(*rest, **more):
    raise PermissionError(13, "Permission denied")


def test_a_folder_that_may_not_be_written(folder, fails, monkeypatch):
    image = store_movie(folder / "movie.zarr", 2)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # the superuser may write everywhere
    fails(image, "new/o.zarr cannot be written (Permission denied)", kept=False)
    (folder / "new").mkdir()
    fails(image, "new/o.zarr cannot be written (Permission denied)", kept=False)


@pytest.mark.parametrize("name", ["new", "new/.o.zarr.unfinished"])
def test_a_file_where_a_folder_should_be(name, folder, fails):
    image = store_movie(folder / "movie.zarr", 2)
    if "/" in name:
        (folder / "new").mkdir()
    (folder / name).write_text("my notes")
    fails(image, "new/o.zarr cannot be written", kept=False)
    assert (folder / name).read_text() == "my notes"


def test_what_was_left_and_may_not_be_written_any_more(folder, after, fails, monkeypatch):
    image = store_movie(folder / "movie.zarr", N_PLANES)

    def stop():
        raise AnnotrainError("Stop here.")

    after(30, stop)
    fails(image, "Stop here")
    with monkeypatch.context() as patch:
        patch.setattr("napari_annotrain.data.locks.os.open", refuse)
        assert annotrain("predict", "m.safetensors", image.name, "-o", "new/o.zarr", *OPTIONS, "--resume") == 2
    resumes(image)

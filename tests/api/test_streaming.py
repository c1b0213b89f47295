"""Prediction from disk to disk: interrupted anywhere, it goes on, and the result is that of a run in one go."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr

import napari_annotrain as at
from napari_annotrain.data.writing import write_array
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Computed, TileDone
from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.net.model import Model
from napari_annotrain.specs import CellsSpec
from tests.conftest import draw_discs, train_on_discs

OUTPUTS = ["classes", "cells", "probabilities"]
TILE = {"tile": 48, "device": "cpu"}


@pytest.fixture(scope="module")
def model():
    return train_on_discs("cells")


def stop_after(n, error=KeyboardInterrupt):
    """A listener that ends the run after so many tiles."""
    left = [n]

    def listen(event):
        if isinstance(event, TileDone | Computed):
            left[0] -= 1
            if left[0] == 0:
                raise error

    return listen


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_interrupted_run_goes_on_and_ends_as_one_in_one_go(model, image, tmp_path, computed, output):
    whole = np.asarray(at.predict(model, image, output=output, out=tmp_path / "whole.zarr", **TILE)[...])
    n_tiles = len(computed)
    computed.clear()
    for n in (14, 12):
        with pytest.raises(KeyboardInterrupt, match="what is finished is kept"):
            at.predict(
                model, image, output=output, out=tmp_path / "o.zarr", resume=True, on_event=stop_after(n), **TILE
            )
        assert not (tmp_path / "o.zarr").exists()
    found = at.predict(model, image, output=output, out=tmp_path / "o.zarr", resume=True, **TILE)
    assert np.array_equal(found[...], whole)
    assert found.dtype == whole.dtype
    assert {p.name for p in tmp_path.iterdir()} == {"whole.zarr", "o.zarr"}
    if output != "cells":  # of which an unfinished plane is computed again
        again = len(computed) - len(set(computed))
        assert again <= 2  # one in flight at every interruption
    assert len(set(computed)) == n_tiles


def test_ids_of_cells_stay_unique_over_an_interruption(model, image, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=tmp_path / "o.zarr", on_event=stop_after(14), **TILE)
    labels = at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)[...]
    planes = [set(np.unique(plane)) - {0} for plane in labels]
    assert all(planes)
    assert len(set.union(*planes)) == sum(map(len, planes))


def test_a_finished_result_is_left_as_it_is(model, image, tmp_path, computed):
    at.predict(model, image, out=tmp_path / "o.zarr", **TILE)
    computed.clear()
    at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)
    assert not computed


def test_with_nothing_there_it_starts_from_the_beginning(model, image, tmp_path):
    whole = at.predict(model, image, out=tmp_path / "a.zarr", **TILE)
    (tmp_path / ".b.zarr.unfinished" / "store").mkdir(parents=True)  # cut off while it was being created
    found = at.predict(model, image, out=tmp_path / "b.zarr", resume=True, **TILE)
    assert np.array_equal(found[...], whole[...])


def test_tiles_and_intensities_are_those_of_the_first_run(model, image, tmp_path, computed, monkeypatch):
    whole = at.predict(model, image, output="classes", out=tmp_path / "whole.zarr", **TILE)[...]
    computed.clear()
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, output="classes", out=tmp_path / "o.zarr", on_event=stop_after(4), **TILE)
    monkeypatch.setattr("napari_annotrain.api.under_way.measure_normalisation", lambda *rest: pytest.fail("measured"))
    found = at.predict(model, image, output="classes", out=tmp_path / "o.zarr", resume=True, tile=96, device="cpu")
    assert {place[1] % 48 for place in computed} == {0}
    assert np.array_equal(found[...], whole)


@pytest.fixture
def left(model, image, tmp_path):
    """What an interrupted run leaves."""
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=tmp_path / "o.zarr", on_event=stop_after(12), **TILE)
    return tmp_path / "o.zarr"


def test_what_is_left_is_not_thrown_away_unasked(model, image, left):
    with pytest.raises(AnnotrainError, match="left an unfinished"):
        at.predict(model, image, out=left, **TILE)
    at.predict(model, image, out=left, overwrite=True, **TILE)
    assert [p.name for p in left.parent.iterdir()] == ["o.zarr"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("model", "another model"),
        ("image", "another image"),
        ("shape", "another image"),
        ("output", "another kind of output"),
        ("cells", "other cell settings"),
        ("diameter", "another cell diameter|other cell settings"),
    ],
)
def test_another_run_is_not_gone_on_with(model, image, left, change, words):
    options = {"resume": True, **TILE}
    given_model, given_image = model, image
    if change == "model":
        given_model = Model(model.card, {k: 1.5 * v for k, v in model.weights.items()})
    elif change in ("image", "shape"):
        shape = (100, 120) if change == "image" else (90, 90)
        given_image = np.stack([draw_discs(shape, seed=s + 9)[0] for s in range(3)])
    elif change == "output":
        options["output"] = "classes"
    elif change == "diameter":
        options["cells"] = CellsSpec(diameter_px=200)
    else:
        options["cells"] = CellsSpec(min_size_px=500)
    with pytest.raises(AnnotrainError, match=words):
        at.predict(given_model, given_image, out=left, **options)
    assert at.predict(model, image, out=left, resume=True, **TILE) is not None


def test_another_diameter_is_another_run_of_any_output(model, image, tmp_path):
    options = {"output": "classes", "out": tmp_path / "o.zarr", **TILE}
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, on_event=stop_after(4), **options)
    with pytest.raises(AnnotrainError, match="another cell diameter or pixel size"):
        at.predict(model, image, resume=True, cells=CellsSpec(diameter_px=200), **options)


def test_an_interrupted_overwriting_goes_on_and_overwrites(model, image, tmp_path):
    out = tmp_path / "o.zarr"
    at.predict(model, image, output="classes", out=out, **TILE)
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=out, overwrite=True, on_event=stop_after(14), **TILE)
    assert zarr.open_array(out, path="0", mode="r").dtype == np.uint8  # the old one is there still
    found = at.predict(model, image, out=out, resume=True, **TILE)
    assert np.array_equal(found[...], at.predict(model, image, **TILE))
    assert [p.name for p in tmp_path.iterdir()] == ["o.zarr"]


def test_what_came_under_the_name_meanwhile_is_not_replaced(model, image, tmp_path):
    out = tmp_path / "o.zarr"

    def intrude(event):
        if isinstance(event, TileDone) and not out.exists():
            write_array(out, np.ones((3, 4), np.uint8), "YX")

    with pytest.raises(AnnotrainError, match=r"exists already.*what is finished is kept"):
        at.predict(model, image, out=out, on_event=intrude, **TILE)
    assert zarr.open_array(out, path="0", mode="r").shape == (3, 4)


def test_what_another_run_left_is_begun_anew_where_that_is_allowed(model, image, left):
    found = at.predict(model, image, output="classes", out=left, resume=True, overwrite=True, **TILE)
    assert np.array_equal(found[...], at.predict(model, image, output="classes", **TILE))


def test_what_was_finished_in_smaller_tiles_is_not_computed_again(model, image, tmp_path, computed, monkeypatch):
    whole = at.predict(model, image, output="classes", **TILE)
    watched, tight = Predictor.compute, [True]

    def short_of_memory(self, patch, decoding):
        if tight[0] and max(s.stop - s.start for s in patch.tile.write) > 32:
            tight[0] = False
            raise MemoryError
        return watched(self, patch, decoding)

    monkeypatch.setattr(Predictor, "compute", short_of_memory)
    computed.clear()
    options = {"output": "classes", "out": tmp_path / "o.zarr", **TILE}
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, on_event=stop_after(20), **options)
    first = {place[0] for place in computed}
    computed.clear()
    found = at.predict(model, image, resume=True, **options)
    assert np.array_equal(found[...], whole)
    assert len(computed) < 27, "what was finished in quarters counts"
    assert first


def test_images_that_differ_in_one_plane_are_told_apart(model, image, left):
    other = np.asarray(zarr.open_array(image, path="0", mode="r")[...]).copy()
    other[1] += 7
    with pytest.raises(AnnotrainError, match="another image"):
        at.predict(model, other, out=left, resume=True, **TILE)


def test_what_another_run_is_writing_is_refused_and_not_disturbed(model, image, tmp_path):
    options, refused = {"out": tmp_path / "o.zarr", **TILE}, []

    def meddle(event):
        if isinstance(event, Computed) and not refused:
            for more in ({}, {"resume": True}, {"overwrite": True}):
                with pytest.raises(
                    AnnotrainError, match=r"o\.zarr is being written by another process: wait for it, or"
                ):
                    at.predict(model, image, **options, **more)
                refused.append(more)

    found = at.predict(model, image, on_event=meddle, **options)
    assert len(refused) == 3
    assert np.array_equal(found[...], at.predict(model, image, **TILE))
    assert [p.name for p in tmp_path.iterdir()] == ["o.zarr"]


def test_folders_made_for_nothing_go_again(model, image, tmp_path):
    (tmp_path / "there").mkdir()
    out = tmp_path / "there" / "new" / "newer" / "o.zarr"
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=out, on_event=stop_after(1), **TILE)
    assert [p.name for p in tmp_path.rglob("*")] == ["there"]

    def leave_something(event):
        (out.parent.parent / "notes.txt").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=out, on_event=leave_something, **TILE)
    assert [p.name for p in tmp_path.rglob("*")] == ["there", "new", "notes.txt"]


@pytest.mark.parametrize("name", ["o.tif", "o.png"])
@pytest.mark.parametrize("there", [False, True])
def test_a_file_is_not_taken_for_the_result_that_is_to_be_resumed(model, tmp_path, computed, name, there):
    image, out = draw_discs((60, 60))[0], tmp_path / name
    if there:
        write_array(out, np.ones((60, 60), np.uint8), "YX")
    before = out.read_bytes() if there else None
    with pytest.raises(AnnotrainError, match=rf"nothing of .*{name} to resume: give an \.ome\.zarr"):
        at.predict(model, image, out=out, resume=True, device="cpu")
    assert not computed
    assert (out.read_bytes() if out.exists() else None) == before


def test_a_store_of_others_is_not_taken_for_a_result(model, image, tmp_path):
    write_array(tmp_path / "o.zarr", np.zeros((3, 100, 120), np.uint8), "TYX")
    with pytest.raises(AnnotrainError, match="was not made by a prediction"):
        at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)


def test_a_failure_says_that_what_is_finished_is_kept(model, image, tmp_path):
    error = AnnotrainError("The file has vanished: put it back.")
    with pytest.raises(AnnotrainError, match=r"back; what is finished is kept, and resume goes on from there\.$"):
        at.predict(model, image, out=tmp_path / "o.zarr", on_event=stop_after(12, error), **TILE)
    assert at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE) is not None


def test_a_full_disk_keeps_what_is_finished(model, image, tmp_path, monkeypatch):
    whole = at.predict(model, image, out=tmp_path / "whole.zarr", **TILE)[...]
    written, set_item = [0], zarr.Array.__setitem__

    def full(self, selection, value):
        written[0] += 1
        if written[0] == 3:
            raise OSError(28, "No space left on device")
        set_item(self, selection, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(AnnotrainError, match=r"No space left.*make room; what is finished is kept"):
        at.predict(model, image, out=tmp_path / "o.zarr", **TILE)
    found = at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)
    assert np.array_equal(found[...], whole)


def test_a_failure_before_anything_is_finished_leaves_nothing(model, image, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=tmp_path / "o.zarr", on_event=stop_after(1), **TILE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("tile", "chunk"), [(2048, 1024), (1072, 536), (48, 48), (3072, 1024), (1040, 520)])
def test_no_two_tiles_share_a_chunk(tile, chunk):
    from napari_annotrain.api.under_way import divide

    assert divide(tile) == chunk


def test_what_a_folder_has_already_is_not_predicted_again(model, tmp_path, computed):
    (tmp_path / "in").mkdir()
    for name in "ab":
        write_array(tmp_path / "in" / f"{name}.tif", draw_discs((60, 60))[0], "YX")
    at.predict(model, tmp_path / "in", out=tmp_path / "out", device="cpu")
    (tmp_path / "out" / "b.tif").unlink()
    computed.clear()
    at.predict(model, tmp_path / "in", out=tmp_path / "out", resume=True, device="cpu")
    assert len(computed) == 1
    assert (tmp_path / "out" / "b.tif").exists()


@pytest.mark.nightly
def test_two_processes_do_not_write_one_result(model, tmp_path):
    write_array(tmp_path / "in.zarr", np.stack([draw_discs((256, 256), seed=s)[0] for s in range(40)]), "ZYX")
    at.save_model(model, tmp_path / "m.safetensors")
    command = [sys.executable, "-m", "napari_annotrain.cli", "predict", "m.safetensors", "in.zarr", "-o", "o.zarr"]
    command += ["--output", "classes", "--tile", "64", "--device", "cpu"]
    both = [
        subprocess.Popen([*command, *more], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        for more in ([], ["--resume"])
    ]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    refused = next(text for process, text in zip(both, said, strict=True) if process.returncode == 2)
    assert "o.zarr is being written by another process" in refused.splitlines()[-1]
    alone = at.predict(model, tmp_path / "in.zarr", output="classes", tile=64, device="cpu")
    assert np.array_equal(zarr.open_array(tmp_path / "o.zarr", path="0", mode="r")[...], alone)
    assert {path.name for path in tmp_path.iterdir()} == {"in.zarr", "m.safetensors", "o.zarr"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("output", "planes", "kills"),
    [("cells", 12, 2), *(pytest.param(output, 40, 5, marks=pytest.mark.nightly) for output in ("classes", "cells"))],
)
def test_killed_again_and_again_it_ends_as_one_in_one_go(model, tmp_path, output, planes, kills):
    write_array(tmp_path / "in.zarr", np.stack([draw_discs((256, 256), seed=s)[0] for s in range(planes)]), "ZYX")
    at.save_model(model, tmp_path / "m.safetensors")
    whole = at.predict(model, tmp_path / "in.zarr", output=output, tile=64, device="cpu", out=tmp_path / "w.zarr")[...]
    command = [sys.executable, "-m", "napari_annotrain.cli", "predict", "m.safetensors", "in.zarr", "-o", "o.zarr"]
    command += ["--output", output, "--tile", "64", "--device", "cpu", "--resume"]
    lines = tmp_path / ".o.zarr.unfinished" / "finished.jsonl"
    killed = 0
    while killed < kills:
        before = lines.read_bytes().count(b"\n") if lines.exists() else 0
        run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        while run.poll() is None and (not lines.exists() or lines.read_bytes().count(b"\n") <= before + killed):
            time.sleep(0.001)
        if run.poll() is not None:
            break
        run.send_signal(signal.SIGKILL)
        run.wait()
        killed += 1
    assert killed >= 2, "test invalid: it ended before it could be killed"
    if not (tmp_path / "o.zarr").exists():
        about = json.loads((lines.parent / "run.json").read_text())
        assert about["run"]["output"] == output
        subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert np.array_equal(zarr.open_array(tmp_path / "o.zarr", path="0", mode="r")[...], whole)


@pytest.mark.parametrize("output", ["classes", "probabilities"])
def test_a_stored_movie_is_valid_for_others_and_comes_back_in_the_images_order(model, tmp_path, output):
    yaozarrs = pytest.importorskip("yaozarrs")
    movie = np.stack([draw_discs((40, 50), seed=s)[0] for s in range(6)]).reshape(3, 2, 40, 50)
    found = at.predict(model, movie, axes="ZTYX", output=output, out=tmp_path / "o.zarr", device="cpu")
    assert np.array_equal(found, at.predict(model, movie, axes="ZTYX", output=output, device="cpu"))
    group = yaozarrs.validate_zarr_store(str(tmp_path / "o.zarr"))
    names = [axis.name for axis in group.ome_metadata().multiscales[0].axes]
    assert names == list("tczyx" if output == "probabilities" else "tzyx")

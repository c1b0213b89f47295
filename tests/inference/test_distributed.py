"""Prediction on a dask cluster of two processes: the same as in one, whatever happens to the workers."""

import os
import signal
from importlib.metadata import version

import numpy as np
import pytest

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.stack import paste
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import BlockDone, Started, TileDone
from napari_annotrain.inference import distributed as cluster
from napari_annotrain.specs import PredictSpec
from tests.conftest import draw_discs, store_movie, train_on_discs

pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # dask's own, of ports and of what workers leave

TILE = {"tile": 48, "device": "cpu"}


@pytest.fixture(scope="module")
def model():
    return train_on_discs("cells")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return store_movie(tmp_path_factory.mktemp("in") / "movie.zarr", 4)


@pytest.fixture(scope="module")
def two():
    """A cluster of two processes, one thread each; it replaces a worker that a test has killed."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made:
        yield made


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("napari_annotrain.api.clusters.BLOCK_PX", 48)


def same_but_for_ids(one, other):
    """Whether two labellings are the same up to renaming."""
    pairs = np.unique(np.stack([np.ravel(one), np.ravel(other)]).astype(np.int64), axis=1)
    return len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]


def assert_same(one, other):
    """Labels are equal; probabilities up to their last bits, which hang on the number of threads on some processors."""
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 if one.dtype.kind == "f" else 0)


@pytest.mark.parametrize("output", ["classes", "probabilities"])
@pytest.mark.parametrize("name", ["o.zarr", "o.tif"])
def test_the_result_is_that_of_one_process(model, image, tmp_path, two, output, name):
    alone = at.predict(model, image, output=output, **TILE)
    events = []
    found = at.predict(
        model,
        image,
        output=output,
        out=tmp_path / name,
        scheduler=two.scheduler_address,
        on_event=events.append,
        **TILE,
    )
    stored = np.moveaxis(alone, 0, 1) if (output, name) == ("probabilities", "o.zarr") else alone
    assert_same(found[...], stored)
    assert [e.device for e in events if isinstance(e, Started)] == ["2 dask workers, 2 at once"]
    assert [p.name for p in tmp_path.iterdir()] == [name]
    done = [e.done for e in events if isinstance(e, BlockDone)]
    assert done == list(range(1, 4 * 9 + 1))


def test_cells_are_the_same_and_every_id_is_one_cell(model, image, tmp_path, two):
    alone = at.predict(model, image, **TILE)
    found = at.predict(model, image, out=tmp_path / "o.zarr", scheduler=two.scheduler_address, **TILE)
    assert len(np.unique(alone)) > 5
    assert same_but_for_ids(found[...], alone)


def test_arrays_go_to_the_workers_too_but_results_need_a_place(model, tmp_path, two):
    image = draw_discs((100, 120))[0]
    options = {"output": "classes", "scheduler": two.scheduler_address, **TILE}
    found = at.predict(model, image, out=tmp_path / "new" / "o.zarr", **options)
    assert np.array_equal(found, at.predict(model, image, output="classes", **TILE))
    with pytest.raises(AnnotrainError, match=r"need a place to write to .* give out"):
        at.predict(model, image, **options)


def test_interrupted_cells_go_on_with_ids_of_their_own(model, image, tmp_path, two):
    alone = at.predict(model, image, **TILE)
    options = {"out": tmp_path / "o.zarr", "scheduler": two.scheduler_address, **TILE}

    def stop(event):
        if isinstance(event, BlockDone) and event.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="what is finished is kept"):
        at.predict(model, image, on_event=stop, **options)
    found = at.predict(model, image, resume=True, **options)
    assert same_but_for_ids(found[...], alone)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_the_only_worker_may_die_too(model, image, tmp_path):
    from distributed import Client, LocalCluster

    alone = at.predict(model, image, output="classes", **TILE)
    killed = []
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as one:

        def kill(event):
            if isinstance(event, BlockDone) and not killed:
                with Client(one) as client:
                    killed.extend(client.run(os.getpid).values())
                os.kill(killed[0], signal.SIGKILL)

        options = {"output": "classes", "out": tmp_path / "o.zarr", "scheduler": one.scheduler_address, **TILE}
        found = at.predict(model, image, on_event=kill, **options)
    assert killed
    assert np.array_equal(found[...], alone)


@pytest.mark.parametrize("name", ["o.zarr", "o.tif"])
def test_an_interrupted_run_goes_on_without_what_is_finished(model, image, tmp_path, two, name):
    alone = at.predict(model, image, output="classes", **TILE)
    options = {"output": "classes", "out": tmp_path / name, "scheduler": two.scheduler_address, **TILE}

    def stop(event):
        if isinstance(event, BlockDone) and event.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="what is finished is kept"):
        at.predict(model, image, on_event=stop, **options)
    if name == "o.zarr":
        with pytest.raises(AnnotrainError, match="a scheduler"):
            at.predict(model, image, resume=True, **options | {"scheduler": None})
    events = []
    found = at.predict(model, image, resume=True, on_event=events.append, **options)
    assert [e.done for e in events if isinstance(e, BlockDone)] == list(range(6, 37))
    assert np.array_equal(found[...], alone)


def test_a_finished_file_is_not_taken_for_the_result_that_is_to_be_resumed(model, image, tmp_path, two):
    options = {"output": "classes", "out": tmp_path / "o.tif", "scheduler": two.scheduler_address, **TILE}
    at.predict(model, image, resume=True, **options)
    with pytest.raises(AnnotrainError, match=r"nothing of .*o\.tif to resume"):
        at.predict(model, image, resume=True, **options)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_worker_that_dies_is_replaced(model, image, tmp_path, two):
    from distributed import Client

    alone = at.predict(model, image, output="classes", **TILE)
    killed = []

    def kill(event):
        if isinstance(event, BlockDone) and not killed:
            with Client(two) as client:
                killed.append(min(client.run(os.getpid).values()))
            os.kill(killed[0], signal.SIGKILL)

    found = at.predict(
        model,
        image,
        output="classes",
        out=tmp_path / "o.zarr",
        scheduler=two.scheduler_address,
        on_event=kill,
        **TILE,
    )
    assert killed
    assert np.array_equal(found[...], alone)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "words"), [(1, "1 dask worker, 1 at once"), (3, "3 dask workers, 3 at once")])
def test_so_many_local_processes_are_started_and_ended(model, image, tmp_path, n, words):
    events, out = [], tmp_path / "o.zarr"
    found = at.predict(model, image, output="classes", out=out, scheduler=f"local:{n}", on_event=events.append, **TILE)
    assert [e.device for e in events if isinstance(e, Started)] == [words]
    assert np.array_equal(found[...], at.predict(model, image, output="classes", **TILE))


def test_a_block_that_fails_is_one_sentence_and_the_rest_is_kept(model, image, tmp_path, two):
    work = cluster.Work(model, None, None, PredictSpec(), tmp_path / "nowhere.zarr", "TYX")
    with pytest.raises(AnnotrainError, match=r"cannot write to .*nowhere\.zarr: choose a place"):
        list(cluster.run_blocks(two.scheduler_address, work, [block(0)], 1))


def block(t):
    return slice(t, t + 1), slice(0, 1), slice(0, 8), slice(0, 8)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("local:none", "names no number"),
        ("local:0", "names no number"),
        ("host:8786", "is no address"),
        ("", "is no address"),
        ("tcp://127.0.0.1:9", "No scheduler answers at tcp://127.0.0.1:9: start one"),
    ],
)
def test_a_cluster_that_is_not_there_is_one_sentence(model, image, tmp_path, monkeypatch, address, words):
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(AnnotrainError, match=words):
        at.predict(model, image, out=tmp_path / "o.zarr", scheduler=address, **TILE)
    assert not list(tmp_path.iterdir())


def test_workers_of_another_version_are_refused(model, image, tmp_path, two, monkeypatch):
    for package in ("distributed", "napari-annotrain"):
        monkeypatch.setattr(cluster, "_version", lambda name, odd=package: "99.0" if name == odd else version(name))
        with pytest.raises(AnnotrainError, match=rf"have version .* of {package} and not 99\.0: install the same"):
            at.predict(model, image, out=tmp_path / "new" / "o.zarr", scheduler=two.scheduler_address, **TILE)
        assert not list(tmp_path.iterdir())


def test_a_scheduler_that_speaks_otherwise_is_one_sentence(model, image, tmp_path, monkeypatch):
    def misunderstood(*rest, **more):
        raise TypeError("Scheduler.identity() got an unexpected keyword argument 'n_workers'")  # as an old one answers

    monkeypatch.setattr("distributed.Client", misunderstood)
    with pytest.raises(AnnotrainError, match=r"another version of dask\.distributed than .*: install the same"):
        at.predict(model, image, out=tmp_path / "new" / "o.zarr", scheduler="tcp://127.0.0.1:8786", **TILE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
def test_blocks_come_to_the_panel_as_tiles_do(model, image, tmp_path, two, output, monkeypatch):
    monkeypatch.setattr("napari_annotrain.api.clusters.user_cache_path", lambda *rest, **more: tmp_path)
    stack = open_stack(image)
    spec = PredictSpec(output=output, tile=48, device="cpu", scheduler=two.scheduler_address)
    alone = at.predict(model, image, output=output, **TILE)
    found = np.zeros(alone.shape, np.float32 if output == "probabilities" else np.int64)
    axes = "C" * (output == "probabilities") + "TYX"
    for event in api.iter_on_cluster(model, stack, spec=spec):
        if isinstance(event, TileDone):
            paste(found, axes, event.write, event.result)
    if output == "cells":
        assert same_but_for_ids(found, alone)
    else:
        assert_same(found, alone)
    assert not list(tmp_path.iterdir())

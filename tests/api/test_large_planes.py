"""Cells of planes that do not fit into memory: scores to the disk first, then windows of them."""

import numpy as np
import pytest

import napari_annotrain as at
from napari_annotrain.api import large_planes
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Computed, Separating, Started
from napari_annotrain.inference.cells import CellDecoder
from tests.conftest import train_on_discs
from tests.objects.test_plane import assert_same_cells

TILE = {"tile": 48, "device": "cpu", "output": "cells"}


@pytest.fixture(scope="module", params=["cells", "classes"])
def model(request):
    return train_on_discs(request.param)


@pytest.fixture
def whole(model, image, tmp_path):
    return np.asarray(at.predict(model, image, out=tmp_path / "whole.zarr", **TILE)[...])


@pytest.fixture
def through_disk(whole, monkeypatch):
    """Every plane counts as too large for memory."""
    monkeypatch.setattr(large_planes, "PLANE_SHARE", 0)
    monkeypatch.setattr(large_planes, "choose_window", lambda spec: 15_000)


def stop_at(n, error=KeyboardInterrupt):
    def listen(event):
        if isinstance(event, Computed) and event.done == n:
            raise error

    return listen


@pytest.mark.usefixtures("through_disk")
def test_the_cells_are_those_of_planes_in_memory(model, image, whole, tmp_path):
    events = []
    found = at.predict(model, image, out=tmp_path / "o.zarr", on_event=events.append, **TILE)
    assert_same_cells(found[...], whole)
    assert found.dtype == whole.dtype
    assert whole.max() > 3
    assert {place.name for place in tmp_path.iterdir()} == {"whole.zarr", "o.zarr"}
    (started,) = [event for event in events if isinstance(event, Started)]
    done = [event.done for event in events if isinstance(event, Computed)]
    assert done == list(range(1, started.total + 1))


@pytest.mark.usefixtures("through_disk")
def test_interrupted_it_goes_on_tile_by_tile(model, image, whole, tmp_path, computed):
    tiles = len(computed)
    for n in (5, 13):
        with pytest.raises(KeyboardInterrupt, match="what is finished is kept"):
            at.predict(model, image, out=tmp_path / "o.zarr", resume=True, on_event=stop_at(n), **TILE)
    found = at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)
    assert_same_cells(found[...], whole)
    assert tiles == 0
    assert len(computed) - len(set(computed)) <= 4  # written and in flight at every interruption


@pytest.mark.usefixtures("through_disk")
def test_interrupted_while_cells_are_told_apart_it_computes_no_tile_again(
    model, image, whole, tmp_path, computed, monkeypatch
):
    decode = CellDecoder.decode_into

    def failing(self, *given):
        decode(self, *given)
        raise AnnotrainError("The disk is full: make room.")

    monkeypatch.setattr(CellDecoder, "decode_into", failing)
    with pytest.raises(AnnotrainError, match=r"make room; what is finished is kept, and resume goes on from there\.$"):
        at.predict(model, image, out=tmp_path / "o.zarr", **TILE)
    monkeypatch.setattr(CellDecoder, "decode_into", decode)
    found = at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)
    assert_same_cells(found[...], whole)
    assert len(computed) == len(set(computed))


@pytest.mark.usefixtures("through_disk")
def test_stopped_while_cells_are_told_apart_it_ends_with_the_present_window(
    model, image, whole, tmp_path, computed, monkeypatch
):
    monkeypatch.setattr(large_planes, "SECONDS_BETWEEN", 0.0)
    reads = []

    def stop(event):
        if isinstance(event, Separating):
            reads.append(0)
            raise KeyboardInterrupt

    decode = CellDecoder.decode_into

    def watched(self, read, out, folder):
        def counted(box):
            reads[-1:] = [reads[-1] + 1] if reads else []
            return read(box)

        return decode(self, counted, out, folder)

    monkeypatch.setattr(CellDecoder, "decode_into", watched)
    with pytest.raises(KeyboardInterrupt, match="what is finished is kept"):
        at.predict(model, image, out=tmp_path / "o.zarr", on_event=stop, **TILE)
    assert reads[0] <= 3, "two windows at a time"
    found = at.predict(model, image, out=tmp_path / "o.zarr", resume=True, **TILE)
    assert_same_cells(found[...], whole)
    assert len(computed) == len(set(computed)), "no tile again"


@pytest.mark.usefixtures("through_disk")
def test_tissue_is_parted_as_the_first_run_would(model, image, tmp_path, monkeypatch):
    memory = []
    monkeypatch.setattr(large_planes, "choose_window", lambda spec: memory.append(spec.memory) or 15_000)
    with pytest.raises(KeyboardInterrupt):
        at.predict(model, image, out=tmp_path / "o.zarr", memory="1GB", on_event=stop_at(5), **TILE)
    events = []
    at.predict(model, image, out=tmp_path / "o.zarr", memory="2GB", resume=True, on_event=events.append, **TILE)
    assert memory == [1_000_000_000] * 2
    assert sum(isinstance(event, Started) for event in events) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("through_disk")
def test_workers_of_a_cluster_share_a_plane(model, image, whole, tmp_path):
    found = at.predict(model, image, out=tmp_path / "o.zarr", scheduler="local:2", **TILE)
    assert_same_cells(found[...], whole)

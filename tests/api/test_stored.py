"""A result too large for the memory: found by what it is made of, and gone on with from there."""

from contextlib import closing

import numpy as np
import pytest
import zarr

from napari_annotrain import api
from napari_annotrain.data.filling import place_of
from napari_annotrain.data.record import Finished, piece_of
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import BlockDone, Completing, Done, TileDone
from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.net.model import Model
from napari_annotrain.specs import CellsSpec, PredictSpec
from tests.conftest import draw_discs
from tests.inference.test_segment import threshold_model

SPEC = PredictSpec(tile=48, device="cpu")
OUTPUTS = ["classes", "cells", "probabilities"]


@pytest.fixture
def stack():
    """Three planes of discs; each of them makes nine tiles."""
    return Stack.of(np.stack([draw_discs((100, 120), seed=s)[0] for s in range(3)]), "ZYX", name="a: b/c")


def run(model, stack, spec, folder, n_pieces=None):
    """Predict, and close the generator after so many pieces; the events."""
    stored = api.find_stored(model, stack, spec, folder)
    seen = []
    with closing(api.iter_stream(model, stack, spec, stored.path, resume=True, overwrite=True)) as events:
        for event in events:
            seen.append(event)
            if len([e for e in seen if isinstance(e, TileDone | BlockDone)]) == n_pieces:
                break
    return seen


def result(stored):
    return zarr.open_array(stored.path, path="0", mode="r")[...]


@pytest.mark.parametrize("output", OUTPUTS)
def test_what_is_left_is_found_by_its_name_and_gone_on_with(stack, tmp_path, computed, output):
    model, spec = threshold_model(), SPEC.model_copy(update={"output": output})
    run(model, stack, spec, tmp_path, n_pieces=2)
    left = api.find_stored(model, stack, spec, tmp_path)
    assert left.begun
    assert not left.complete
    n_left = len(left.finished.pieces)
    assert 2 <= n_left <= 3, "what was computed meanwhile is kept too"
    first = set(computed)
    computed.clear()
    seen = run(model, stack, spec, tmp_path)
    assert isinstance(seen[-1], Done)
    assert isinstance(seen[-2], Completing)
    assert len(computed) == 27 - n_left * (9 if output == "cells" else 1), "no finished tile again"
    assert len(first | set(computed)) == 27
    whole = api.predict(model, stack.array, axes="ZYX", output=output, tile=48, device="cpu")
    assert np.array_equal(result(api.find_stored(model, stack, spec, tmp_path)).reshape(whole.shape), whole)


def test_a_piece_is_on_the_disk_before_its_event(stack, tmp_path):
    model = threshold_model()
    stored = api.find_stored(model, stack, SPEC, tmp_path)
    with closing(api.iter_stream(model, stack, SPEC, stored.path, resume=True, overwrite=True)) as events:
        piece = next(event for event in events if isinstance(event, TileDone))
        (store,) = place_of(stored.path).glob("store-*")
        _, z, y, x = piece.write
        assert np.array_equal(zarr.open_array(store, path="0", mode="r")[z, y, x], piece.result[0])


def test_a_complete_result_is_not_computed_again_and_knows_its_ids(stack, tmp_path, computed):
    model, spec = threshold_model(), SPEC.model_copy(update={"output": "cells"})
    run(model, stack, spec, tmp_path)
    computed.clear()
    assert [type(event) for event in run(model, stack, spec, tmp_path)] == [Done]
    assert not computed
    stored = api.find_stored(model, stack, spec, tmp_path)
    assert stored.complete
    assert stored.finished.last_id == result(stored).max() == 6
    assert [p.name for p in tmp_path.iterdir()] == [stored.path.name]


def test_a_damaged_result_is_made_anew(stack, tmp_path):
    model = threshold_model()
    run(model, stack, SPEC, tmp_path)
    stored = api.find_stored(model, stack, SPEC, tmp_path)
    whole = result(stored)
    (stored.path / "zarr.json").write_text("{ torn")
    assert not api.find_stored(model, stack, SPEC, tmp_path).complete
    run(model, stack, SPEC, tmp_path)
    assert np.array_equal(result(stored), whole)


def test_another_prediction_has_another_name(stack, tmp_path):
    model = threshold_model()
    other = Model(model.card, {k: 1.5 * v for k, v in model.weights.items()})
    brighter = Stack.of(stack.array + 1, "ZYX", name=stack.name)
    turned = Stack.of(np.stack([stack.array[0], stack.array[1, ::-1], stack.array[2]]), "ZYX", name=stack.name)
    cells = SPEC.model_copy(update={"output": "cells"})
    larger = cells.model_copy(update={"cells": CellsSpec(min_size_px=500)})
    asked = [(model, stack, SPEC), (other, stack, SPEC), (model, brighter, SPEC), (model, turned, SPEC)]
    names = [
        api.find_stored(*one, tmp_path).path.name for one in [*asked, (model, stack, cells), (model, stack, larger)]
    ]
    assert len(set(names)) == len(names)
    assert all(name.startswith("a-b-c-") for name in names), names
    other_tiles = SPEC.model_copy(update={"tile": 96, "memory": 10**9})
    assert api.find_stored(model, stack, other_tiles, tmp_path).path.name == names[0], "the result is the same"


def test_where_nothing_is_finished_nothing_is_left_behind(stack, tmp_path, monkeypatch):
    def fail(*rest):
        raise AnnotrainError("The file has vanished: put it back.")

    monkeypatch.setattr(Predictor, "compute", fail)
    with pytest.raises(AnnotrainError, match="vanished"):
        run(threshold_model(), stack, SPEC, tmp_path)
    assert not list(tmp_path.iterdir())


def test_ids_have_room_on_the_disk(stack):
    model = threshold_model()
    types = {o: api.type_stored(model, stack, SPEC.model_copy(update={"output": o})) for o in OUTPUTS}
    assert types == {"classes": np.uint8, "cells": np.uint32, "probabilities": np.float32}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_workers_of_a_cluster_go_on_too(stack, tmp_path):
    pytest.importorskip("distributed")
    model, spec = threshold_model(), SPEC.model_copy(update={"scheduler": "local:1"})
    run(model, stack, spec, tmp_path, n_pieces=1)
    n_left = len(api.find_stored(model, stack, spec, tmp_path).finished.pieces)
    assert n_left >= 1
    seen = run(model, stack, spec, tmp_path)
    assert len([e for e in seen if isinstance(e, BlockDone)]) == 3 - n_left
    whole = api.predict(model, stack.array, axes="ZYX", tile=48, device="cpu")
    assert np.array_equal(result(api.find_stored(model, stack, spec, tmp_path)), whole)
    blocks = [e.block for e in seen if isinstance(e, BlockDone)][:1]
    finished = Finished(frozenset(map(piece_of, blocks)))
    rest = [e.write for e in api.iter_on_cluster(model, stack, spec=spec, finished=finished) if isinstance(e, TileDone)]
    assert len(rest) == 2
    assert blocks[0] not in rest

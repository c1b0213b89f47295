"""What an interrupted run has finished counts for the same prediction only, and as long as nothing else is written."""

import numpy as np
import pytest

from napari_annotrain._napari.predict.reached import Asked, Reached
from napari_annotrain.specs import CellsSpec, PredictSpec

IMAGE, MODEL = np.zeros((4, 8, 8)), object()


def asked(**changed):
    known = {"model": MODEL, "array": IMAGE, "axes": "ZYX", "pixel_um": {"Y": 1.0}, "region": None}
    return Asked(**{**known, "spec": PredictSpec(), **changed})


def plane(z):
    return slice(0, 1), slice(z, z + 1), slice(0, 8), slice(0, 8)


@pytest.fixture
def reached():
    made = Reached()
    made.add(asked(), plane(0), last_id=7)
    made.add(asked(), plane(2), last_id=9)
    return made


def test_the_same_prediction_finds_it(reached):
    finished = reached.finished(asked(spec=PredictSpec(memory=10**9, tile=512)))
    assert {piece[2] for piece in finished.pieces} == {0, 2}
    assert finished.last_id == 9
    assert reached.n_cells(asked()) == 9


@pytest.mark.parametrize(
    "changed",
    [
        {"model": object()},
        {"array": np.zeros((4, 8, 8))},
        {"axes": "TYX"},
        {"pixel_um": {"Y": 2.0}},
        {"region": plane(0)},
        {"spec": PredictSpec(output="cells")},
        {"spec": PredictSpec(cells=CellsSpec(min_size_px=3))},
        {"spec": PredictSpec(scheduler="local:2")},
    ],
)
def test_another_one_does_not(reached, changed):
    assert not reached.finished(asked(**changed)).pieces


def test_what_is_written_over_counts_no_more(reached):
    reached.overwrite((slice(0, 1), slice(2, 3), slice(3, 4), slice(0, 2)))
    assert {piece[2] for piece in reached.finished(asked()).pieces} == {0}
    reached.add(asked(region=plane(0)), plane(0))
    assert not reached.finished(asked()).pieces
    assert reached.n_cells(asked()) == 0


def test_a_complete_one_is_forgotten(reached):
    reached.forget(asked())
    assert not reached.finished(asked()).pieces

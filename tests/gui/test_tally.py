import numpy as np
import pytest
from napari.layers import Labels

from napari_annotrain._napari.annotate import tally as tallying
from napari_annotrain._napari.annotate.tally import Tally


@pytest.fixture(params=[np.uint8, np.uint16, np.int32, np.int64])
def layer(request, monkeypatch):
    monkeypatch.setattr(tallying, "PART_PIXELS", 64)  # several parts a plane,
    monkeypatch.setattr(tallying, "PART_COLUMNS", 13)  # beside each other too, the last one narrower
    return Labels(np.zeros((20, 32, 32), request.param))


def truth(layer):
    values, counts = np.unique(layer.data[layer.data != 0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def test_what_is_there_and_what_is_painted_is_counted(qtbot, layer):
    layer.data[3:5, 10:20] = 1
    tally = Tally(layer)
    qtbot.waitUntil(lambda: tally.counts() == truth(layer))
    layer.paint((7, 16, 16), 2)
    layer.data_setitem((np.array([0, 19]), np.array([0, 31]), np.array([5, 6])), 3)
    qtbot.waitUntil(lambda: tally.counts() == truth(layer))
    assert set(tally.counts()) == {1, 2, 3}
    layer.undo()
    layer.undo()
    qtbot.waitUntil(lambda: tally.counts() == {1: 640})
    tally.close()
    layer.paint((7, 16, 16), 2)
    assert tally.counts() == {1: 640}


def test_a_layer_known_to_be_empty_is_not_looked_through(qtbot, layer):
    tally = Tally(layer, empty=True)
    assert not tally._due
    layer.paint((7, 16, 16), 2)
    assert 0 < len(tally._due) < 20
    assert tally.count_now() == truth(layer)


def test_other_data_is_counted_anew(qtbot, layer):
    tally = Tally(layer)
    layer.data = np.full((2, 8, 8), 4, np.uint16)
    qtbot.waitUntil(lambda: tally.counts() == {4: 128})


def test_the_painted_planes_are_known_even_before_they_are_counted(layer):
    tally = Tally(layer, empty=True)
    layer.paint((7, 16, 16), 2)
    assert tally.planes() == {(7,)}
    tally.count_now()
    assert tally.planes() == {(7,)}


def test_what_redo_brings_back_is_counted_also_in_a_tall_stack(qtbot, layer):
    tally = Tally(layer, empty=True)
    layer.paint((7, 16, 16), 2)
    painted = tally.count_now()
    layer.undo()
    assert tally.count_now() == {}
    assert tally.planes() == {(7,)}  # redo may fill it again
    layer.redo()
    assert tally.planes() == {(7,)}
    assert tally.count_now() == truth(layer) == painted


def test_planes_found_painted_are_remembered(layer):
    layer.data[3, 5, 5] = 1
    tally = Tally(layer)
    tally.count_now()
    assert tally.planes() == {(3,)}


def test_a_stroke_on_a_wide_plane_makes_only_its_own_columns_due(monkeypatch):
    monkeypatch.setattr(tallying, "PART_PIXELS", 64)
    monkeypatch.setattr(tallying, "PART_COLUMNS", 16)
    wide = Labels(np.zeros((8, 1000), np.uint16))
    tally = Tally(wide, empty=True)
    wide.data_setitem((np.array([2, 3]), np.array([40, 70])), 5)
    assert {part[-1] for part in tally._due} == {2, 3, 4}, "columns 32 to 79"
    assert tally.count_now() == {5: 2}


def test_while_somebody_paints_the_rest_is_counted_part_by_part(qtbot, monkeypatch):
    monkeypatch.setattr(tallying, "PART_PIXELS", 64)
    layer = Labels(np.zeros((64, 64), np.uint16))
    layer.data[60, 60] = 3  # before anybody looked
    tally = Tally(layer)
    layer.paint((8, 8), 2)
    for value in (4, 5, 2):
        layer.paint((8, 8), value)  # goes on
        rest = len(tally._due - tally._touched)
        tally._step()  # what was painted
        assert len(tally._due - tally._touched) == rest
        tally._step()
        assert len(tally._due - tally._touched) == rest - 1
    assert tally.counts()[2] > 0
    qtbot.waitUntil(lambda: tally.counts() == truth(layer))

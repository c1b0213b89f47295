import pytest

from napari_annotrain.specs import TrainSpec
from napari_annotrain.training.pace import CYCLE_RISE, CYCLE_START, LAST, Pace, doubts_about


def rates(schedule, n=100):
    spec = TrainSpec(schedule=schedule, learning_rate=0.5, steps=n)
    return [Pace().rate(spec, step, step / n) for step in range(n)]


def test_a_constant_rate_rises_over_ten_steps_and_stays():
    found = rates("constant")
    assert found[:2] == [0.5 * 0.1, 0.5 * 0.2]
    assert set(found[9:]) == {0.5}


def test_a_cosine_falls_from_the_rate_to_nearly_nothing():
    found = rates("cosine")
    assert found[10:] == sorted(found[10:], reverse=True)
    assert found[50] == pytest.approx(0.25, rel=0.01)
    assert found[-1] < 0.005
    spec = TrainSpec(schedule="cosine", learning_rate=0.5)
    assert Pace().rate(spec, 100, 1.0) == pytest.approx(0.5 * LAST)
    assert Pace().rate(spec, 100, 7.0) == pytest.approx(0.5 * LAST)


def test_one_cycle_rises_then_falls():
    found = rates("one-cycle")
    top = round(CYCLE_RISE * 100)
    assert found[0] == pytest.approx(0.5 * CYCLE_START)
    assert found[top] == pytest.approx(0.5)
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert found[-1] < 0.005


def test_a_plateau_halves_the_rate_each_time_the_score_has_stayed():
    spec = TrainSpec(schedule="plateau", learning_rate=0.5, patience=2)
    pace, seen = Pace(), []
    for score in (0.3, 0.5, 0.5, 0.4, 0.5, 0.6, 0.1, 0.1, 0.1):
        pace = pace.after(spec, score)
        seen.append(pace.rate(spec, 100, None))
    assert seen == [0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.125, 0.125]
    assert pace.afresh().after(spec, 0.01).rate(spec, 100, None) == 0.125, "a lower score of other pixels is no fall"


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_without_an_end_the_rate_stays_and_that_is_said(schedule):
    spec = TrainSpec(schedule=schedule, learning_rate=0.5)
    assert Pace().rate(spec, 1000, None) == 0.5
    assert "needs an end" in next(doubts_about(spec, endless=True, validates=True))
    assert not list(doubts_about(spec, endless=False, validates=False))


def test_a_plateau_without_validation_says_so():
    spec = TrainSpec(schedule="plateau")
    assert "validation" in next(doubts_about(spec, endless=False, validates=False))
    assert not list(doubts_about(spec, endless=True, validates=True))

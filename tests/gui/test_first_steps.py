"""The card with the first steps: ticks as one goes, and away for good."""

import numpy as np
import pytest

from napari_annotrain._napari.controller import controller_of
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import Facts
from napari_annotrain.session.first_steps import are_first_steps_wanted, first_steps, put_first_steps_away


@pytest.fixture
def lab(person, fake):
    made = person()
    made.viewer.add_image(np.zeros((24, 40), np.uint8), name="cells")
    return made.open_panel()


def card(lab):
    return lab.find("first_steps_card")


@pytest.mark.gui
def test_it_ticks_what_is_done_and_goes_with_the_first_model(lab):
    assert not card(lab).isHidden()
    assert card(lab).done() == [False, False, False]
    lab.click("new_annotation_button")
    layer = lab.controller.annotation
    layer.data_setitem((np.array([3]), np.array([3])), 2)
    lab.wait(lambda: card(lab).done() == [True, False, False])
    layer.data_setitem((np.array([9]), np.array([3])), 1)
    lab.wait(lambda: card(lab).done() == [True, True, False])
    assert are_first_steps_wanted()
    lab.train()
    assert card(lab).isHidden()
    assert not are_first_steps_wanted()


@pytest.mark.gui
def test_closed_it_does_not_come_back(lab, person):
    lab.click("close_first_steps_button")
    assert card(lab).isHidden()
    controller_of(lab.viewer).refresh()
    assert card(lab).isHidden()
    assert card(person().open_panel()).isHidden()


def test_what_counts_as_done():
    assert first_steps(Facts()) == (False, False, False)
    assert first_steps(Facts(painted={2: 5}, regions=1)) == (True, True, False)
    assert first_steps(Facts(painted={1: 5, 2: 0}, trained=True)) == (False, True, True)


def test_it_is_remembered_whatever_is_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setenv("ANNOTRAIN_SETTINGS", str(tmp_path / "new"))
    assert are_first_steps_wanted()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "panel.json").write_text("spoilt")
    assert are_first_steps_wanted()
    put_first_steps_away()
    assert not are_first_steps_wanted()
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANNOTRAIN_SETTINGS", str(tmp_path / "file"))
    with pytest.raises(AnnotrainError, match=r"panel\.json"):
        put_first_steps_away()

"""A stack is predicted from where somebody looks, and follows them."""

import numpy as np
import pytest
from tests.inference.test_segment import threshold_model

from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.session import Trained
from napari_annotrain.specs import PredictSpec

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]


@pytest.fixture
def lab(person):
    made = person()
    made.viewer.add_image(np.random.default_rng(0).normal(400, 50, (8, 70, 60)).astype(np.float32), name="stack")
    made.open_panel()
    made.controller.models.use(Trained("a model", threshold_model()))
    made.controller.predict.set_spec(PredictSpec(tile=32, device="cpu"))
    return made


def test_the_shown_plane_comes_first_then_its_neighbours(lab, monkeypatch):
    seen, compute = [], Predictor.compute

    def watched(self, patch, decoding):
        seen.append(patch.z)
        return compute(self, patch, decoding)

    monkeypatch.setattr(Predictor, "compute", watched)
    lab.viewer.dims.set_current_step(0, 5)
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.enabled("predict_stack_button") and not lab.controller.lane.busy)
    order = list(dict.fromkeys(seen))
    assert order[0] == 5
    assert set(order[1:3]) == {4, 6}
    assert sorted(order) == list(range(8))


def test_after_the_run_the_view_is_followed_no_longer(lab):
    lab.click("predict_stack_button")
    (focus,) = (piece.focus for piece in lab.controller.predict._order.pieces)
    lab.wait(lambda: lab.enabled("predict_stack_button") and not lab.controller.lane.busy)
    before = focus()
    lab.viewer.dims.set_current_step(0, 7)
    lab.qtbot.wait(400)
    assert focus() == before

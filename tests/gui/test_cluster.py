"""A cluster is named in the panel: stacks go there, what is in view is computed here."""

import numpy as np
import pytest

pytestmark = pytest.mark.gui


@pytest.fixture
def lab(person, fake):
    made = person()
    made.viewer.add_image(np.zeros((3, 32, 40), np.uint8), name="stack")
    made.open_panel()
    made.annotate()
    made.train()
    return made


def test_stacks_go_to_the_cluster_that_is_named(lab, fake):
    form = lab.panel.predict.more.form
    form._fields["scheduler"]._entry.value = "tcp://node1:8786"
    assert lab.controller.session.predict.scheduler == "tcp://node1:8786"
    lab.click("predict_stack_button")
    lab.idle()
    (call,) = [call for call in fake.calls if call[0] == "cluster"]
    assert call[2]["spec"].scheduler == "tcp://node1:8786"
    assert lab.viewer.layers["stack prediction"].data.any()
    lab.click("predict_slice_button")
    lab.idle()
    assert len([call for call in fake.calls if call[0] == "cluster"]) == 1


def test_without_one_everything_is_computed_here(lab, fake):
    lab.click("predict_stack_button")
    lab.idle()
    assert not [call for call in fake.calls if call[0] == "cluster"]

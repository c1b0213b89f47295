import numpy as np
import pytest
import torch

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Checkpoint
from napari_annotrain.training.trainer import fit
from tests.conftest import draw_discs


@pytest.fixture
def dataset(dense_image, tiny_spec):
    return build_dataset([dense_image], "classes", tiny_spec)


def trained(dataset, net, spec, **how):
    return [event for event in fit(dataset, net, spec, **how) if isinstance(event, Checkpoint)][-1]


def changed(before, after):
    """Names of the network's parts of which anything, batch statistics included, is another."""
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize(
    ("freeze", "learns"),
    [
        ("none", {"down", "bottom", "up", "merge", "head"}),
        ("encoder", {"up", "merge", "head"}),
        ("all but the last layer", {"head"}),
    ],
)
def test_only_what_is_not_kept_learns(dataset, tiny_net, tiny_spec, freeze, learns, optimiser):
    base = trained(dataset, tiny_net, tiny_spec).model
    spec = tiny_spec.model_copy(update={"freeze": freeze, "optimiser": optimiser, "learning_rate": 1e-2})
    last = trained(dataset, tiny_net, spec, start=base)
    assert changed(base, last.state.weights) == learns
    assert changed(base, last.model) == learns


def test_a_resumed_training_keeps_the_same_parts(dataset, tiny_net, tiny_spec):
    base = trained(dataset, tiny_net, tiny_spec).model
    spec = tiny_spec.model_copy(update={"freeze": "encoder", "steps": 6})
    whole = trained(dataset, tiny_net, spec, start=base)
    part = trained(dataset, tiny_net, spec.model_copy(update={"steps": 3}), start=base)
    resumed = trained(dataset, tiny_net, spec, state=type(part.state).from_tensors(part.state.tensors()))
    assert changed(whole.state.weights, resumed.state.weights) == set()


def test_a_base_for_other_channels_and_classes_can_be_frozen(dataset, tiny_net, tiny_spec):
    base = trained(dataset, tiny_net, tiny_spec).model
    image, labels = draw_discs()
    rgb = AnnotatedImage(Stack.of(np.stack([image] * 3), "CYX"), Stack.of((labels > 0).astype(np.uint8)), dense=True)
    net = tiny_net.model_copy(update={"channels": 3})
    spec = tiny_spec.model_copy(update={"freeze": "encoder"})
    last = trained(build_dataset([rgb], "classes", spec), net, spec, start=base).model
    assert torch.equal(last["bottom.0.weight"], base["bottom.0.weight"])
    assert torch.allclose(last["down.0.0.weight"].sum(1), base["down.0.0.weight"].sum(1), atol=1e-6)


def test_weights_that_did_not_fit_learn_although_their_part_is_kept(dataset, tiny_net, tiny_spec):
    net = tiny_net.model_copy(update={"block": "residual"})
    base = trained(dataset, net, tiny_spec).model
    base = {name: torch.cat([w, w], 1) if w.ndim == 4 and w.shape[1] == 1 else w for name, w in base.items()}
    spec = tiny_spec.model_copy(update={"freeze": "encoder", "learning_rate": 1e-2})
    last, before = trained(dataset, net, spec, start=base).state.weights, trained(dataset, net, tiny_spec).model
    kept = {name for name in base if name.startswith(("down.", "bottom.")) and torch.equal(base[name], last[name])}
    assert "down.0.shortcut.0.weight" in before
    assert "down.0.shortcut.0.weight" not in kept
    assert any(name.startswith("down.1.") and name.endswith("weight") for name in kept)

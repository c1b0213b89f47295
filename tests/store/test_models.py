import os

import pytest
import torch

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, TrainSpec
from napari_annotrain.store.models import load_model, save_model
from napari_annotrain.store.states import load_state, save_state, state_path
from napari_annotrain.training.state import TrainingState

NET = NetSpec(width=2, depth=1)


@pytest.fixture
def model():
    card = Card(net=NET, classes=(0, 1), class_names={0: "background", 1: "cell"}, provenance={"steps": 3})
    return Model(card, UNet(NET).state_dict())


def test_what_is_saved_is_loaded(model, tmp_path):
    path = save_model(model, tmp_path / "new folder" / "a.safetensors")
    loaded = load_model(path)
    assert loaded.card == model.card
    assert all(torch.equal(loaded.weights[k], v) for k, v in model.weights.items())
    assert [p.name for p in path.parent.iterdir()] == ["a.safetensors"], "nothing else is left behind"


def test_half_precision_weights_load_as_float32(model, tmp_path):
    half = Model(model.card, {k: v.half() if v.is_floating_point() else v for k, v in model.weights.items()})
    assert load_model(save_model(half, tmp_path / "a.safetensors")).weights["head.weight"].dtype == torch.float32


def test_a_failed_write_keeps_the_old_model_and_leaves_nothing(model, tmp_path, monkeypatch):
    path = save_model(model, tmp_path / "a.safetensors")
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AnnotrainError, match="No space left on device"):
        save_model(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_below_a_file_is_refused(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnnotrainError, match="cannot be written"):
        save_model(model, tmp_path / "file" / "a.safetensors")


@pytest.mark.parametrize("with_best", [False, True])
def test_training_states_survive_a_file(model, tmp_path, with_best):
    def copy():
        return {name: tensor.clone() for name, tensor in model.weights.items()}

    highest = torch.ones(3, 2, 2) if with_best else None
    momenta = {"head.weight": {"step": torch.tensor(3.0), "exp_avg": torch.ones(2, 2, 1, 1)}}
    state = TrainingState(3, 1.25, copy(), copy(), momenta, copy() if with_best else None, 0.5, highest)
    out = tmp_path / "m.safetensors"
    assert load_state(out) is None
    save_state(state.tensors(), model.card, TrainSpec(seed=4), out)
    tensors, card, spec = load_state(out)
    loaded = TrainingState.from_tensors(tensors)
    assert state_path(out).name == "m.training.safetensors"
    assert (loaded.step, loaded.seconds, loaded.best_score) == (3, 1.25, 0.5)
    assert (card, spec) == (model.card, TrainSpec(seed=4))
    assert (loaded.best is not None) is with_best
    assert loaded.highest is None if highest is None else torch.equal(loaded.highest, highest)
    assert torch.equal(loaded.optimiser["head.weight"]["exp_avg"], momenta["head.weight"]["exp_avg"])


def test_what_a_network_said_before_survives_a_file_or_the_state_is_refused(model, tmp_path):
    weights, average, before = ({name: t.clone() for name, t in model.weights.items()} for _ in range(3))
    state = TrainingState(3, 1.25, weights, average, {}, past=before, past_since=2, n_annotated=(7, 9))
    out = tmp_path / "m.safetensors"
    save_state(state.tensors(), model.card, TrainSpec(), out)
    loaded = TrainingState.from_tensors(load_state(out)[0])
    assert (loaded.past_since, loaded.n_annotated) == (2, (7, 9))
    assert all(torch.equal(loaded.past[name], tensor) for name, tensor in model.weights.items())
    incomplete = {name: tensor for name, tensor in state.tensors().items() if name != "past/head.weight"}
    save_state(incomplete, model.card, TrainSpec(), out)
    with pytest.raises(AnnotrainError, match="not a training state"):
        load_state(out)


def test_a_file_that_is_no_training_state_is_refused(model, tmp_path):
    save_model(model, state_path(tmp_path / "m.safetensors"))
    with pytest.raises(AnnotrainError, match="not a training state"):
        load_state(tmp_path / "m.safetensors")

"""Training settings, learning rate, sizes and views through Python and the command line."""

import numpy as np
import pytest
import tifffile
import zarr

import napari_annotrain as at
from napari_annotrain import cli
from napari_annotrain.api import tuning
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Note
from napari_annotrain.specs import LossSpec
from napari_annotrain.store.states import load_state
from napari_annotrain.training.rates import iter_rates
from tests.conftest import draw_discs, train_on_discs
from tests.inference.test_predictor import NETS, random_model

FEW = {"steps": 2, "device": "cpu", "dense": True}
SMALL = {"patch": 32, "batch": 2}


@pytest.fixture(scope="module")
def models():
    """What has learnt discs, and a small network that has learnt nothing."""
    found = {target: train_on_discs(target) for target in ("classes", "cells")}
    return found | {"small": random_model(NETS["padded"], "cells")}


@pytest.fixture
def pair():
    image, labels = draw_discs()
    return image, (labels > 0).astype(np.uint8)


@pytest.fixture
def files(tmp_path, pair, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, array in zip(("image", "labels"), pair, strict=True):
        tifffile.imwrite(f"{name}.tif", array)
    return tmp_path


def settings_of(model):
    return model.card.provenance["settings"]


def test_settings_are_taken_over_and_told_in_the_card(pair):
    loss = {"cross_entropy": 0.5, "dice": 1}
    model = at.train(*pair, settings={**SMALL, "schedule": "cosine", "loss": loss}, **FEW)
    found = settings_of(model)
    assert (found["schedule"], found["patch"], found["batch"]) == ("cosine", 32, 2)
    assert found["loss"] == LossSpec(cross_entropy=0.5, dice=1).model_dump()
    same = at.train(*pair, settings={**SMALL, "schedule": "cosine", "loss": LossSpec(**loss)}, **FEW)
    assert settings_of(same) == found


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": "zigzag"}, "schedule cannot be 'zigzag'"),
        ({"learning_rate": 7}, "learning_rate cannot be 7"),
        ({"loss": {"cross_entropy": 0}}, "Give at least one term of the loss a share"),
        ({"lossy": 1}, "no training setting 'lossy'"),
        ({"freeze": "encoder"}, "choose a model to start from"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_sentence(pair, settings, words):
    with pytest.raises(AnnotrainError, match=words):
        at.train(*pair, settings=settings, **FEW)


def test_a_frozen_contracting_path_is_that_of_the_base(models, pair):
    base = models["classes"]
    model = at.train(*pair, base=base, settings={**SMALL, "freeze": "encoder"}, **FEW)
    same = {name: bool((model.weights[name] == base.weights[name]).all()) for name in base.weights}
    assert all(same[name] for name in same if name.startswith(("down", "bottom")))
    assert not all(same.values())


def test_the_learning_rate_is_found_told_and_kept_when_training_is_resumed(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "iter_rates", lambda *plan: iter_rates(*plan[:-1], 9))
    notes, out = [], tmp_path / "m.safetensors"
    settings = {**SMALL, "learning_rate": "auto"}
    model = at.train(*pair, out=out, settings=settings, on_event=notes.append, **FEW)
    curve = at.find_learning_rate(*pair, dense=True, device="cpu", settings=SMALL)
    assert settings_of(model)["learning_rate"] == curve.rate
    assert any(isinstance(e, Note) and str(curve) in e.text for e in notes)
    at.train(*pair, out=out, resume=True, settings=settings, **{**FEW, "steps": 3})
    with pytest.raises(AnnotrainError, match="goes on with the optimiser adamw"):
        at.train(*pair, out=out, resume=True, settings={"optimiser": "sgd"}, **{**FEW, "steps": 4})
    assert load_state(out)[2].learning_rate == curve.rate


def test_sizes_are_measured(pair):
    found = at.measure_batches(*pair, dense=True, device="cpu", patches=(32,), batches=(1, 2))
    assert [cost.batch for cost in found.costs] == [1, 2]
    assert found.proposed in found.costs
    with pytest.raises(AnnotrainError, match="patch cannot be 3"):
        at.measure_batches(*pair, dense=True, device="cpu", patches=(3,))
    with pytest.raises(AnnotrainError, match="at least 2"):
        at.find_learning_rate(*pair, dense=True, device="cpu", steps=1)


def test_the_command_line_knows_it_all(files, models, capsys):
    at.save_model(models["classes"], "base.safetensors")
    few = ["--dense", "--steps", "2", "--device", "cpu", "--patch", "32", "--batch", "2"]
    how = [
        "--schedule",
        "one-cycle",
        "--dice",
        "1",
        "--gamma",
        "3",
        "--freeze",
        "encoder",
        "--base",
        "base.safetensors",
    ]
    assert cli.run(["train", "image.tif", "labels.tif", "-o", "m.safetensors", *few, *how]) == 0
    found = settings_of(at.load_model("m.safetensors"))
    assert (found["schedule"], found["freeze"]) == ("one-cycle", "encoder")
    assert (found["loss"]["dice"], found["loss"]["cross_entropy"], found["loss"]["gamma"]) == (1, 1, 3)
    capsys.readouterr()
    small = ["--dense", "--device", "cpu", "--patch", "32", "--batch", "2"]
    assert cli.run(["tune", "image.tif", "labels.tif", *small, "--steps", "9"]) == 0
    rate = float(capsys.readouterr().out.split()[1])
    how = {"dense": True, "device": "cpu", "settings": SMALL}
    assert rate == at.find_learning_rate("image.tif", "labels.tif", steps=9, **how).rate
    assert cli.run(["train", "image.tif", "labels.tif", "-o", "n.safetensors", *few, "--learning-rate", "fast"]) == 2
    assert cli.run(["train", "image.tif", "labels.tif", "-o", "n.safetensors", *few, "--cross-entropy", "0"]) == 2
    assert capsys.readouterr().err.strip().endswith("Give at least one term of the loss a share above 0.")
    assert not (files / "n.safetensors").exists()


@pytest.mark.parametrize("target", ["classes", "cells"])
def test_turned_views_reach_the_labels_and_the_file(models, target, tmp_path):
    image, labels = draw_discs((64, 96), seed=1, discs=[(30, 30, 14), (30, 70, 12)])
    how = {"device": "cpu", "precision": "float32", "augment": "flips"}
    probabilities = at.predict(models[target], image, output="probabilities", **how)
    assert probabilities.shape == (2, 64, 96), "of cells that of being inside, and the distances"
    turned = at.predict(models[target], image[::-1].copy(), output="probabilities", **how)
    assert np.abs(probabilities[:, ::-1] - turned).max() <= 1e-5
    out = np.asarray(at.predict(models[target], image, out=tmp_path / "o.ome.zarr", tile=48, **how))
    if target == "classes":
        assert np.array_equal(out, probabilities.argmax(0))
    else:
        assert at.evaluate(out, labels, kind="cells")["mean"]["ap50"] > 0.5


@pytest.mark.parametrize("how", ["entropy", "augmentation"])
def test_uncertainty_is_an_image_in_numpy_tiff_and_ome_zarr(models, how, tmp_path):
    stack = np.stack([draw_discs((270, 70), seed=s)[0] for s in range(2)])
    given = {"uncertainty": how, "device": "cpu", "precision": "float32"}
    found = at.predict(models["small"], stack, **given)
    assert (found.shape, found.dtype) == (stack.shape, np.float32)
    assert 0 <= found.min() < found.max() <= 1
    at.predict(models["small"], stack, out=tmp_path / "u.tif", tile=64, **given)
    assert np.abs(tifffile.imread(tmp_path / "u.tif") - found).max() <= 1e-5
    at.predict(models["small"], stack, out=tmp_path / "u.ome.zarr", tile=64, **given)
    group = zarr.open_group(tmp_path / "u.ome.zarr", mode="r")
    assert np.abs(group["0"][...] - found).max() <= 1e-5
    assert np.abs(group["1"][0, 0, 0] - found[0, :2, :2].mean()) <= 1e-5, "smaller levels are means"
    same = at.predict(models["small"], stack, output="uncertainty", **given)
    assert np.array_equal(same, found)


def test_another_uncertainty_is_another_run(models, tmp_path):
    image, _ = draw_discs()
    out = tmp_path / "u.ome.zarr"
    at.predict(models["small"], image, out=out, uncertainty="entropy", device="cpu")
    at.predict(models["small"], image, out=out, uncertainty="entropy", device="cpu", resume=True)
    with pytest.raises(AnnotrainError, match="turned views or another uncertainty"):
        at.predict(models["small"], image, out=out, uncertainty="augmentation", device="cpu", resume=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uncertainty": "dropout"}, "no dropout"),
        ({"uncertainty": "luck"}, "'luck' is no uncertainty"),
        ({"augment": "mirrors"}, "'mirrors' is no augmentation"),
        ({"uncertainty": "entropy", "output": "cells"}, "in place of cells"),
        ({"uncertainty": "dropout", "samples": 1}, "2 to 200"),
    ],
)
def test_what_cannot_be_predicted_is_refused_in_a_sentence(models, options, words, tmp_path):
    with pytest.raises(AnnotrainError, match=words):
        at.predict(models["classes"], draw_discs()[0], out=tmp_path / "o.ome.zarr", device="cpu", **options)
    assert not list(tmp_path.iterdir())


def test_views_and_uncertainty_on_the_command_line(files, models):
    at.save_model(models["classes"], "m.safetensors")
    assert cli.run(["predict", "m.safetensors", "image.tif", "-o", "u.tif", "--uncertainty", "augmentation"]) == 0
    assert tifffile.imread("u.tif").dtype == np.float32
    assert cli.run(["predict", "m.safetensors", "image.tif", "-o", "c.tif", "--augment", "flips"]) == 0
    assert tifffile.imread("c.tif").dtype == np.uint8
    assert cli.run(["predict", "m.safetensors", "image.tif", "-o", "d.tif", "--uncertainty", "dropout"]) == 2

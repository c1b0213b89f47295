"""Models whose result is an image: trained, predicted and scored through Python and the command line."""

import json

import numpy as np
import pytest
import tifffile
import torch
import zarr

import napari_annotrain as at
from napari_annotrain.data.writing import write_array
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Note, TileDone
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.session.methods import methods
from napari_annotrain.specs import ImageSpec, NetSpec
from tests.api.test_streaming import stop_after
from tests.command_line import annotrain
from tests.conftest import draw_discs
from tests.inference.test_segment import threshold_model

FEW = {"steps": 1, "device": "cpu"}
CPU = {"device": "cpu"}


def image_model(outputs=1, **card):
    """A small network with weights drawn at random; of one output it adds to the image."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = UNet(NetSpec(width=4, depth=2, outputs=outputs))
    card = card or {"residual": True}
    return Model(Card(target="image", net=network.spec, classes=(), **card), network.state_dict())


@pytest.fixture
def stack():
    return np.stack([draw_discs((150, 170), seed=s)[0] for s in range(3)])


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Noisy and clean images of the same stems, in the present folder."""
    monkeypatch.chdir(tmp_path)
    for k in range(2):
        noisy, labels = draw_discs((80, 90), seed=k)
        for name, values in (("noisy", noisy), ("clean", (400 + 900 * (labels > 0)).astype(np.uint16))):
            (tmp_path / name).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / name / f"{k}.tif", values)
    return tmp_path


def relative(a, b):
    return np.abs(a - b).max() / np.ptp(b)


@pytest.mark.parametrize("tile", [16, 48, "auto"])
@pytest.mark.parametrize("model", [image_model(), image_model(target_range=((-5.0, 900.0),))], ids=["own", "theirs"])
def test_tiles_give_what_the_whole_image_gives(model, tile, stack):
    whole = at.predict(model, stack, tile="whole", **CPU)
    assert whole.dtype == np.float32
    assert whole.shape == stack.shape
    assert relative(at.predict(model, stack, tile=tile, **CPU), whole) < 1e-5
    assert relative(at.predict(model, stack[1], tile=tile, axes="YX", **CPU), whole[1]) < 0.1  # its own range


def test_a_network_that_adds_nothing_gives_the_image_back(stack):
    model = image_model()
    model.weights["head.weight"].zero_()
    model.weights["head.bias"].zero_()
    assert np.allclose(at.predict(model, stack, tile=48, **CPU), stack, atol=0.01)


def test_results_have_the_units_of_the_targets(stack):
    model = image_model(outputs=2, target_range=((10.0, 20.0), (-1.0, 0.0)))
    model.weights["head.weight"].zero_()
    model.weights["head.bias"].copy_(torch.tensor([0.5, 0.25]))
    out = at.predict(model, stack, **CPU)
    assert out.shape == (2, *stack.shape)
    assert np.allclose(out[0], 15)
    assert np.allclose(out[1], -0.75)


def test_it_streams_to_ome_zarr_goes_on_and_is_averaged_there(tmp_path):
    image = draw_discs((300, 280))[0]
    model = image_model()
    expected = at.predict(model, image, tile=96, **CPU)
    with pytest.raises(KeyboardInterrupt, match="what is finished is kept"):
        at.predict(model, image, out=tmp_path / "o.zarr", tile=96, on_event=stop_after(3), **CPU)
    done = []
    at.predict(model, image, out=tmp_path / "o.zarr", tile=96, resume=True, on_event=lambda e: done.append(e), **CPU)
    assert sum(isinstance(e, TileDone) for e in done) < 12
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert np.array_equal(group["0"][...], expected)
    assert "image-label" not in group.attrs["ome"]
    assert np.allclose(group["1"][...], expected.reshape(150, 2, 140, 2).mean((1, 3)), rtol=1e-5)


def test_a_lazy_image_is_predicted_within_a_small_memory(tmp_path, stack):
    write_array(tmp_path / "i.zarr", stack, "ZYX")
    model = image_model()
    whole = at.predict(model, stack, **CPU)
    lazy = at.predict(model, tmp_path / "i.zarr", out=tmp_path / "o.zarr", memory="900MB", **CPU)
    assert relative(lazy[...], whole) < 1e-5


@pytest.mark.slow
def test_a_cluster_gives_the_same_image(tmp_path, stack):
    model = image_model()
    expected = at.predict(model, stack, tile=48, **CPU)
    found = at.predict(model, stack, out=tmp_path / "o.zarr", tile=48, scheduler="local:1", **CPU)
    assert relative(found[...], expected) < 1e-5


def test_what_is_not_a_number_stays_so_and_is_told(stack):
    image = stack[0].astype(np.float32)
    image[20, 30] = np.nan
    notes = []
    out = at.predict(image_model(), image, on_event=lambda e: notes.append(e), **CPU)
    assert np.argwhere(np.isnan(out)).tolist() == [[20, 30]]
    assert any("became NaN" in e.text for e in notes if isinstance(e, Note))


def test_a_flat_image_is_told_and_not_made_up():
    notes = []
    out = at.predict(image_model(), np.full((40, 40), 7, np.uint8), on_event=lambda e: notes.append(e), **CPU)
    assert np.allclose(out, 7)
    assert any("same value everywhere" in e.text for e in notes if isinstance(e, Note))


@pytest.mark.parametrize(
    ("model", "output", "words"),
    [
        (image_model(), "classes", "A model of images cannot give 'classes': choose image."),
        (image_model(), "probabilities", "choose image"),
        (threshold_model(), "image", "A model of classes cannot give 'image'"),
        (threshold_model("cells"), "image", "A model of cells cannot give 'image'"),
    ],
)
def test_labels_and_images_are_not_mixed_up(model, output, words, stack):
    with pytest.raises(AnnotrainError, match=words):
        at.predict(model, stack, output=output, **CPU)


def test_a_model_file_brings_the_range_of_the_targets_back(tmp_path, stack):
    model = image_model(target_range=((-5.0, 900.0),))
    at.save_model(model, tmp_path / "m.safetensors")
    again = at.load_model(tmp_path / "m.safetensors")
    assert again.card == model.card
    assert np.array_equal(at.predict(again, stack, **CPU), at.predict(model, stack, **CPU))


@pytest.mark.parametrize(
    ("targets", "more", "words"),
    [
        (None, {}, "There are no target images"),
        (True, {"learn_from": "noise2void"}, "leave the targets out"),
        (None, {"learn_from": "dreams"}, "'dreams' is no way to learn: choose one of pair"),
        (None, {"learn_from": "noise2void", "image": ImageSpec(ssim=1)}, "set its share in the loss to 0"),
        (None, {"learn_from": "noise2void", "image": ImageSpec(vary="deform")}, "set the augmentation to turns"),
        (True, {"target": "classes", "learn_from": "pair"}, "for the target image only"),
        (None, {"target": "cells"}, "learnt from annotations"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_words(targets, more, words, stack):
    with pytest.raises(AnnotrainError, match=words):
        at.train(stack[0], stack[1] if targets else None, **{"target": "image", **FEW, **more})


def test_folders_go_through_the_command_line_from_training_to_scores(folders, capsys):
    assert annotrain("train", "noisy", "clean", "--target", "image", "-o", "m.safetensors", "--steps", 2) == 0
    assert annotrain("predict", "m.safetensors", "noisy", "-o", "out") == 0
    made = tifffile.imread("out/0.tif")
    assert made.dtype == np.float32
    assert made.shape == (80, 90)
    capsys.readouterr()
    assert annotrain("evaluate", "out", "clean", "--as", "image", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert set(scores["images"]) == {"0", "1"}
    assert set(scores["mean"]) == {"psnr", "ssim", "mae", "mse"}
    truth = tifffile.imread("clean/0.tif").astype(float)
    assert scores["images"]["0"]["mae"] == pytest.approx(np.abs(made - truth).mean(), rel=1e-5)
    assert at.load_model("m.safetensors").card.provenance["learn_from"] == "pair"


def test_noisy_images_alone_are_enough_and_training_goes_on(folders):
    command = ["train", "noisy", "--target", "image", "--learn-from", "noise2void", "-o", "m.safetensors"]
    assert annotrain(*command, "--steps", 1) == 0
    assert annotrain(*command, "--steps", 2, "--resume") == 0
    card = at.load_model("m.safetensors").card
    assert card.provenance["steps"] == 2
    assert card.residual
    assert annotrain("train", "noisy", "noisy", *command[2:], "--steps", 2, "--resume") == 0, "both positions"
    assert annotrain(*command[:4], "--learn-from", "corrupted", *command[6:], "--steps", 3, "--resume") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["noisy", "noisy"], "given as image and as target"),
        (["noisy"], "There are no target images"),
        (["noisy", "clean", "--learn-from", "noise2void"], "leave the targets out"),
        (["noisy", "clean", "--mse", 0], "give mse, mae or ssim a share"),
        (["noisy", "clean", "--hidden", 3], "--hidden cannot be 3"),
    ],
)
def test_the_command_line_refuses_in_one_sentence(words, said, folders, capsys):
    assert annotrain("train", *words, "--target", "image", "-o", "m.safetensors", "--steps", 1) == 2
    err = capsys.readouterr().err.strip()
    assert said in err
    assert "\n" not in err
    assert not (folders / "m.safetensors").exists()


def test_a_bad_pair_of_a_folder_does_not_stop_the_others(folders):
    tifffile.imwrite(folders / "clean" / "1.tif", np.zeros((5, 5), np.uint8))
    with pytest.raises(PartlyDone, match="1 of 2"):
        at.train("noisy", "clean", "image", out="m.safetensors", **FEW)
    assert (folders / "m.safetensors").exists()


def test_scores_of_images_are_those_of_their_definitions():
    truth = np.arange(400.0).reshape(20, 20)
    found = truth + np.tile([3.0, -3.0], (20, 10))
    scores = at.evaluate(found, truth, kind="image")["mean"]
    assert scores["mse"] == 9
    assert scores["mae"] == 3
    assert scores["psnr"] == pytest.approx(10 * np.log10(399**2 / 9))
    assert 0.9 < scores["ssim"] < 1
    same = at.evaluate(truth, truth, kind="image")["mean"]
    assert (same["psnr"], same["ssim"], same["mse"]) == (None, 1, 0)
    truth[3, 4] = np.nan
    assert at.evaluate(found, truth, kind="image")["mean"]["mse"] == 9
    with pytest.raises(AnnotrainError, match="compare images of equal size"):
        at.evaluate(found, truth[1:], kind="image")


def test_the_paragraph_for_the_methods_says_what_was_learnt(stack):
    model = at.train(stack[0], target="image", learn_from="noise2void", **FEW)
    words = methods(model.card.model_dump(mode="json"), 1, "nothing", "1.0")
    assert "trained to give images" in words
    assert "noise2void; Krull" in words
    assert "1 x mean squared error" in words
    assert "elastic" not in words

"""Networks other than the usual one are trained, saved and used as it is."""

import numpy as np
import pytest

import napari_annotrain as at
from napari_annotrain import cli
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card
from napari_annotrain.specs import PRESETS, NetSpec
from napari_annotrain.store.models import load_model
from tests.conftest import draw_discs

FEW = {"steps": 2, "device": "cpu", "dense": True}
NEW = ("flat", "fcn", "segnet", "resunet", "denseunet")


@pytest.fixture(scope="module")
def discs():
    image, labels = draw_discs()
    return image, (labels > 0).astype(np.uint8)


@pytest.mark.parametrize("preset", NEW)
def test_every_preset_trains_saves_and_predicts(discs, preset, tmp_path):
    image, mask = discs
    trained = at.train(image, mask, preset=preset, out=tmp_path / "m.safetensors", **FEW)
    model = load_model(tmp_path / "m.safetensors")
    assert model.card.net == trained.card.net == PRESETS[preset].net
    whole = at.predict(model, image, output="probabilities", device="cpu", precision="float32", tile="whole")
    tiled = at.predict(model, image, output="probabilities", device="cpu", precision="float32", tile=32)
    assert np.abs(whole - tiled).max() <= 1e-5


def test_parts_of_the_network_are_chosen_beside_the_preset(discs):
    model = at.train(*discs, net={"up": "bilinear", "skips": "add", "width": 4, "depth": 2}, **FEW)
    assert model.card.net == NetSpec(up="bilinear", skips="add", width=4, depth=2)
    assert model.card.grid_px == 4
    again = at.train(*discs, base=model, net={"up": "bilinear"}, **FEW)
    assert again.card.net == model.card.net
    with pytest.raises(AnnotrainError, match=r"another network .*\(Way up nearest3 and not bilinear\)"):
        at.train(*discs, base=model, net={"up": "nearest3"}, **FEW)


def test_training_of_another_network_goes_on_where_it_stopped(discs, tmp_path):
    out = tmp_path / "m.safetensors"
    choices = {"width": 4, "depth": 1, "block": "dense"}
    at.train(*discs, out=out, net=choices, **FEW)
    on = at.train(*discs, out=out, resume=True, **FEW | {"steps": 4})
    assert on.card.net.block == "dense"
    assert on.card.provenance["steps"] == 4
    with pytest.raises(AnnotrainError, match="to resume has another network"):
        at.train(*discs, out=out, resume=True, net={"depth": 2}, **FEW | {"steps": 6})


def test_a_combination_that_cannot_be_is_refused_before_anything_is_read():
    with pytest.raises(AnnotrainError, match="Unpooling needs to know"):
        at.train("nowhere.tif", "nowhere.tif", net={"up": "unpool", "down": "average"})


def test_the_command_line_chooses_parts_as_python_does(discs, tmp_path, monkeypatch):
    import tifffile

    monkeypatch.chdir(tmp_path)
    for name, array in zip(("image.tif", "mask.tif"), discs, strict=True):
        tifffile.imwrite(name, array)
    words = (
        "train image.tif mask.tif -o m.safetensors --dense --steps 2 --device cpu --preset segnet --width 4 --depth 2"
    )
    assert cli.run(words.split()) == cli.DONE
    net = load_model(tmp_path / "m.safetensors").card.net
    assert net == PRESETS["segnet"].net.model_copy(update={"width": 4, "depth": 2})


def test_a_card_of_an_impossible_network_is_refused_in_a_sentence(discs, tmp_path):
    from napari_annotrain.store.cards import read_card

    card = Card(net=NetSpec(), classes=(0, 1)).model_dump_json()
    with pytest.raises(AnnotrainError, match=r"The network of the model m cannot be built\. Unpooling needs"):
        read_card(card.replace('"transposed"', '"unpool"').replace('"max"', '"average"'), "m")

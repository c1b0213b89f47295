import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_annotrain import cli
from napari_annotrain.store.models import save_model
from tests.conftest import draw_discs, train_on_discs


@pytest.fixture
def files(tmp_path):
    """Folder with images/a.tif, images/b.tif and their instance labels."""
    for k, name in enumerate("ab"):
        image, labels = draw_discs(seed=k)
        for folder, array in (("images", image), ("labels", labels.astype(np.uint16))):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", array)
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(train_on_discs("cells"), tmp_path_factory.mktemp("model") / "m.safetensors")


def run(*words):
    return cli.run([str(word) for word in words])


def complaint(capsys):
    """The one sentence on stderr."""
    said = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "\n".join(said)
    return said[-1]


def test_a_folder_of_images_trains_a_model(files):
    arguments = [files / "images", files / "labels", "-o", files / "m.safetensors"]
    assert run("train", *arguments, "--dense", "--target", "cells", "--steps", 2, "--device", "cpu") == 0
    assert run("models", "show", files / "m.safetensors") == 0


def test_predict_and_evaluate_from_folder_to_scores(files, model, capsys):
    assert run("predict", model, files / "images", "-o", files / "out", "--device", "cpu") == 0
    assert sorted(p.name for p in (files / "out").iterdir()) == ["a.tif", "b.tif"]
    assert tifffile.imread(files / "out" / "a.tif").dtype == np.uint8, "the smallest type that holds the ids"
    capsys.readouterr()
    assert run("evaluate", files / "out", files / "labels", "--as", "cells", "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert set(scores) == {"images", "mean", "pooled"}
    assert set(scores["images"]) == {"a", "b"}
    assert {"ap", "ap50", "map", "f1_50", "pq_50", "seg", "rand_error", "vi_split", "vi_merge"} <= set(scores["mean"])
    assert next(iter(scores["mean"]["ap"])) == "0.50"


def test_evaluate_in_words_and_for_classes(files, capsys):
    assert run("evaluate", files / "labels", files / "labels", "--as", "classes") == 0
    assert "pooled: iou 0 1.0000" in capsys.readouterr().out


def test_the_card_is_shown(model, capsys):
    assert run("models", "show", model) == 0
    assert json.loads(capsys.readouterr().out)["target"] == "cells"
    assert run("models", "list") == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "nowhere.tif", "nowhere.tif", "-o", "m.safetensors"], "nowhere.tif"),
        (["train", "I", "L", "-o", "m.safetensors", "--preset", "huge"], "no preset 'huge'"),
        (["train", "I", "L", "-o", "m.safetensors", "--device", "tpu"], "'tpu' is no device"),
        (["train", "I", "L", "-o", "m.safetensors", "--target", "image"], "not there yet"),
        (["train", "I", "L", "-o", "m.safetensors", "--steps", "many"], "many"),
        (["train", "I", "L"], "--out"),
        (["train"], "--images"),
        (["predict", "nowhere", "I", "-o", "o.tif"], "There is no model 'nowhere'"),
        (["predict", "M", "I", "-o", "o.tif", "--tile", "-5"], "tile must be"),
        (["predict", "M", "I", "-o", "o.tif", "--memory", "lots"], "2GB"),
        (["predict", "M", "I", "-o", "o.xyz"], "cannot be written"),
        (["predict", "M", "I", "-o", "o.tif", "--scheduler", "local:2"], "not there yet"),
        (["predict", "M", "I", "-o", "o.tif", "--resume"], "not there yet"),
        (["predict", "M", "I", "-o", "o.tif", "--colour", "red"], "--colour"),
        (["evaluate", "I", "I", "--as", "dots"], "dots"),
        (["models", "export", "M", "o.zip"], "not there yet"),
        (["models", "import", "M"], "not there yet"),
        (["paint"], "paint"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(files, model, words, sentence, capsys, monkeypatch):
    monkeypatch.chdir(files)
    known = {"I": files / "images" / "a.tif", "L": files / "labels" / "a.tif", "M": model}
    before = sorted(files.rglob("*"))
    assert run(*(known.get(word, word) for word in words)) == 2
    assert sentence in complaint(capsys)
    assert sorted(files.rglob("*")) == before, "nothing is left behind"


def test_a_bad_file_in_a_folder_is_named_the_others_go_on_and_the_exit_code_is_2(files, model, capsys):
    (files / "images" / "bad.tif").write_text("no image")
    assert run("predict", model, files / "images", "-o", files / "out", "--device", "cpu") == 2
    assert "bad.tif" in complaint(capsys)
    assert len(list((files / "out").iterdir())) == 2


def test_ctrl_c_keeps_the_best_model_so_far_and_exits_130(files, capsys, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    steps = iter(range(3))

    def interrupt(self, event):
        if next(steps, None) is None and (files / "m.safetensors").exists():
            raise KeyboardInterrupt

    monkeypatch.setattr("napari_annotrain.api.training.SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(cli._Progress, "_show", interrupt)
    arguments = [files / "images", files / "labels", "-o", files / "m.safetensors"]
    assert run("train", *arguments, "--dense", "--target", "cells", "--steps", 50, "--device", "cpu") == 130
    assert run("models", "show", files / "m.safetensors") == 0


def test_the_command_line_loads_neither_qt_nor_napari():
    code = "import sys, napari_annotrain.cli, napari_annotrain.api; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"qtpy", "PyQt6", "PySide6", "napari", "magicgui", "superqt"} & set(done.stdout.split())


def test_help_names_the_verbs(capsys):
    assert run("--help") == 0
    said = capsys.readouterr().out
    assert all(verb in said for verb in ("train", "predict", "evaluate", "models", "demo"))

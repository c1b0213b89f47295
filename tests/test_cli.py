import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_annotrain import cli
from napari_annotrain.store.models import load_model, save_model
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

    monkeypatch.setattr("napari_annotrain.api.training_run.SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr("napari_annotrain.terminal.Progress._show", interrupt)
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


def test_a_bad_file_in_a_training_folder_leaves_a_model_and_exit_code_2(files, capsys):
    (files / "images" / "bad.tif").write_text("no image")
    tifffile.imwrite(files / "labels" / "bad.tif", np.ones((64, 72), np.uint8))
    arguments = [files / "images", files / "labels", "-o", files / "m.safetensors"]
    assert run("train", *arguments, "--dense", "--target", "cells", "--steps", 2, "--device", "cpu") == 2
    said = capsys.readouterr()
    assert said.err.strip().endswith("1 of 3 images could not be trained on: bad.tif.")
    assert f"The model is in {files / 'm.safetensors'}" in said.out
    assert run("models", "show", files / "m.safetensors") == 0


def test_a_bad_pair_in_a_folder_leaves_the_scores_of_the_others_and_exit_code_2(files, capsys):
    shutil.copytree(files / "labels", files / "found")
    (files / "found" / "b.tif").write_text("no image")
    assert run("evaluate", files / "found", files / "labels", "--as", "cells", "--json") == 2
    said = capsys.readouterr()
    assert set(json.loads(said.out)["images"]) == {"a"}
    assert "1 of 2 pairs could not be compared: b.tif." in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: out of memory")]
)
def test_too_little_memory_is_one_sentence_and_exit_code_2(files, model, capsys, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("napari_annotrain.api.prediction._fill", fail)
    assert run("predict", model, files / "images" / "a.tif", "-o", files / "o.tif") == 2
    assert complaint(capsys).startswith("Not enough memory: ")


def test_other_errors_are_not_hidden(files, model, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("napari_annotrain.api.prediction._fill", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run("predict", model, files / "images" / "a.tif", "-o", files / "o.tif")


def test_an_interrupted_prediction_promises_nothing(files, model, capsys, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_annotrain.api.prediction._fill", interrupt)
    assert run("predict", model, files / "images" / "a.tif", "-o", files / "o.tif") == 130
    assert complaint(capsys) == "Interrupted."


def test_notes_are_printed_as_they_stand(files, model, capsys):
    name = "cells [raw] :smile: " + "very " * 20 + "long.tif"
    (files / "images" / name).write_text("no image")
    assert run("predict", model, files / "images", "-o", files / "out", "--device", "cpu") == 2
    (note,) = (line for line in capsys.readouterr().err.splitlines() if "cannot be read" in line)
    assert name in note


def test_evaluation_loads_no_torch(files):
    code = (
        "import sys; from napari_annotrain import cli; "
        f"code = cli.run(['evaluate', {str(files / 'labels')!r}, {str(files / 'labels')!r}, '--as', 'cells']); "
        "import napari_annotrain as at; at.evaluate; print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["0", "False"]


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_a_real_ctrl_c_while_training_exits_130_and_leaves_a_model(tmp_path):
    image, labels = draw_discs((512, 512), discs=[(y, x, 20) for y in range(30, 512, 60) for x in range(30, 512, 60)])
    tifffile.imwrite(tmp_path / "a.tif", image)
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint8))
    out = tmp_path / "m.safetensors"
    words = ["train", tmp_path / "a.tif", tmp_path / "labels.tif", "-o", out, "--dense", "--target", "cells"]
    with subprocess.Popen(
        [sys.executable, "-m", "napari_annotrain.cli", *map(str, words), "--seconds", "60", "--device", "cpu"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in a shell's background jobs
    ) as process:
        try:
            said = [next(line for line in process.stderr if "validation IoU" in line)]
            process.send_signal(signal.SIGINT)
            said += process.stderr
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert said[-1].strip() == f"Interrupted; the best model so far is in {out}."
    assert "Traceback" not in "".join(said)
    assert load_model(out).card.provenance["steps"] > 0

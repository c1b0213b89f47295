"""Candidates are trained turn by turn, as if each were alone, and judged by the same pixels."""

import csv
import json
import threading

import numpy as np
import pytest
import tifffile
import torch

import napari_annotrain as at
from napari_annotrain import api, cli, terminal
from napari_annotrain.api import contest
from napari_annotrain.api.candidates import file_stems, read_candidates
from napari_annotrain.api.comparison import Comparison, may_be_chance
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Checkpoint, Done, Entered, Failed, Step, Told, Validated
from napari_annotrain.specs import PRESETS, NetSpec, Preset, TrainSpec
from napari_annotrain.training import kept
from tests.conftest import draw_discs

SMALL = TrainSpec(patch=32, batch=2, precision="float32")
TINY = Preset(title="tiny", net=NetSpec(width=2, depth=1), train=SMALL)
OTHER = Preset(
    title="other", net=NetSpec(width=4, depth=2, padding="valid"), train=SMALL.model_copy(update={"patch": 40})
)
BOTH = {"tiny": TINY, "other": OTHER}
DISCS = [(y, x, 14) for y in range(40, 400, 90) for x in range(40, 400, 90)]


@pytest.fixture(scope="module")
def pictures():
    """An image with enough annotation for validation, and all of it: 0 background, 1 disc."""
    image, labels = draw_discs((384, 384), discs=DISCS)
    return image, (labels > 0).astype(np.uint8)


@pytest.fixture
def tiny_presets(monkeypatch):
    """The same two under names that the command line knows."""
    for name, preset in BOTH.items():
        monkeypatch.setitem(PRESETS, name, preset)


@pytest.fixture
def files(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, array in zip(("image", "labels"), pictures, strict=True):
        tifffile.imwrite(f"{name}.tif", array)
    return tmp_path


def test_turn_by_turn_each_takes_the_steps_it_would_take_alone(pictures):
    order = []

    def listen(event):
        if isinstance(event, Told) and isinstance(event.event, Step):
            order.append(event.candidate)

    found = at.compare(*pictures, BOTH, dense=True, steps=6, seed=3, device="cpu", on_event=listen)
    assert order == [0, 1] * 6
    annotated = AnnotatedImage(Stack.of(pictures[0]), Stack.of(pictures[1]), dense=True)
    for one, preset in zip(found.contenders, BOTH.values(), strict=True):
        spec = preset.train.model_copy(update={"seconds": None, "steps": 6, "seed": 3, "device": "cpu"})
        alone = list(api.iter_training([annotated], preset=preset, spec=spec))[-1].result
        assert one.model.card.net == alone.card.net
        assert all(torch.equal(one.model.weights[name], tensor) for name, tensor in alone.weights.items())
        assert (one.steps, one.score) == (6, pytest.approx(alone.card.provenance["validation_iou"], abs=1e-4))


def test_networks_of_different_patch_and_padding_are_judged_by_the_same_pixels(pictures):
    found = at.compare(*pictures, BOTH, dense=True, steps=1, device="cpu")
    tiny, other = found.contenders
    assert tiny.judged_by == other.judged_by != ""
    assert found.best is max(found.contenders, key=lambda one: one.score)
    assert (tiny.reach_px, other.reach_px) == (8, 20)
    held_out = [one.tables.sum(-1) for one in found.contenders]  # of each block, the pixels of each class
    assert torch.equal(*held_out)
    assert tiny.parameters == sum(t.numel() for n, t in tiny.model.weights.items() if "running" not in n and t.ndim)
    assert 0 < tiny.memory_bytes < other.memory_bytes


def test_without_validation_a_sentence_stands_for_the_winner():
    image, labels = draw_discs((64, 64))
    found = at.compare(image, (labels > 0).astype(np.uint8), BOTH, dense=True, steps=1, device="cpu")
    assert found.best is None
    assert "too little is annotated" in found.verdict()
    assert all(one.model is not None for one in found.contenders)


def test_closing_it_ends_all_trainings(pictures):
    annotated = AnnotatedImage(Stack.of(pictures[0]), Stack.of(pictures[1]), dense=True)
    events = api.iter_comparison([annotated], BOTH, steps=1000, device="cpu")
    found = Comparison()
    while not all(one.steps > 1 for one in found.contenders) or len(found.contenders) < 2:
        found.take(next(events))
    events.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("annotrain-reading")]
    assert all(one.model is not None for one in found.contenders), "what was trained so far is there"


def failing(monkeypatch, names):
    """Let the candidates of these names fail after their first step."""
    run_plan, made = contest.run_plan, iter(BOTH)

    def run(plan):
        name = next(made)
        for event in run_plan(plan):
            yield event
            if name in names and isinstance(event, Checkpoint):
                raise AnnotrainError("It went astray.")

    monkeypatch.setattr(contest, "run_plan", run)


def test_one_that_fails_does_not_stop_the_others(pictures, monkeypatch):
    failing(monkeypatch, ["tiny"])
    with pytest.raises(PartlyDone, match="tiny: It went astray") as told:
        at.compare(*pictures, BOTH, dense=True, steps=4, device="cpu")
    tiny, other = told.value.result.contenders
    assert (tiny.steps, tiny.failed, other.steps, other.failed) == (1, "It went astray.", 4, "")
    assert told.value.result.best is other


def test_when_all_fail_it_says_why(pictures, monkeypatch):
    failing(monkeypatch, BOTH)
    with pytest.raises(AnnotrainError, match=r"^It went astray\.$"):
        at.compare(*pictures, BOTH, dense=True, steps=4, device="cpu")


# -- what came of it, from events alone -----------------------------------------------------------------------------


def told(*candidates):
    """A comparison of candidates given as (name, parameters, judged by, score)."""
    found = Comparison()
    for k, (name, parameters, judged_by, score) in enumerate(candidates):
        found.take(Entered(k, name, parameters, 94, 10**8, judged_by))
        found.take(Told(k, Step(1, 0.5, 1.0, 1.0)))
        if score is not None:
            found.take(Told(k, Validated(1, score, 0.5, 1.0, True)))
        found.take(Told(k, Checkpoint(1, f"model of {name}", None)))
    return found


def test_the_best_has_the_highest_score_and_of_equal_ones_the_fewest_parameters():
    found = told(("a", 9, "v", 0.7), ("b", 9, "v", 0.8), ("c", 5, "v", 0.8))
    assert found.best.name == "c"
    said = found.verdict()
    assert said.startswith("c is best: score 0.800 on the pixels kept for validation (a 0.700, b 0.800).")
    assert "b is so near" in said, "two equal numbers are no clear winner"
    assert [row["best"] for row in found.rows()] == [False, False, True]


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        ([("a", 9, "", None), ("b", 9, "", None)], "too little is annotated"),
        ([("a", 9, "v", 0.7), ("b", 9, "w", 0.8)], "not judged by the same"),
        ([("a", 9, "v", 0.7), ("b", 9, "v", None)], "before all of them were validated"),
        ([], "Nothing was trained"),
    ],
)
def test_where_nothing_fair_can_be_said_there_is_no_winner(candidates, words):
    found = told(*candidates)
    assert found.best is None
    assert words in found.verdict()


def test_scores_of_weights_that_are_not_kept_do_not_count():
    found = told(("a", 9, "v", 0.7), ("b", 9, "v", 0.8))
    found.take(Told(1, Validated(2, 0.3, 0.5, 2.0, False)))
    assert found.contenders[1].score == 0.8
    assert found.contenders[1].scores[-1] == (2.0, 0.3)


def test_where_it_was_stopped_the_verdict_says_who_had_less_time():
    found = told(("a", 9, "v", 0.7), ("b", 9, "v", 0.8))
    found.take(Told(0, Step(2, 0.5, 8.0, 0.8)))
    found.take(Told(1, Step(2, 0.5, 7.0, 0.7)))
    assert "stopped while some had trained longer" in found.verdict()
    assert found.fraction == pytest.approx(0.75)
    for k in range(2):
        found.take(Told(k, Done(None)))
    assert "stopped" not in found.verdict()
    assert found.fraction == 1


def scored(wrong):
    """A comparison of two with 8 blocks of 100 + 100 px, of which so many are wrong in each block."""
    found = told(("a", 9, "v", None), ("b", 9, "v", None))
    for k, blocks in enumerate(wrong):
        tables = np.array([[[100 - n, n], [n, 100 - n]] for n in blocks])
        score = 1 - 2 * sum(blocks) / (sum(blocks) + 800)  # IoU of each class: (800 - n) / (800 + n)
        found.take(Told(k, Validated(2, score, 0.5, 1.0, True, tables=tables)))
    return found


def test_a_difference_that_a_few_blocks_make_may_be_chance():
    found = scored([[9, 11, 8, 12, 10, 10, 9, 11], [11, 9, 12, 8, 10, 10, 11, 10]])
    assert found.best.name == "a"
    assert "b is so near that it may be chance" in found.verdict()


def test_a_difference_in_all_blocks_alike_is_none_of_chance():
    found = scored([[20, 22, 19, 21, 20, 20, 21, 20], [10, 12, 9, 11, 10, 10, 11, 10]])
    assert found.best.name == "b"
    assert "chance" not in found.verdict()


def test_chance_is_judged_as_training_judges_it():
    one, other = scored([[9, 11, 8, 12, 10, 10, 9, 11], [15, 9, 12, 8, 10, 19, 11, 10]]).contenders
    error = kept._standard_error(torch.from_numpy(one.tables), torch.from_numpy(other.tables))
    other.score = one.score - 0.99 * error
    assert may_be_chance(one, other)
    other.score = one.score - 1.01 * error
    assert not may_be_chance(one, other)


def test_one_that_failed_does_not_win():
    found = told(("a", 9, "v", 0.7), ("b", 9, "v", 0.8))
    found.take(Told(1, Failed("Memory ran out.", "")))
    assert found.best.name == "a"
    assert found.rows()[1]["failed"] == "Memory ran out."


# -- what can be compared -------------------------------------------------------------------------------------------


def test_every_preset_can_be_named():
    assert [one.name for one in read_candidates(list(PRESETS))] == list(PRESETS)


def test_settings_of_network_and_training_can_be_changed():
    wide, slow, based = read_candidates(
        ["fast:width=32,depth=3", "fast:learning-rate=0.001,elastic_px=0,flip=false", "cells-2d:batch=4"]
    )
    assert (wide.preset.net.width, wide.preset.net.depth, wide.preset.train) == (32, 3, PRESETS["fast"].train)
    assert slow.preset.train.learning_rate == 0.001
    assert (slow.preset.train.augment.elastic_px, slow.preset.train.augment.flip) == (0, False)
    assert (based.base.card.target, based.preset.train.batch) == ("cells", 4)


def test_changed_settings_are_known_as_such_and_the_others_are_those_of_the_preset():
    (paper, _) = read_candidates(["paper:learning_rate=0.01,elastic_spacing_px=50,dice=1", "fast"])
    train, usual = paper.preset.train, PRESETS["paper"].train
    changed = {
        "learning_rate": 0.01,
        "augment": usual.augment.model_copy(update={"elastic_spacing_px": 50}),
        "loss": usual.loss.model_copy(update={"dice": 1}),
    }
    assert train == usual.model_copy(update=changed)
    assert train.loss.model_fields_set == {"dice"}
    assert "weights" not in train.model_fields_set


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        (["fast"], "nothing to compare"),
        ("fast", "nothing to compare"),
        (["fast", "fast"], "'fast' is there twice"),
        (["fast", "best"], "There is no preset or model 'best'"),
        (["fast", "fast:wide=3"], "there is no setting 'wide'"),
        (["fast", "fast:width=many"], "width cannot be many"),
        (["fast", "fast:width=0"], "width cannot be 0"),
        (["fast", "fast:seconds=3"], "seconds is the same for all"),
        (["fast", "fast:augment=3"], "there is no setting 'augment'"),
        (["fast", "cells-2d:width=8"], "keeps its own network"),
        (["fast", 7], "7 cannot be compared"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(specs, words):
    with pytest.raises(AnnotrainError, match=words):
        read_candidates(specs)


def test_files_have_names_that_every_system_takes():
    assert file_stems(["fast", "fast:width=32", "Fast", "a/b", "::"]) == [
        "fast",
        "fast-width-32",
        "Fast-2",
        "a-b",
        "candidate",
    ]


# -- the command ----------------------------------------------------------------------------------------------------

WORDS = ["compare", "image.tif", "labels.tif", "-o", "out", "--dense", "--device", "cpu", "--specs", "tiny", "other"]


def test_the_command_prints_a_table_and_writes_models_and_curves(files, tiny_presets, capsys):
    assert cli.run([*WORDS, "--steps", "4"]) == cli.DONE
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("Candidate", "Score", "Reach", "tiny", "other", "is best", "not measured"))
    assert sorted(path.name for path in (files / "out").iterdir()) == [
        "compare.csv",
        "compare.json",
        "other.safetensors",
        "tiny.safetensors",
    ]
    record = json.loads((files / "out/compare.json").read_text())
    assert record["finished"] is True
    with (files / "out/compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, one in zip(rows, record["candidates"], strict=True):
        assert (row["name"], row["steps"], row["file"]) == (one["name"], "4", f"{one['name']}.safetensors")
        assert len(one["losses"]) == 4
        assert one["scores"]
        card = at.load_model(files / "out" / one["file"]).card
        assert float(row["score"]) == pytest.approx(card.provenance["validation_iou"], abs=1e-4)
    assert sum(row["best"] == "True" for row in rows) == 1


def test_ctrl_c_keeps_what_is_there(files, tiny_presets, capsys, monkeypatch):
    show = terminal.Progress._show

    def interrupt(self, event):
        show(self, event)
        if isinstance(event, Told) and isinstance(event.event, Step) and event.event.step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(terminal.Progress, "_show", interrupt)
    assert cli.run([*WORDS, "--steps", "40"]) == cli.INTERRUPTED
    assert "what was trained so far is in out" in capsys.readouterr().err
    record = json.loads((files / "out/compare.json").read_text())
    assert record["finished"] is False
    assert [one["steps"] for one in record["candidates"]] == [3, 2]
    assert at.load_model(files / "out/other.safetensors").card.provenance["steps"] == 1


def test_a_file_in_the_way_is_said(files, tiny_presets, capsys):
    assert cli.run([*WORDS[:4], "image.tif", *WORDS[5:]]) == cli.BAD_INPUT
    assert "image.tif is a file: choose a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--specs", "tiny"], "nothing to compare"),
        (["--specs", "tiny", "huge"], "no preset or model 'huge'"),
        (["--specs", "tiny", "other", "--steps", "0"], "0 steps makes no sense"),
        (["--specs", "tiny", "other", "--target", "dogs"], "'dogs' is no target"),
        (["--specs", "tiny", "other", "--learn-from", "noise2void"], "for the target image only"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(files, tiny_presets, capsys, words, said):
    before = sorted(files.iterdir())
    assert cli.run(["compare", "image.tif", "labels.tif", "-o", "out", "--dense", "--device", "cpu", *words]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert sorted(files.iterdir()) == before


def test_the_last_event_holds_the_result(pictures):
    annotated = AnnotatedImage(Stack.of(pictures[0]), Stack.of(pictures[1]), dense=True)
    *_, last = api.iter_comparison([annotated], BOTH, steps=1, device="cpu")
    assert isinstance(last, Done)
    assert [one.name for one in last.result.contenders] == list(BOTH)


def test_a_setting_that_is_there_twice_is_asked_about():
    with pytest.raises(AnnotrainError, match=r"more than one 'gamma': write loss.gamma or augment.gamma"):
        read_candidates(["fast:gamma=1", "standard"])
    one, other = read_candidates(["fast:augment.gamma=1", "fast:loss.gamma=1"])
    assert (one.preset.train.augment.gamma, other.preset.train.loss.gamma) == (1, 1)

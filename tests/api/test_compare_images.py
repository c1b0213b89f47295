"""Networks that make images are compared as those of labels: the same pairs, noise and pixels judge all of them."""

import csv
import json

import numpy as np
import pytest
import tifffile
import torch

import napari_annotrain as at
from napari_annotrain import api, cli
from napari_annotrain.api.comparison import Comparison, may_be_chance
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Checkpoint, Entered, Step, Told, Validated
from napari_annotrain.specs import PRESETS, ImageSpec, NetSpec, Preset, TrainSpec
from napari_annotrain.training import kept
from napari_annotrain.training.paired_score import PairedBlocks
from tests.conftest import draw_discs

SMALL = TrainSpec(patch=32, batch=2, precision="float32")
TINY = Preset(title="tiny", net=NetSpec(width=2, depth=1), train=SMALL)
OTHER = Preset(
    title="other", net=NetSpec(width=4, depth=2, padding="valid"), train=SMALL.model_copy(update={"patch": 40})
)
CROPPING = Preset(title="cropping", net=NetSpec(width=2, depth=1, padding="valid"), train=SMALL)
BOTH = {"tiny": TINY, "other": OTHER}
FOUR_STEPS = {"target": "image", "steps": 4, "device": "cpu"}


def with_losses(**image):
    return TINY.model_copy(update={"train": SMALL.model_copy(update={"image": ImageSpec(**image)})})


@pytest.fixture(scope="module")
def pair():
    """Noisy discs, and the clean ones."""
    noisy, labels = draw_discs((384, 384), discs=[(y, x, 14) for y in range(40, 400, 90) for x in range(40, 400, 90)])
    return noisy.astype(np.float32), (400 + 900 * (labels > 0)).astype(np.float32)


def test_each_is_trained_as_it_would_be_alone_and_scored_in_decibel(pair):
    found = at.compare(*pair, BOTH, **FOUR_STEPS, seed=3)
    images = [PairedImage(*(Stack.of(one) for one in pair))]
    for one, preset in zip(found.contenders, BOTH.values(), strict=True):
        spec = preset.train.model_copy(update={"seconds": None, "steps": 4, "seed": 3, "device": "cpu"})
        alone = list(api.iter_training(images, target="image", preset=preset, spec=spec))[-1].result
        assert all(torch.equal(one.model.weights[name], tensor) for name, tensor in alone.weights.items())
        assert one.score == pytest.approx(alone.card.provenance["validation_psnr_db"], abs=1e-4)
        assert (one.measure, one.model.card.target) == ("PSNR", "image")
    assert found.best is max(found.contenders, key=lambda one: one.score)
    assert f"{found.best.name} is best: PSNR {found.best.score:.2f} dB" in found.verdict()


@pytest.mark.parametrize("learn_from", ["corrupted", "noise2void"])
def test_the_same_noise_and_hidden_pixels_judge_networks_with_other_borders(pair, learn_from, monkeypatch):
    seen = {}
    monkeypatch.setattr(PairedBlocks, "score", spy(seen))
    specs = BOTH | {"cropping": CROPPING}
    found = at.compare(pair[0], specs=specs, learn_from=learn_from, **FOUR_STEPS)
    tiny, other, cropping = found.contenders
    assert tiny.judged_by == other.judged_by == cropping.judged_by != ""
    assert torch.equal(tiny.tables[:, 1], other.tables[:, 1])
    assert torch.equal(tiny.tables[:, 1], cropping.tables[:, 1])
    one, *others = seen.values()
    assert len(others) == 2
    assert all(torch.equal(one, another) for another in others)


def spy(seen):
    """Note what each network is shown of the blocks, and what is known there."""

    def score(self, network, device, precision, batch):
        lost = self.images.shape[-1] - network(self.images[:1]).shape[-1]  # on both sides together
        blocks = self.images[..., lost // 2 :, lost // 2 :][..., self.crop, self.crop]
        seen[network.spec.width, network.spec.padding] = torch.cat([blocks, self.maps[:, 1:2]], 1)
        return SCORE(self, network, device, precision, batch)

    return score


SCORE = PairedBlocks.score


def test_losses_can_be_compared_and_what_is_learnt_from_is_the_same(pair):
    specs = {"squared": TINY, "absolute": with_losses(mse=0, mae=1, learn_from="noise2void")}
    found = at.compare(*pair, specs, **FOUR_STEPS)
    squared, absolute = (one.model.card.provenance["settings"]["image"] for one in found.contenders)
    assert (squared["mse"], squared["mae"], absolute["mse"], absolute["mae"]) == (1, 0, 0, 1)
    assert squared["learn_from"] == absolute["learn_from"] == "pair"
    assert found.best is not None


def test_settings_are_those_of_all_but_where_a_candidate_has_its_own(pair):
    specs = {"usual": TINY, "absolute": with_losses(mse=0, mae=1)}
    found = at.compare(*pair, specs, **FOUR_STEPS, image=ImageSpec(vary="deform", ssim=0.5))
    usual, absolute = (one.model.card.provenance["settings"]["image"] for one in found.contenders)
    assert usual["vary"] == absolute["vary"] == "deform"
    assert (usual["ssim"], absolute["ssim"], usual["mae"], absolute["mae"]) == (0.5, 0.5, 0, 1)


def test_a_candidate_may_go_back_to_the_usual_where_all_others_do_not(pair, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    shared = ImageSpec(mse=0, mae=1)
    found = at.compare(*pair, ["tiny", "tiny:mse=1,mae=0"], **FOUR_STEPS, image=shared)
    absolute, squared = (one.model.card.provenance["settings"]["image"] for one in found.contenders)
    assert (absolute["mse"], absolute["mae"], squared["mse"], squared["mae"]) == (0, 1, 1, 0)


def test_where_nobody_says_what_to_learn_from_the_first_one_does(pair):
    specs = {"blind": with_losses(learn_from="noise2void"), "tiny": TINY}
    found = at.compare(pair[0], specs=specs, **FOUR_STEPS)
    assert [one.measure for one in found.contenders] == ["PSNR of hidden pixels"] * 2


def test_a_score_of_other_noise_is_no_fair_one(pair):
    specs = {"little": with_losses(corrupt_noise=0.05), "much": with_losses(corrupt_noise=0.2)}
    found = at.compare(pair[0], specs=specs, learn_from="corrupted", **FOUR_STEPS)
    assert found.best is None
    assert "differ in what is made worse" in found.verdict()


def test_images_too_small_for_validation_have_no_winner(pair):
    found = at.compare(*(one[:64, :64] for one in pair), BOTH, **FOUR_STEPS)
    assert found.best is None
    assert "the images are too small" in found.verdict()
    assert all(one.model is not None for one in found.contenders)


def scored(*errors):
    """A comparison of two with these mean squared errors of 8 blocks."""
    found = Comparison()
    for k, blocks in enumerate(errors):
        found.take(Entered(k, "ab"[k], 9, 94, 10**8, "v", "image", "PSNR"))
        found.take(Told(k, Step(1, 0.5, 1.0, 1.0)))
        tables = torch.tensor([[100 * error, 100.0] for error in blocks], dtype=torch.float64)
        found.take(Told(k, Validated(1, kept.total_score(tables), 0.5, 1.0, True, "PSNR", tables)))
        found.take(Told(k, Checkpoint(1, "a model", None)))
    return found


def test_chance_is_judged_as_training_judges_it():
    found = scored([0.01, 0.02, 0.01, 0.03, 0.01, 0.02, 0.01, 0.02], [0.02, 0.01, 0.01, 0.02, 0.02, 0.01, 0.02, 0.01])
    one, other = found.contenders
    error = kept._standard_error(one.tables, other.tables)
    other.score = one.score - 0.99 * error
    assert may_be_chance(one, other)
    assert "it may be chance: look at the results, or compare again" in found.verdict()
    other.score = one.score - 1.01 * error
    assert not may_be_chance(one, other)


def test_the_table_says_what_the_score_is():
    one, other = scored([0.01] * 8, [0.001] * 8).rows()
    assert (one["score"], one["measure"], one["best"]) == (20.0, "PSNR (dB)", False)
    assert (other["score"], other["best"]) == (30.0, True)


def test_before_any_score_it_is_known_what_it_will_be(pair):
    found = at.compare(*(one[:64, :64] for one in pair), BOTH, **FOUR_STEPS)
    assert [(row["score"], row["measure"]) for row in found.rows()] == [(None, "PSNR (dB)")] * 2


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(pair, tmp_path, monkeypatch):
    for name, preset in BOTH.items():
        monkeypatch.setitem(PRESETS, name, preset)
    monkeypatch.chdir(tmp_path)
    for name, array in zip(("noisy", "clean"), pair, strict=True):
        tifffile.imwrite(f"{name}.tif", array)
    return tmp_path


WORDS = ["--target", "image", "-o", "out", "--device", "cpu", "--specs", "tiny", "other"]


def test_the_command_compares_pairs(files, capsys):
    assert cli.run(["compare", "noisy.tif", "clean.tif", *WORDS, "--steps", "4", "--mae", "1"]) == cli.DONE
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("PSNR", "dB", "tiny", "other", "is best"))
    assert "IoU" not in printed
    record = json.loads((files / "out/compare.json").read_text())
    with (files / "out/compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, one in zip(rows, record["candidates"], strict=True):
        card = at.load_model(files / "out" / one["file"]).card
        assert (card.target, card.provenance["settings"]["image"]["mae"]) == ("image", 1)
        assert row["measure"] == "PSNR (dB)"
        assert float(row["score"]) == pytest.approx(card.provenance["validation_psnr_db"], abs=1e-4)


def test_the_command_compares_what_learns_from_noisy_images_alone(files, capsys):
    assert cli.run(["compare", "noisy.tif", *WORDS, "--steps", "4", "--learn-from", "noise2void"]) == cli.DONE
    assert "PSNR of hidden pixels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["noisy.tif", *WORDS], "There are no target images"),
        (["noisy.tif", "clean.tif", *WORDS, "--learn-from", "noise2void"], "leave the targets out"),
        (["noisy.tif", "clean.tif", *WORDS[2:], "--mae", "1"], "for the target image only"),
        (["noisy.tif", *WORDS[2:]], "learnt from annotations"),
        (["noisy.tif", "clean.tif", *WORDS, "tiny:learn_from=noise2void"], "learn_from is the same for all"),
        (
            ["noisy.tif", *WORDS, "tiny:ssim=1", "--learn-from", "noise2void"],
            "tiny:ssim=1: noise2void compares",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(files, capsys, words, said):
    before = sorted(files.iterdir())
    assert cli.run(["compare", *words]) == cli.BAD_INPUT
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error
    assert sorted(files.iterdir()) == before


def test_an_image_and_a_target_of_other_size_are_refused(pair):
    with pytest.raises(AnnotrainError, match="choose the target that belongs to it"):
        at.compare(pair[0], pair[1][:100], BOTH, **FOUR_STEPS)

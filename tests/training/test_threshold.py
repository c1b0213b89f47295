"""The threshold of cells follows from what was annotated."""

import numpy as np
import pytest
import torch
from scipy import ndimage as ndi

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Checkpoint
from napari_annotrain.inference.cells import CellDecoder
from napari_annotrain.net.model import Card
from napari_annotrain.specs import CellsSpec, NetSpec, TrainSpec
from napari_annotrain.training.threshold import choose_threshold
from napari_annotrain.training.validate import ValidationSet


class Given(torch.nn.Module):
    """A network whose probabilities of being inside are those of its image."""

    def forward(self, image):
        return torch.cat([torch.zeros_like(image), image.clamp(1e-4, 1 - 1e-4).logit(), image], 1)


def chosen(probability, target, n=4):
    """Of blocks of (Y, X), or (N, Y, X), else n times the same one."""
    images, targets = (torch.tensor(one if one.ndim == 3 else np.stack([one] * n)) for one in (probability, target))
    blocks = ValidationSet(images[:, None], targets, slice(0, None), 2)
    return choose_threshold(Given(), blocks, torch.device("cpu"), torch.float32, 2)


def blurred_disc(level):
    y, x = np.mgrid[:64, :64]
    truth = ((y - 32) ** 2 + (x - 32) ** 2 < 400).astype(np.int64)
    probability = np.clip(ndi.gaussian_filter(truth.astype(np.float32), 3) + level, 0, 1)
    return probability.astype(np.float32), truth


@pytest.mark.parametrize("level", [-0.15, 0.0, 0.2])
def test_it_is_where_the_network_agrees_with_the_annotation(level):
    assert chosen(*blurred_disc(level)) == pytest.approx(0.5 + level, abs=0.051)


def test_where_all_are_as_good_it_is_the_usual_one():
    probability, truth = blurred_disc(0.0)
    assert chosen(truth.astype(np.float32), truth) == 0.6
    assert chosen(probability, np.full_like(truth, -1)) == 0.6


def test_blocks_that_do_not_agree_leave_it_at_the_usual_one():
    blocks = [blurred_disc(level) for level in (-0.2, 0.2, -0.1, 0.15)]
    assert chosen(*(np.stack(maps) for maps in zip(*blocks, strict=True))) == 0.6
    alike = [blurred_disc(level) for level in (-0.2, -0.21, -0.19, -0.2)]
    assert chosen(*(np.stack(maps) for maps in zip(*alike, strict=True))) < 0.45


def test_one_block_alone_does_not_say():
    assert chosen(*blurred_disc(-0.2), n=1) == 0.6


def test_what_is_not_annotated_does_not_count():
    probability, truth = blurred_disc(0.2)
    probability[:, :12] = 0.99
    truth[:, :12] = -1
    assert chosen(probability, truth) == pytest.approx(0.7, abs=0.051)


def test_a_trained_model_of_cells_has_one_and_prediction_takes_it(discs):
    image, labels = discs
    annotated = AnnotatedImage(Stack.of(image), Stack.of(labels), dense=True)
    spec = TrainSpec(seconds=None, steps=3, patch=64, batch=2, device="cpu")
    events = list(api.iter_training([annotated], target="cells", spec=spec))
    last = [event for event in events if isinstance(event, Checkpoint)][-1]
    assert 0.3 <= last.model.card.threshold <= 0.8
    classes = list(api.iter_training([annotated], spec=spec))[-1].result
    assert classes.card.threshold is None


@pytest.mark.parametrize(("card", "asked", "found"), [(0.8, None, 0), (0.4, None, 1), (0.8, 0.4, 1), (None, None, 0)])
def test_what_is_asked_for_goes_before_the_model(card, asked, found):
    made = Card(target="cells", net=NetSpec(), classes=(0, 1), distances=("cell distance",), threshold=card)
    disc = blurred_disc(0)[1].astype(np.float32)
    decoder = CellDecoder(made, CellsSpec(threshold=asked), None, 1 << 20)
    assert decoder.decode(lambda box: np.stack([0.7 * disc, disc])[:, *box], disc.shape).max() == found


def test_a_saved_model_keeps_it(tmp_path, discs):
    image, labels = discs
    model = at.train(image, labels, target="cells", dense=True, steps=2, out=tmp_path / "m.safetensors")
    assert at.load_model(tmp_path / "m.safetensors").card.threshold == model.card.threshold is not None

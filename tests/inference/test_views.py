import numpy as np
import pytest
import torch

from napari_annotrain.data.normalise import measure
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Note, TileDone
from napari_annotrain.inference import tile_size
from napari_annotrain.inference.dropout import RANGE, PlacedDropout
from napari_annotrain.inference.seams import check_seams
from napari_annotrain.inference.segment import segment
from napari_annotrain.inference.spread import Spread
from napari_annotrain.inference.symmetries import symmetries
from napari_annotrain.specs import NetSpec, PredictSpec
from tests.inference.test_predictor import NETS, probabilities, random_model, random_stack

DROPOUT = {
    "padded": NetSpec(width=4, depth=2, dropout=0.5),
    "valid": NetSpec(width=4, depth=2, padding="valid", normalisation="none", dropout=0.5),
    "flat": NetSpec(width=4, depth=0, dropout=0.5),
}


def uncertainty(model, stack, region=None, **spec):
    spec = PredictSpec(output="uncertainty", device="cpu", precision="float32", samples=4, **spec)
    out = np.full((*stack.shape[:1], *stack.shape[2:]), np.nan, np.float32)
    for event in segment(model, stack, measure(stack, model.card.normalise), spec, region):
        if isinstance(event, TileDone):
            out[event.write] = event.result
    return out[0, 0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("views", ["flips", "flips and turns"])
@pytest.mark.parametrize("name", ["padded", "valid", "one convolution", "flat"])
def test_tiles_give_exactly_what_the_whole_image_gives(name, views, precision):
    model, stack = random_model(NETS[name]), random_stack(NETS[name], (70, 93))
    how = {"precision": precision, "augment": views}
    whole, tiled = (probabilities(model, stack, tile=tile, **how) for tile in ("whole", 24))
    assert np.abs(tiled - whole).max() <= 1e-5
    assert np.abs(whole - probabilities(model, stack, tile="whole", precision=precision)).max() > 1e-3


@pytest.mark.parametrize("views", ["flips", "flips and turns"])
def test_the_result_is_the_mean_over_the_turned_images(views):
    model, stack = random_model(NETS["padded"]), random_stack(NETS["padded"], (64, 48))
    image = torch.from_numpy(stack.array)
    turned = []
    for symmetry in symmetries(views):
        there = Stack.of(symmetry.there(image).contiguous().numpy(), "CYX")
        turned.append(symmetry.back(torch.from_numpy(probabilities(model, there)[:, 0, 0])))
    assert len(turned) == {"flips": 4, "flips and turns": 8}[views]
    expected = torch.stack(turned).mean(0).numpy()
    assert np.abs(probabilities(model, stack, augment=views)[:, 0, 0] - expected).max() <= 1e-5


def test_a_turned_image_has_the_turned_result():
    model, stack = random_model(NETS["padded"]), random_stack(NETS["padded"], (64, 48))
    turned = Stack.of(np.ascontiguousarray(np.rot90(stack.array, axes=(1, 2))), "CYX")
    a, b = (probabilities(model, one, augment="flips and turns")[:, 0, 0] for one in (stack, turned))
    assert np.abs(np.rot90(a, axes=(1, 2)) - b).max() <= 1e-5


def test_symmetries_are_all_different_and_are_undone():
    x = torch.arange(6.0).view(1, 2, 3)
    every = symmetries("flips and turns")
    assert all(torch.equal(s.back(s.there(x)), x) for s in every)
    square = torch.arange(9.0).view(3, 3)
    assert len({tuple(s.there(square).flatten().tolist()) for s in every}) == 8


@pytest.mark.parametrize("how", ["entropy", "augmentation", "dropout"])
@pytest.mark.parametrize("name", DROPOUT)
def test_uncertainty_does_not_hang_on_the_tiles(name, how):
    model, stack = random_model(DROPOUT[name]), random_stack(DROPOUT[name], (70, 93))
    whole, tiled = (uncertainty(model, stack, tile=tile, uncertainty=how) for tile in ("whole", 24))
    assert np.abs(tiled - whole).max() <= 1e-5
    part = (slice(0, 1), slice(0, 1), slice(13, 50), slice(31, 90))
    region = uncertainty(model, stack, part, tile=24, uncertainty=how)
    assert np.abs(region - whole)[part[2:]].max() <= 1e-5
    assert whole.min() >= 0
    assert whole.max() <= (1 if how == "entropy" else 0.5)
    assert whole.max() > 1e-3


def test_uncertainty_is_what_it_says():
    model, stack = random_model(NETS["padded"]), random_stack(NETS["padded"], (32, 32))
    p = probabilities(model, stack)[:, 0, 0]
    entropy = -(p * np.log(p)).sum(0) / np.log(2)
    assert np.abs(uncertainty(model, stack) - entropy).max() <= 1e-5
    image = torch.from_numpy(stack.array)
    inside = []
    for symmetry in symmetries("flips and turns"):
        there = Stack.of(symmetry.there(image).contiguous().numpy(), "CYX")
        inside.append(symmetry.back(torch.from_numpy(probabilities(model, there)[1, 0, 0])).numpy())
    assert np.abs(uncertainty(model, stack, uncertainty="augmentation") - np.std(inside, axis=0)).max() <= 1e-5


def test_seams_are_looked_for_in_what_is_computed():
    model, stack = random_model(DROPOUT["padded"]), random_stack(NETS["padded"], (300, 300))
    for how in ({"augment": "flips"}, {"output": "uncertainty", "uncertainty": "dropout", "samples": 2}):
        spec = PredictSpec(device="cpu", precision="float32", tile=64, **how)
        found = check_seams(model, stack, measure(stack, model.card.normalise), spec)
        assert found.compared
        assert found.difference <= 1e-5


def test_a_model_without_dropout_says_so_and_one_of_one_class_too():
    stack = random_stack(NETS["padded"], (32, 32))
    with pytest.raises(AnnotrainError, match="no dropout"):
        uncertainty(random_model(NETS["padded"]), stack, uncertainty="dropout")
    with pytest.raises(AnnotrainError, match="only one class"):
        uncertainty(random_model(NETS["padded"], classes=(1,)), stack)


def test_what_it_takes_is_told():
    model, stack = random_model(DROPOUT["padded"]), random_stack(NETS["padded"], (32, 32))

    def told(**spec):
        events = segment(model, stack, measure(stack, model.card.normalise), PredictSpec(device="cpu", **spec))
        return " ".join(event.text for event in events if isinstance(event, Note))

    assert told() == ""
    assert "8 times as long" in told(augment="flips and turns")
    assert "8 times as long" in told(output="uncertainty", uncertainty="augmentation")
    assert "16 times as long" in told(output="uncertainty", uncertainty="dropout")


def test_compared_views_leave_less_memory_for_tiles():
    net, region = NetSpec(width=4, outputs=8), (slice(0, 9000), slice(0, 9000))
    one, eight = (
        tile_size.choose_core(PredictSpec(augment=views), net, region, 1_000_000_000)
        for views in ("none", "flips and turns")
    )
    assert eight < one


def test_dropout_drops_the_share_it_should_each_time_something_else():
    layer = PlacedDropout(0.3, width=8, grid=4, alpha=False)
    x = torch.ones(1, 16, 64, 64)
    drawn = []
    for layer.sample in range(3):
        drawn.append(layer(x))
        assert (drawn[-1] == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
        assert drawn[-1].mean().item() == pytest.approx(1, abs=0.02)
    assert ((drawn[0] == 0) == (drawn[1] == 0)).float().mean().item() == pytest.approx(0.58, abs=0.02), "independent"
    maps = (drawn[2][0] == 0).float().flatten(1)
    assert torch.corrcoef(maps).fill_diagonal_(0).abs().max() < 0.1
    assert RANGE * 0.3 > 1


def test_alpha_dropout_keeps_mean_and_spread():
    layer = PlacedDropout(0.2, width=8, grid=4, alpha=True)
    torch.manual_seed(0)
    out = layer(torch.randn(1, 16, 64, 64))
    assert out.mean().item() == pytest.approx(0, abs=0.02)
    assert out.std().item() == pytest.approx(1, abs=0.02)


def test_the_spread_of_maps_is_their_standard_deviation_and_of_equal_ones_nothing():
    torch.manual_seed(0)
    maps, spread, same = torch.rand(5, 2, 3, 3), Spread(), Spread()
    for one in maps:
        spread.add(one)
        same.add(maps[0] + 0.9)
    assert torch.allclose(spread.deviation, maps.std(0, correction=0), atol=1e-6)
    assert torch.allclose(spread.mean, maps.mean(0), atol=1e-6)
    assert same.deviation.max() < 1e-6

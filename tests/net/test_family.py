"""The relatives of the U-Net: that each choice is what it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.blocks import Dense, Residual
from napari_annotrain.net.down import Halved
from napari_annotrain.net.ready import PlainUNet, can_rewrite, make_ready
from napari_annotrain.net.unet import UNet
from napari_annotrain.net.up import make_up
from napari_annotrain.specs import NetSpec
from napari_annotrain.tiles.geometry import geometry
from tests.net.family import presets, variations
from tests.net.test_fused import trained

FAMILY = variations() | presets()


@pytest.mark.parametrize("net", FAMILY.values(), ids=FAMILY)
def test_every_network_learns(net):
    """A few steps on one image lower the loss, and every weight has a part in it."""
    torch.manual_seed(0)
    network = UNet(net.model_copy(update={"dropout": 0.0})).train()
    size = geometry(net).read_size(2 * geometry(net).grid)
    image = torch.randn(2, 1, size, size)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    wanted = (image > 0).long()
    losses = []
    for _ in range(12):
        scores = network(image)
        lost = (size - scores.shape[-1]) // 2
        loss = torch.nn.functional.cross_entropy(scores, wanted[:, 0, lost : size - lost, lost : size - lost])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    assert all(p.grad is not None for p in network.parameters())
    assert any(p.grad.abs().sum() > 0 for p in network.down.parameters()) or not len(network.down)


@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 6e-2)])
@pytest.mark.parametrize("net", FAMILY.values(), ids=FAMILY)
def test_made_ready_for_prediction_it_gives_the_same_scores(net, precision, tolerance):
    network = trained(net)
    image = torch.randn(1, net.channels, *[geometry(net).read_size(32)] * 2)
    with torch.inference_mode():
        expected, found = network(image), make_ready(network, precision)(image)
    assert found.dtype == precision
    error = (found.float() - expected).abs()
    assert error.mean() <= tolerance * float(expected.abs().max())
    if precision == torch.float32:
        assert error.max() <= tolerance * float(expected.abs().max())


PADDED = {name: net for name, net in FAMILY.items() if net.padding == "same"}


@pytest.mark.parametrize("net", PADDED.values(), ids=PADDED)
def test_with_a_margin_it_gives_the_inner_part(net):
    network, shape = trained(net), geometry(net)
    image = torch.randn(1, 1, *[shape.read_size(3 * shape.grid)] * 2)
    inner = slice(shape.crop, image.shape[-1] - shape.crop)
    with torch.inference_mode():
        whole, core = network(image), network(image, shape.crop)
    assert torch.allclose(core, whole[..., inner, inner], atol=1e-5)


def test_the_fast_rewriting_is_used_for_the_networks_it_knows_and_for_no_others():
    known = {name for name, net in variations().items() if can_rewrite(net)}
    others = {name for name in variations() if name not in known}
    assert {"up-transposed", "down-max", "depth-3", "padding-valid", "normalisation-none", "dropout-0.5"} <= known
    assert {"up-bilinear", "down-none", "skips-add", "block-residual", "activation-leaky"} <= others


def test_too_many_feature_maps_for_exact_bfloat16_are_computed_in_single_precision():
    wide = UNet(NetSpec(width=160, depth=2, convolutions=1, skips="add")).eval()
    assert PlainUNet(wide, torch.bfloat16)._precision == torch.float32
    image = torch.randn(1, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(PlainUNet(wide, torch.bfloat16)(image), wide(image).bfloat16())


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"up": "unpool", "down": "average"}, "choose max as way down"),
        ({"up": "unpool", "down": "none"}, "choose max as way down"),
        ({"up": "unpool", "skips": "scores"}, "other skips"),
        ({"width": 0}, "width cannot be 0"),
        ({"up": "deconvolution"}, "up cannot be deconvolution"),
        ({"colour": 3}, "colour cannot be 3"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(choices, words):
    with pytest.raises(AnnotrainError, match=words) as refused:
        NetSpec().choose(choices)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith(".")


def test_only_what_was_given_is_chosen():
    paper = presets()["paper"]
    assert paper.choose(NetSpec(skips="add")) == paper.model_copy(update={"skips": "add"})
    assert paper.choose(None) == paper
    assert paper.differences(paper.choose({"depth": 3})) == ["Depth 4 and not 3"]


def test_networks_described_before_there_were_choices_are_the_usual_ones():
    old = {"channels": 1, "outputs": 2, "ndim": 2, "width": 16, "depth": 4, "convolutions": 2, "padding": "same"}
    net = NetSpec.model_validate(old | {"normalisation": "batch", "dropout": 0.0})
    assert (net.down, net.up, net.skips, net.block, net.activation) == (
        "max",
        "transposed",
        "concatenate",
        "plain",
        "relu",
    )


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_unpooling_puts_the_largest_back_and_zeros_beside(height, width, seed):
    torch.manual_seed(seed)
    spec, x = NetSpec(up="unpool"), torch.randn(1, 2, 2 * height, 2 * width)
    halved, largest = Halved(spec, 2)(x)
    up = make_up(spec, 2, 2)
    up.mixed.weight.data = torch.eye(2).view(2, 2, 1, 1)
    up.mixed.bias.data.zero_()
    expected = torch.nn.functional.max_unpool2d(*torch.nn.functional.max_pool2d(x, 2, return_indices=True), 2)
    assert torch.allclose(up(halved, largest), expected)


@pytest.mark.parametrize("up", ["transposed", "transposed3", "nearest1", "nearest3", "bilinear", "bicubic"])
def test_every_way_up_doubles_the_sides(up):
    assert make_up(NetSpec(up=up), 6, 3)(torch.zeros(2, 6, 5, 4)).shape == (2, 3, 10, 8)


@pytest.mark.parametrize("up", ["nearest1", "bilinear", "bicubic"])
def test_what_is_interpolated_before_or_after_the_convolution_is_the_same(up):
    torch.manual_seed(0)
    made, x = make_up(NetSpec(up=up), 6, 3), torch.randn(1, 6, 5, 4)
    how, aligned = made.how, None if up == "nearest1" else False
    after = made.mixed(torch.nn.functional.interpolate(x, scale_factor=2.0, mode=how, align_corners=aligned))
    assert torch.allclose(made(x), after, atol=1e-5)


def test_a_residual_block_without_its_convolutions_passes_on_what_it_gets():
    block = Residual(NetSpec(normalisation="none", padding="valid"), 3, 3)
    for p in block.parameters():
        p.data.zero_()
    x = torch.rand(1, 3, 9, 9)
    assert torch.equal(block(x), x[..., 2:-2, 2:-2])


def test_in_a_dense_block_every_convolution_reads_all_before_it():
    block = Dense(NetSpec(convolutions=3), 4, 6)
    assert [step[0].in_channels for step in block.steps] == [4, 6, 8]
    assert block.transition[0].in_channels == 10
    assert block(torch.zeros(1, 4, 8, 8)).shape == (1, 6, 8, 8)


def test_selu_keeps_mean_and_spread_from_layer_to_layer():
    torch.manual_seed(0)
    network = UNet(NetSpec(width=64, depth=4, down="none", convolutions=4, activation="selu", normalisation="none"))
    with torch.inference_mode():
        deep = network.bottom(torch.randn(1, 1, 64, 64))
    assert abs(deep.mean().item()) < 0.2
    assert 0.7 < deep.std().item() < 1.3
    assert isinstance(network.dropout, torch.nn.AlphaDropout)


def test_score_maps_are_all_that_goes_up_in_a_fully_convolutional_network():
    network = UNet(NetSpec(width=4, depth=2, outputs=3, skips="scores", up="bilinear"))
    assert {m.out_channels for m in (*network.merge, network.head)} == {3}
    assert {m.mixed.in_channels for m in network.up} == {3}

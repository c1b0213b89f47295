import pytest
import torch

from napari_annotrain.net import fused
from napari_annotrain.net.device import choose_precision
from napari_annotrain.net.fused import FusedUNet
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS, NetSpec
from napari_annotrain.tiles.geometry import geometry

NETS = {
    "padded": NetSpec(width=4, depth=2),
    "flat": NetSpec(width=4, depth=0),
    "no normalisation": NetSpec(width=4, depth=3, normalisation="none", channels=3, outputs=5),
    "three convolutions": NetSpec(width=4, depth=1, convolutions=3),
    "valid": NetSpec(width=4, depth=2, padding="valid"),
    "paper, narrow": PRESETS["paper"].net.model_copy(update={"width": 2}),
}


def trained(net):
    """A network whose batch statistics are not the neutral ones it starts with."""
    torch.manual_seed(0)
    network = UNet(net)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(1 + 2 * torch.randn(2, net.channels, *[geometry(net).read_size(geometry(net).grid)] * 2))
    return network.eval()


@pytest.fixture(params=[True, False], ids=["fused", "plain"])
def convolutions(request, monkeypatch):
    """With and without oneDNN's fused convolutions."""
    if not request.param:
        monkeypatch.setattr(fused, "_fused_convolutions_work", lambda *args: False)


@pytest.mark.usefixtures("convolutions")
@pytest.mark.parametrize(("precision", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 3e-2)])
@pytest.mark.parametrize("net", NETS.values(), ids=NETS)
def test_it_gives_the_scores_of_the_network_it_was_made_from(net, precision, tolerance):
    network = trained(net)
    image = torch.randn(2, net.channels, *[geometry(net).read_size(48)] * 2)
    with torch.inference_mode():
        expected, found = network(image), FusedUNet(network, precision)(image)
    assert found.dtype == precision
    assert torch.allclose(found.float(), expected, rtol=0, atol=tolerance * float(expected.abs().max()))


@pytest.mark.usefixtures("convolutions")
def test_with_a_margin_it_gives_the_inner_part():
    network = FusedUNet(trained(NETS["padded"]))
    margin = geometry(NETS["padded"]).crop
    image = torch.randn(1, 1, 128, 96)
    with torch.inference_mode():
        whole, core = network(image), network(image, margin)
    assert torch.allclose(core, whole[..., margin:-margin, margin:-margin], atol=1e-5)


def test_the_network_itself_is_left_as_it_is():
    network = trained(NETS["padded"])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    FusedUNet(network, torch.bfloat16)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_fused_convolutions_that_give_something_else_are_not_used(monkeypatch):
    fused._fused_convolutions_work.cache_clear()
    monkeypatch.setattr(fused, "_pointwise", lambda x, *args: torch.zeros_like(x))
    assert not fused._fused_convolutions_work(torch.float32, "cpu")
    fused._fused_convolutions_work.cache_clear()


@pytest.mark.skipif("bfloat16" not in str(choose_precision("auto", torch.device("cpu"))), reason="no bfloat16 here")
def test_processors_with_bfloat16_instructions_use_the_fused_convolutions():
    assert fused._fused_convolutions_work(torch.bfloat16, "cpu")

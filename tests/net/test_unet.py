import numpy as np
import pytest
import torch

from napari_annotrain.net.unet import UNet
from napari_annotrain.net.up import upsample
from napari_annotrain.specs import PRESETS, NetSpec


def test_the_paper_network_has_the_papers_31_million_weights():
    network = UNet(PRESETS["paper"].net)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(31.03e6, rel=0.01)
    assert sum(isinstance(m, torch.nn.Conv2d) for m in network.modules()) + len(network.up) == 23


def test_weights_start_gaussian_with_the_papers_deviation():
    convolution = UNet(NetSpec(width=32)).bottom[0]
    n = 9 * convolution.in_channels
    assert convolution.weight.std().item() == pytest.approx(np.sqrt(2 / n), rel=0.02)
    assert convolution.weight.mean().abs().item() < 1e-3


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("outputs", [2, 4])
def test_the_first_layer_follows_the_channels_and_the_last_one_the_classes(channels, outputs):
    network = UNet(NetSpec(width=2, depth=1, channels=channels, outputs=outputs)).eval()
    assert network(torch.zeros(1, channels, 8, 8)).shape == (1, outputs, 8, 8)


def test_dropout_acts_while_training_only():
    torch.manual_seed(0)
    network = UNet(NetSpec(width=4, depth=2, dropout=0.5, normalisation="none"))
    image = torch.rand(1, 1, 16, 16)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_shifting_by_the_grid_shifts_the_result_and_by_less_does_not():
    torch.manual_seed(0)
    network = UNet(NetSpec(width=4, depth=2)).eval()
    image = torch.rand(1, 1, 96, 96)
    with torch.inference_mode():
        here = network(image)
        by_4 = network(image.roll(4, -1)).roll(-4, -1)
        by_1 = network(image.roll(1, -1)).roll(-1, -1)
    inner = (..., slice(30, 66), slice(30, 66))
    assert torch.equal(here[inner], by_4[inner])
    assert not torch.allclose(here[inner], by_1[inner])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (3, 6, 5, 4)])
def test_upsampling_is_the_transposed_convolution_and_so_are_its_gradients(shape, memory_format):
    torch.manual_seed(0)
    up = torch.nn.ConvTranspose2d(6, 3, 2, stride=2)
    x = torch.randn(shape).contiguous(memory_format=memory_format).requires_grad_()
    weights = torch.randn(shape[0], 3, 2 * shape[2], 2 * shape[3])
    found = []
    for way in (lambda: up(x), lambda: upsample(x, up)):
        y = way()
        found.append((y, *torch.autograd.grad((y * weights).sum(), [x, up.weight, up.bias])))
    for expected, value in zip(*found, strict=True):
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)

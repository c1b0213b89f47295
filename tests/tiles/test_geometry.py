import itertools

import pytest
import torch

from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS, NetSpec
from napari_annotrain.tiles.geometry import geometry, output_size
from tests.net.family import pairs, presets, variations

SPECS = [
    NetSpec(width=2, depth=depth, convolutions=convolutions, padding=padding, normalisation=normalisation)
    for depth, convolutions, padding, normalisation in itertools.product(
        (0, 1, 2, 3), (1, 2, 3), ("same", "valid"), ("none", "batch")
    )
] + [PRESETS["fast"].net.model_copy(update={"width": 2}), PRESETS["paper"].net.model_copy(update={"width": 2})]
NAMES = [f"{s.padding}-{s.depth}-{s.convolutions}-{s.normalisation}" for s in SPECS]
FAMILY = dict(zip(NAMES, SPECS, strict=True)) | variations() | pairs() | presets()
PADDED = {name: spec for name, spec in FAMILY.items() if spec.padding == "same"}


def open_network(spec):
    """A network in which nothing is cut off: all weights positive, so that every path shows."""
    network = UNet(spec).double().eval()
    for p in network.parameters():
        p.data.abs_().clamp_(min=0.05)
    return network


def test_the_paper_network_turns_572_into_388():
    assert output_size(PRESETS["paper"].net, 572) == 388
    assert geometry(PRESETS["paper"].net).reach == 92


def test_the_padded_network_of_depth_4_reaches_94_px_and_reads_96():
    shape = geometry(PRESETS["fast"].net)
    assert (shape.grid, shape.reach, shape.before) == (16, 94, 96)


@pytest.mark.parametrize("spec", FAMILY.values(), ids=FAMILY)
def test_output_size_is_the_networks_own(spec):
    network, shape = UNet(spec).eval(), geometry(spec)
    for size in range(1, 4 * shape.grid + shape.surplus):
        expected = output_size(spec, size)
        if expected is not None and size <= 140:
            assert network(torch.zeros(1, 1, size, size)).shape[-2:] == (expected, expected)
    size = shape.read_size(shape.grid)  # the first one a tile may have
    assert network(torch.zeros(1, 1, size, size)).shape[-1] == output_size(spec, size)


@pytest.mark.parametrize("spec", PADDED.values(), ids=PADDED)
def test_reach_is_what_a_perturbation_beyond_an_edge_changes(spec):
    """Change everything beyond an edge on the grid: `reach` columns on this side of it change (1-D is enough).

    Either to the left or to the right; a transposed convolution of 3 x 3 is not symmetric.
    """
    shape = geometry(spec)
    edge = (-(-shape.reach // shape.grid) + 2) * shape.grid
    spoilt = 0
    for seed in range(12 if spec.up == "unpool" else 1):  # how far unpooling reaches depends on what is the largest
        torch.manual_seed(seed)
        network = open_network(spec)
        image = 0.01 * torch.rand(1, 1, max(shape.grid, 8), 2 * edge, dtype=torch.float64)
        for beyond in (slice(0, edge), slice(edge, None)):
            changed = image.clone()
            changed[..., beyond] += torch.rand_like(changed[..., beyond]) + 0.5
            with torch.inference_mode():
                moved = (network(image) != network(changed)).any(dim=2)[0].any(0)
            from_edge = moved[edge:] if beyond.start == 0 else moved[:edge].flip(0)
            spoilt = max([spoilt, *(from_edge.nonzero().flatten() + 1).tolist()])
    assert spoilt == shape.reach


@pytest.mark.parametrize("spec", FAMILY.values(), ids=FAMILY)
def test_an_input_of_read_size_covers_the_core(spec):
    shape = geometry(spec)
    for core in (1, shape.grid, 3 * shape.grid):
        size = shape.read_size(core)
        out = output_size(spec, size)
        assert out is not None
        assert out - shape.crop >= shape.round_up(core)
        assert shape.before >= shape.reach

import itertools

import pytest
import torch

from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS, NetSpec
from napari_annotrain.tiles.geometry import geometry, output_size

SPECS = [
    NetSpec(width=2, depth=depth, convolutions=convolutions, padding=padding, normalisation=normalisation)
    for depth, convolutions, padding, normalisation in itertools.product(
        (0, 1, 2, 3), (1, 2, 3), ("same", "valid"), ("none", "batch")
    )
] + [PRESETS["fast"].net.model_copy(update={"width": 2}), PRESETS["paper"].net.model_copy(update={"width": 2})]
PADDED = [spec for spec in SPECS if spec.padding == "same"]
NAMES = [f"{s.padding}-{s.depth}-{s.convolutions}-{s.normalisation}" for s in SPECS]


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


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_output_size_is_the_networks_own(spec):
    network = UNet(spec).eval()
    grid = 2**spec.depth
    for size in range(1, 6 * grid + geometry(spec).surplus):
        expected = output_size(spec, size)
        if expected is not None and size <= 140:
            assert network(torch.zeros(1, 1, size, size)).shape[-2:] == (expected, expected)


@pytest.mark.parametrize("spec", PADDED, ids=[name for name in NAMES if name.startswith("same")])
def test_reach_is_what_a_perturbation_beyond_an_edge_changes(spec):
    """Change everything left of an edge on the grid: exactly `reach` columns right of it change (1-D is enough)."""
    shape = geometry(spec)
    edge = (-(-shape.reach // shape.grid) + 1) * shape.grid
    width = 2 * edge
    image = torch.zeros(1, 1, shape.grid, width, dtype=torch.float64)  # dark, so that the faintest change shows
    changed = image.clone()
    changed[..., :edge] += 1
    network = open_network(spec)
    with torch.inference_mode():
        difference = (network(image) - network(changed)).abs().amax((0, 1, 2))
    right = difference[edge:]
    assert int((right > 0).sum()) == shape.reach
    assert (right[: shape.reach] > 0).all()


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_an_input_of_read_size_covers_the_core(spec):
    shape = geometry(spec)
    for core in (1, shape.grid, 3 * shape.grid):
        size = shape.read_size(core)
        out = output_size(spec, size)
        assert out is not None
        assert out - shape.crop >= shape.round_up(core)
        assert shape.before >= shape.reach

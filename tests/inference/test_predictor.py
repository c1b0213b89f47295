import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_annotrain.data.normalise import Normalisation, measure
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Note, TileDone
from napari_annotrain.inference import predictor, tile_size
from napari_annotrain.inference.predictor import Predictor, ready_predictor
from napari_annotrain.inference.segment import segment
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS, NetSpec, NormaliseSpec, PredictSpec
from napari_annotrain.tiles.geometry import geometry
from napari_annotrain.tiles.grid import cut
from tests.net.family import presets, variations
from tests.net.test_fused import trained

NETS = {
    "padded": NetSpec(width=4, depth=2),
    "valid": NetSpec(width=4, depth=2, padding="valid", normalisation="none"),
    "one convolution": NetSpec(width=4, depth=3, convolutions=1),
    "flat": NetSpec(width=4, depth=0),
    "two channels": NetSpec(width=4, depth=2, channels=2),
    "fast": PRESETS["fast"].net,
}


def random_model(net, target="classes", classes=(0, 1)):
    torch.manual_seed(0)
    network = UNet(net.model_copy(update={"outputs": len(classes)}))
    for module in network.modules():  # batch statistics that are not those of an untrained network
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return Model(Card(target=target, net=network.spec, classes=classes), network.state_dict())


def probabilities(model, stack, region=None, **spec):
    normalisation = measure(stack, model.card.normalise)
    spec = PredictSpec(output="probabilities", device="cpu", **{"precision": "float32", **spec})
    out = np.full((len(model.card.classes), *stack.shape[:1], *stack.shape[2:]), np.nan, np.float32)
    for event in segment(model, stack, normalisation, spec, region):
        if isinstance(event, TileDone):
            out[:, *event.write] = event.result
    return out


def random_stack(net, shape, seed=0):
    image = np.random.default_rng(seed).normal(100, 20, (net.channels, *shape))
    return Stack.of(image.astype(np.float32), "CYX")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NETS)
def test_tiles_give_exactly_what_the_whole_image_gives(name, precision):
    model = random_model(NETS[name])
    stack = random_stack(NETS[name], (150, 203))
    whole = probabilities(model, stack, tile="whole", precision=precision)
    tiled = probabilities(model, stack, tile=48, precision=precision)
    assert not np.isnan(tiled).any()
    assert np.abs(tiled - whole).max() <= 1e-5
    assert np.array_equal(tiled.argmax(0), whole.argmax(0))
    assert whole.std() > 0.002, "test invalid: the network says the same everywhere"


FAMILY = variations() | presets(width=4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("net", FAMILY.values(), ids=FAMILY)
def test_tiles_of_every_relative_are_exact(net, precision):
    """At the image's border too, which is mirrored and lies in the middle of no tile."""
    model, stack = Model(Card(net=net, classes=(0, 1)), trained(net).state_dict()), random_stack(net, (75, 90))
    whole, tiled = (probabilities(model, stack, tile=tile, precision=precision) for tile in ("whole", 32))
    assert not np.isnan(tiled).any()
    assert np.abs(tiled - whole).max() <= 1e-5
    assert np.array_equal(tiled.argmax(0), whole.argmax(0))
    assert whole.std() > 0.001, "test invalid: the network says the same everywhere"


@pytest.mark.nightly
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "fast"])
def test_the_larger_presets_are_exact_as_well(preset, precision):
    net = PRESETS[preset].net
    stack = random_stack(net, (260, 330))
    whole, tiled = (probabilities(random_model(net), stack, tile=tile, precision=precision) for tile in ("whole", 112))
    assert np.abs(tiled - whole).max() <= 1e-5
    assert np.array_equal(tiled.argmax(0), whole.argmax(0))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["padded", "valid", "flat"]),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(1, 64),
    st.sampled_from(["float32", "bfloat16"]),
)
def test_any_size_and_any_tile_give_what_the_whole_gives(name, height, width, tile, precision):
    model = random_model(NETS[name])
    stack = random_stack(NETS[name], (height, width))
    whole, tiled = (probabilities(model, stack, tile=t, precision=precision) for t in ("whole", tile))
    assert np.abs(tiled - whole).max() <= 1e-5
    assert np.array_equal(tiled.argmax(0), whole.argmax(0))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_region_gives_what_the_whole_gives_there(data):
    model = random_model(NETS["padded"])
    stack = random_stack(NETS["padded"], (90, 110))
    y, x = data.draw(st.integers(0, 89)), data.draw(st.integers(0, 109))
    rows, columns = slice(y, data.draw(st.integers(y + 1, 90))), slice(x, data.draw(st.integers(x + 1, 110)))
    whole = probabilities(model, stack)
    part = probabilities(model, stack, region=(slice(0, 1), slice(0, 1), rows, columns), tile=32)
    assert np.abs(part[..., rows, columns] - whole[..., rows, columns]).max() <= 1e-5
    assert np.isfinite(part).sum() == part[..., rows, columns].size


def test_a_margin_short_of_the_reach_would_show(monkeypatch):
    """The exactness above is no accident: with the margin cut by one grid step the tiles differ."""
    model = random_model(NETS["padded"])
    stack = random_stack(NETS["padded"], (64, 64))
    whole = probabilities(model, stack, tile="whole")
    from napari_annotrain.tiles.geometry import Geometry, geometry

    right = geometry(model.card.net)
    short = Geometry(right.grid, right.reach, 8, 16, 8)
    monkeypatch.setattr(predictor, "geometry", lambda net: short)
    assert np.abs(probabilities(model, stack, tile=16) - whole).max() > 1e-4


def test_borders_are_mirrored():
    """A plane continued by its own mirror image is what the network sees beyond the border."""
    model = random_model(NETS["padded"])
    inner = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    wide = np.pad(inner, 48, mode="reflect")
    fixed = Normalisation((0.0,), (1.0,))
    spec = PredictSpec(output="probabilities", device="cpu", precision="float32")

    def run(image):
        (done,) = [e for e in segment(model, Stack.of(image), fixed, spec) if isinstance(e, TileDone)]
        return done.result[:, 0, 0]

    assert np.allclose(run(inner), run(wide)[:, 48:-48, 48:-48], atol=1e-5)


def test_out_of_memory_halves_the_tile_says_so_and_changes_nothing(monkeypatch):
    model = random_model(NETS["padded"])
    stack = random_stack(NETS["padded"], (100, 130))
    expected = probabilities(model, stack)
    real = Predictor.compute

    def short_of_memory(self, patch, decoding):
        if patch.tile.write[0].stop - patch.tile.write[0].start > 32:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(self, patch, decoding)

    monkeypatch.setattr(Predictor, "compute", short_of_memory)
    events = list(segment(model, stack, measure(stack, NormaliseSpec()), PredictSpec(tile=128, device="cpu")))
    notes = [e.text for e in events if isinstance(e, Note)]
    assert notes == [
        "Not enough memory for tiles of 128 px: went on with 64 px.",
        "Not enough memory for tiles of 64 px: went on with 32 px.",
    ]
    assert np.abs(probabilities(model, stack, tile=128) - expected).max() <= 1e-5


def test_another_runtime_error_is_not_taken_for_a_lack_of_memory(monkeypatch):
    def broken(*args):
        raise RuntimeError("something else")

    monkeypatch.setattr(Predictor, "compute", broken)
    with pytest.raises(RuntimeError, match="something else"):
        probabilities(random_model(NETS["padded"]), random_stack(NETS["padded"], (40, 40)))


CPU = torch.device("cpu")


@pytest.mark.parametrize("budget", [0, 300_000_000, 1_000_000_000, 4_000_000_000])
def test_more_memory_means_larger_tiles_on_the_grid_between_a_floor_and_a_ceiling(budget):
    net, region = PRESETS["fast"].net, (slice(0, 9000), slice(0, 9000))
    core = tile_size.choose_core(PredictSpec(), net, region, budget)
    assert core % 16 == 0
    assert tile_size.SMALLEST_CORE <= core <= tile_size.LARGEST_CORE
    assert core <= tile_size.choose_core(PredictSpec(), net, region, 2 * budget + 10**9)


def test_tiles_grow_with_the_memory():
    net, region = PRESETS["fast"].net, (slice(0, 9000), slice(0, 9000))
    cores = [tile_size.choose_core(PredictSpec(), net, region, n * 500_000_000) for n in range(4)]
    assert cores[0] == tile_size.SMALLEST_CORE
    assert cores == sorted(set(cores)), "each half gigabyte makes a difference"


def test_what_else_the_process_holds_is_not_taken_for_used_up(monkeypatch):
    spec = PredictSpec(memory=2_000_000_000)
    monkeypatch.setattr(tile_size, "resident_memory", lambda: 30_000_000_000)
    assert tile_size.memory_budget(spec, CPU) == 2_000_000_000 - tile_size.MOST_RESIDENT
    monkeypatch.setattr(tile_size, "resident_memory", lambda: 300_000_000)
    assert tile_size.memory_budget(spec, CPU) == 1_700_000_000
    assert tile_size.memory_budget(PredictSpec(memory=1), CPU) == 0


def test_predicting_again_takes_tiles_as_large_as_the_first_time():
    """What the first run freed stays with the process, and must not be taken for used up."""
    model, spec = random_model(NETS["padded"]), PredictSpec(device="cpu", memory=1_500_000_000)
    probabilities(model, random_stack(NETS["padded"], (40, 40)))
    before = tile_size.memory_budget(spec, CPU)
    probabilities(model, random_stack(NETS["padded"], (1200, 1200)), tile="whole")
    assert tile_size.memory_budget(spec, CPU) == before


def test_an_explicit_tile_wins_over_memory():
    region = (slice(0, 500), slice(0, 500))
    assert tile_size.choose_core(PredictSpec(tile=50), NETS["fast"], region, 1) == 64
    assert tile_size.choose_core(PredictSpec(tile="whole"), NETS["fast"], region, 1) >= 500


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_the_gpu_gives_what_the_cpu_gives(precision):
    model = random_model(NETS["fast"])
    stack = random_stack(NETS["fast"], (300, 300))
    normalisation = measure(stack, NormaliseSpec())
    out = {}
    for device, exact in (("cpu", "float32"), ("cuda", precision)):
        spec = PredictSpec(output="probabilities", device=device, precision=exact, tile=128)
        out[device] = np.zeros((2, 1, 1, 300, 300))
        for event in segment(model, stack, normalisation, spec):
            if isinstance(event, TileDone):
                out[device][:, *event.write] = event.result
    assert np.abs(out["cpu"] - out["cuda"]).max() < (1e-3 if precision == "float32" else 0.1)


def test_a_view_off_the_grid_is_one_tile():
    net = NETS["fast"]
    region = (slice(100, 612), slice(37, 549))
    core = tile_size.choose_core(PredictSpec(), net, region, 2_000_000_000)
    assert len(cut(region, core, geometry(net))) == 1


def test_a_network_is_made_ready_once_and_goes_with_its_model():
    model, spec = random_model(NETS["padded"]), PredictSpec(device="cpu", precision="float32")
    first = ready_predictor(model, spec)
    assert ready_predictor(model, spec) is first
    assert ready_predictor(model, spec.model_copy(update={"precision": "bfloat16"})) is not first
    other = random_model(NETS["padded"])
    assert ready_predictor(other, spec) is not first
    gone = weakref.ref(ready_predictor(other, spec))
    del other
    gc.collect()
    assert gone() is None

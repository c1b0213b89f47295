"""Feature maps: those of the whole image, and where they are said to lie."""

import numpy as np
import pytest
import torch

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import NetSpec, NormaliseSpec

NETWORKS = {
    "U-Net": NetSpec(depth=3, width=4),
    "valid": NetSpec(depth=2, width=4, padding="valid"),
    "residual, bicubic": NetSpec(depth=2, width=4, block="residual", up="bicubic", skips="add"),
    "dense, unpooling": NetSpec(depth=2, width=4, block="dense", up="unpool", skips="none"),
    "score maps": NetSpec(depth=2, width=4, skips="scores"),
    "flat": NetSpec(depth=2, width=4, down="none", skips="none"),
}


def model_of(net, **card):
    torch.manual_seed(1)
    network = UNet(net).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after some training
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    fixed = NormaliseSpec(scope="training")
    return Model(
        Card(net=net, classes=(0, 1), normalise=fixed, training_range=((0.0, 1.0),), **card), network.state_dict()
    )


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS)
def net(request):
    return request.param


def test_a_box_gives_what_the_whole_image_gives_there(net):
    image = np.random.default_rng(0).random((96, 112), np.float32)
    model = model_of(net)
    whole = at.feature_maps(model, image)
    part = at.feature_maps(model, image, box=(slice(16, 64), slice(32, 80)))
    assert [level.level for level in whole] == [level.level for level in part]
    for a, b in zip(whole, part, strict=True):
        y, x = (round((theirs - ours) / a.pixel) for ours, theirs in zip(a.origin, b.origin, strict=True))
        there = a.maps[:, y : y + b.maps.shape[1], x : x + b.maps.shape[2]]
        np.testing.assert_allclose(b.maps, there, atol=1e-4, err_msg=a.level)
        assert b.maps.shape[1] - 48 / a.pixel in (0, 1)


@pytest.mark.parametrize("box", [(0, 8), (16, 24), (5, 6), (95, 96)])
def test_however_narrow_a_box_is_every_level_shows_something_that_covers_it(net, box):
    image = np.random.default_rng(0).random((96, 112), np.float32)
    for level in at.feature_maps(model_of(net), image, box=(slice(*box), slice(7, 90))):
        n = level.maps.shape[1]
        top = level.origin[0] - level.pixel / 2
        assert n >= 1
        assert top <= box[0] - 0.5 + 1e-6, level.level
        assert top + n * level.pixel >= box[1] - 0.5 - 1e-6, level.level


def test_the_last_level_of_summed_score_maps_is_the_result():
    model = model_of(NETWORKS["score maps"])
    image = np.random.default_rng(0).random((64, 64), np.float32)
    *_, last = at.feature_maps(model, image)
    shares = at.predict(model, image, output="probabilities", precision="float32")
    exponents = np.exp(last.maps - last.maps.max(0))
    np.testing.assert_allclose(exponents / exponents.sum(0), shares, atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_what_is_seen_is_where_it_is(net, scale):
    """Weights that mirror themselves see a spot on the grid in its middle, on every level."""
    plain = np.full((128, 144), 0.5, np.float32)
    spot = plain.copy()
    spot[60:68, 76:84] = 1
    model = model_of(net, scale=scale)
    for tensor in model.weights.values():
        if tensor.ndim == 4:
            tensor.copy_(sum(tensor.flip(dims) for dims in ((), (2,), (3,), (2, 3))) / 4)
    for before, after in zip(at.feature_maps(model, plain), at.feature_maps(model, spot), strict=True):
        change = np.abs(after.maps - before.maps).sum(0)
        middle = [(change.sum(1 - axis) * np.arange(n)).sum() / change.sum() for axis, n in enumerate(change.shape)]
        seen = [o + after.pixel * m for o, m in zip(after.origin, middle, strict=True)]
        within = (2 if net.up == "unpool" else 0.05) * after.pixel  # of equal pixels the first is remembered
        np.testing.assert_allclose(seen, (63.5, 79.5), atol=within, err_msg=after.level)


def test_the_first_filters_are_what_the_first_convolution_does():
    model = model_of(NETWORKS["U-Net"])
    first = model.network(torch.device("cpu")).down[0]
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        wanted = first[1](first[0](image))[0]
        found = torch.nn.functional.conv2d(image, torch.from_numpy(at.first_filters(model)), padding=1)[0]
    rest = (wanted - found)[:, 2:-2, 2:-2]
    assert rest.std((1, 2)).max() < 1e-5, "they differ by a constant"


def test_maps_that_vary_most_come_first():
    image = np.random.default_rng(0).random((64, 64), np.float32)
    for level in at.feature_maps(model_of(NETWORKS["U-Net"]), image):
        spread = level.maps.std((1, 2))[level.most_varied_first]
        assert np.all(np.diff(spread) <= 0)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"t": 1}, "no plane"),
        ({"box": (slice(0, 0), slice(0, 8))}, "nothing of"),
        ({"box": (slice(0, 8, 2), slice(0, 8))}, "nothing of"),
    ],
)
def test_what_is_not_there_cannot_be_looked_at(how, words):
    with pytest.raises(AnnotrainError, match=words):
        at.feature_maps(model_of(NETWORKS["flat"]), np.zeros((32, 32)), **how)


def test_too_large_a_box_is_refused_in_words():
    with pytest.raises(AnnotrainError, match="smaller box"):
        at.feature_maps(model_of(NETWORKS["flat"]), np.zeros((32, 1025)))
    with pytest.raises(AnnotrainError, match="smaller box"):  # the network would see twice as much
        at.feature_maps(model_of(NETWORKS["flat"], scale=2.0), np.zeros((32, 600)))


def test_what_is_too_large_for_the_window_is_looked_at_in_its_middle():
    stack = Stack.of(np.zeros((2000, 100)), "YX")
    seen, maps = api.look_inside(model_of(NETWORKS["flat"], scale=2.0), stack, 0, 0, (slice(0, 2000), slice(0, 100)))
    assert seen == (slice(744, 1256), slice(0, 100))
    assert maps[0].maps.shape[1:] == (1024, 200)

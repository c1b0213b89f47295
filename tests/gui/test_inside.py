"""Look inside: feature maps of what is in view, as a layer."""

import threading

import numpy as np
import pytest
import torch

from napari_annotrain import api
from napari_annotrain._napari.models.inside import mosaic
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.session import Trained
from napari_annotrain.specs import NetSpec

pytestmark = pytest.mark.gui


def small_model(width):
    torch.manual_seed(0)
    net = NetSpec(depth=2, width=width)
    return Model(Card(net=net, classes=(0, 1)), UNet(net).state_dict())


@pytest.fixture
def lab(person):
    """A stack of two planes, the second one brighter on the right, and two networks."""
    made = person()
    image = np.random.default_rng(0).integers(0, 100, (2, 64, 96)).astype(np.uint8)
    image[1, :, 48:] += 100
    made.layer = made.viewer.add_image(image, name="cells", scale=(1, 0.5, 0.5), translate=(0, 10, 20))
    made.open_panel()
    for width in (4, 6):
        made.controller.models.use(Trained(f"width {width}", small_model(width), 0.5))
    return made


def look(lab):
    lab.wait(lambda: not lab.controller.inside.busy and "cells inside" in lab.viewer.layers)
    return lab.viewer.layers["cells inside"]


def edges(layer):
    """Corners in the plane, outer edges of the pixels."""
    (low, high), half = layer.extent.world[:, 1:], layer.scale[1:] / 2
    return low - half, high + half


def test_a_map_lies_over_the_view_follows_the_model_and_the_plane_and_goes(lab):
    assert lab.enabled("inside_button")
    lab.click("inside_button")
    shown = look(lab)
    assert shown not in lab.controller.roster.images()
    np.testing.assert_allclose(edges(shown), edges(lab.layer))
    assert lab.find("inside_map_spin").suffix() == " of 6"
    levels = lab.find("inside_level_combo")
    assert [levels.itemText(i).split(" ·")[0] for i in range(levels.count())][1:] == [
        "down 1", "down 2", "bottom", "up 2", "up 1",
    ]  # fmt: skip

    levels.setCurrentIndex(3)
    assert shown.data.shape == (1, 16, 24), "a quarter of the view along each side"
    np.testing.assert_allclose(edges(shown), edges(lab.layer))
    assert "4 px" in lab.find("inside_label").text()
    first = shown.data.copy()
    lab.find("inside_map_spin").setValue(2)
    assert not np.array_equal(first, shown.data)

    lab.find("inside_map_spin").setValue(1)
    before = shown.data
    lab.viewer.dims.set_current_step(0, 1)
    lab.wait(lambda: shown.data is not before and not lab.controller.inside.busy)
    assert shown.translate[0] == 1, "it lies in the plane that is seen"

    lab.find("model_combo").setCurrentIndex(1)  # the first one
    lab.wait(lambda: lab.find("inside_map_spin").suffix() == " of 16")
    levels.setCurrentIndex(0)
    assert np.isnan(shown.data).any(), "filters stand apart"
    np.testing.assert_allclose(edges(shown)[0], edges(lab.layer)[0])
    assert not lab.enabled("inside_map_spin")
    lab.click("inside_button")
    assert "cells inside" not in lab.viewer.layers


def test_switched_off_while_the_network_looks_it_stays_off(lab, monkeypatch):
    gate, real = threading.Event(), api.look_inside

    def slow(*given):
        gate.wait(30)
        return real(*given)

    monkeypatch.setattr(api, "look_inside", slow)
    lab.click("inside_button")
    assert lab.controller.inside.busy
    lab.click("inside_button")
    gate.set()
    lab.wait(lambda: not lab.controller.inside.busy)
    assert "cells inside" not in lab.viewer.layers
    assert not lab.find("inside_level_combo").isVisible()


def test_stepping_away_and_straight_back_keeps_the_map(lab, monkeypatch):
    lab.click("inside_button")
    shown = look(lab)
    gate, real, asked = threading.Event(), api.look_inside, []

    def slow(model, stack, t, z, *rest):
        asked.append(z)
        gate.wait(30)
        return real(model, stack, t, z, *rest)

    monkeypatch.setattr(api, "look_inside", slow)
    lab.viewer.dims.set_current_step(0, 1)
    lab.wait(lambda: asked == [1])
    lab.viewer.dims.set_current_step(0, 0)
    lab.controller.inside.look()  # as soon as the view rests
    gate.set()
    lab.wait(lambda: not lab.controller.inside.busy)
    assert shown.translate[0] == 0
    assert shown in lab.viewer.layers


def test_an_image_that_cannot_be_used_is_refused_in_words_and_the_panel_lives(lab):
    lab.click("inside_button")
    look(lab)
    odd = lab.viewer.add_image(np.zeros((1, 1, 1, 1, 8, 8), np.uint8), name="odd")
    lab.find("image_combo").choose(odd)
    lab.wait(lambda: "cells inside" not in lab.viewer.layers)
    assert lab.find("inside_label").text()


def test_another_image_has_its_maps_where_it_lies(lab):
    turned = np.random.default_rng(1).integers(0, 100, (64, 64)).astype(np.uint8)
    lab.click("inside_button")
    look(lab)
    other = lab.viewer.add_image(turned, name="turned", rotate=30, translate=(100, 0))
    lab.viewer.fit_to_view()
    lab.find("image_combo").choose(other)
    lab.wait(lambda: not lab.controller.inside.busy and "turned inside" in lab.viewer.layers)
    assert "cells inside" not in lab.viewer.layers
    shown = lab.viewer.layers["turned inside"]
    np.testing.assert_allclose(shown.data_to_world((3, 7)), other.data_to_world((3, 7)))


def test_an_image_whose_columns_come_first_has_its_maps_turned_like_it(person):
    made = person()
    image = np.zeros((40, 64), np.uint8)
    image[:10] = 200
    layer = made.viewer.add_image(image, name="cells", axis_labels=("x", "y"))
    made.open_panel()
    made.controller.models.use(Trained("width 4", small_model(4), 0.5))
    assert made.controller.roster.axes(layer) == "XY"
    made.click("inside_button")
    assert look(made).data.shape == (40, 64)


def test_after_a_refusal_another_image_is_looked_at(lab):
    many = lab.viewer.add_image(np.zeros((3, 64, 96), np.uint8), name="channels", axis_labels=("c", "y", "x"))
    lab.find("image_combo").choose(many)
    lab.click("inside_button")
    lab.wait(lambda: "channels" in lab.find("inside_label").text())
    lab.find("image_combo").choose(lab.layer)
    look(lab)


def test_what_cannot_be_looked_into_says_why(lab):
    lab.click("inside_button")
    look(lab)
    lab.viewer.dims.ndisplay = 3
    lab.wait(lambda: "flat view" in lab.find("inside_label").text())
    assert "cells inside" not in lab.viewer.layers
    lab.viewer.dims.ndisplay = 2
    look(lab)
    lab.viewer.layers.remove("cells")
    lab.wait(lambda: "cells inside" not in lab.viewer.layers)


def test_without_a_model_the_button_is_grey(person):
    made = person()
    made.viewer.add_image(np.zeros((32, 32)), name="cells")
    made.open_panel()
    assert not made.enabled("inside_button")


def test_filters_of_all_channels_stand_beside_each_other():
    filters = np.arange(4 * 2 * 9, dtype=np.float32).reshape(4, 2, 3, 3)
    picture = mosaic(filters)
    for value in filters.ravel():
        assert (picture == value).sum() == 1
    assert abs(picture.shape[0] - picture.shape[1]) <= 8
    np.testing.assert_array_equal(picture[:3, :3], filters[0, 0])
    np.testing.assert_array_equal(picture[:3, 4:7], filters[0, 1])

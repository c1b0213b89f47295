"""Where next? and what is suspect: with a model that is in doubt exactly where the image is half bright."""

import numpy as np
import pytest

from napari_annotrain import find_suspects, where_next
from napari_annotrain.api import sureness
from napari_annotrain.api.sureness import coarse_order, iter_probabilities, windows_of
from napari_annotrain.data.normalise import measure
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Searched
from napari_annotrain.specs import NormaliseSpec, PredictSpec
from tests.inference.test_segment import threshold_model


def half_bright(shape=(5, 200, 260)):
    """Dark planes with a bright corner, and places of a brightness the model cannot decide on: (z, y, x)."""
    image = np.zeros(shape, np.float32)
    image[:, :40, :40] = 1
    if len(image) < 5:
        return image
    image[3, 130:190, 200:255] = 0.5
    image[1, 140:170, 70:100] = 0.5
    return image


@pytest.mark.parametrize("target", ["classes", "cells"])
def test_the_most_doubtful_place_comes_first_and_says_why(target):
    found = where_next(threshold_model(target), half_bright(), device="cpu", axes="ZYX")
    first, second = found[:2]
    assert (first.z, first.box) == (3, (slice(128, 192), slice(192, 256)))
    assert (second.z, second.box[0].start, second.box[1].start) == (1, 128, 64)
    assert str(first) == (
        f"Plane 3: the model is in doubt about {60 * 55:,} px here (probability near one half) "
        "and nothing is painted within 64 px."
    )


def test_what_is_annotated_is_left_out():
    image = half_bright()
    annotation = np.zeros(image.shape, np.uint16)
    annotation[3, 150, 210] = 1
    found = where_next(threshold_model(), image, annotation, device="cpu", axes="ZYX")
    assert (found[0].z, found[0].near) == (1, False)
    assert all((one.z, one.box[0].start, one.box[1].start) != (3, 128, 192) for one in found)
    near = [one for one in found if one.z == 3 and one.near]
    assert all(not annotation[one.z][one.box].any() for one in near)


def test_a_model_of_one_class_is_never_in_doubt():
    model = threshold_model(classes=(1,))
    with pytest.raises(AnnotrainError, match="only one class"):
        where_next(model, half_bright(), device="cpu", axes="ZYX")


def test_a_long_stack_is_looked_at_in_a_coarse_order(monkeypatch):
    monkeypatch.setattr(sureness, "WINDOW_PX", 64)
    events = []
    where_next(
        threshold_model(),
        np.random.default_rng(0).random((64, 64, 64)),
        most_pixels=8 * 64 * 64,
        device="cpu",
        axes="ZYX",
        on_event=events.append,
    )
    searched = [event for event in events if isinstance(event, Searched)]
    assert [event.total for event in searched] == [8] * 8
    assert isinstance(events[-1], Done)
    planes = sorted(one.z for one in searched[-1].found)
    assert planes == list(range(0, 64, 8))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 40])
def test_any_beginning_of_the_coarse_order_is_spread(n):
    order = coarse_order(n, start=n // 3)
    assert sorted(order) == list(range(n))
    assert order[0] == n // 3
    if n >= 4:  # counted in a circle
        assert (order[1] - order[0]) % n in (n // 2, n - n // 2)


def test_windows_have_the_probabilities_of_the_whole_image(monkeypatch):
    image = np.random.default_rng(0).random((150, 170)).astype(np.float32)
    stack, model = Stack.of(image), threshold_model()
    known, spec = measure(stack, NormaliseSpec()), PredictSpec(device="cpu", precision="float32")
    (_, whole), *_ = iter_probabilities(model, stack, known, spec, [(0, 0, (slice(0, 150), slice(0, 170)))])
    monkeypatch.setattr(sureness, "WINDOW_PX", 64)
    parts = iter_probabilities(model, stack, known, spec, [(0, 0, box) for box in windows_of((150, 170))])
    for (_, _, box), found in parts:
        assert np.allclose(found, whole[:, *box], atol=1e-5)


def test_the_worst_stroke_comes_first_and_what_is_right_is_not_listed():
    image = half_bright()
    annotation = np.zeros(image.shape, np.uint16)
    annotation[0, 100:110, 100:110] = 1  # right
    annotation[2, 60:70, 60:70] = 2  # a slip: this is background
    annotation[4, 10:20, 10:20] = 1  # a slip: this is a cell
    annotation[4, 10:20, 38:44] = 2  # mostly right
    found = find_suspects(threshold_model(), image, annotation, device="cpu", axes="ZYX")
    assert {(one.z, one.value) for one in found[:2]} == {(2, 2), (4, 1)}
    assert all(one.mask.all() and one.mask.shape == (10, 10) for one in found[:2])
    assert (0, 1) not in {(one.z, one.value) for one in found}
    words = next(one for one in found if one.z == 2).words({1: "background", 2: "nucleus"})
    assert words == "Plane 2: nucleus, 100 px; the model sees background on 100 %"


def test_a_slip_in_a_large_area_is_found():
    image = half_bright((1, 600, 600))[0]
    image[400:470, 400:470] = 1
    annotation = np.ones(image.shape, np.uint16)
    annotation[:60, :60] = 0
    found = find_suspects(threshold_model(), image, annotation, device="cpu")
    assert found
    y, x = found[0].box
    assert all(s.start < 470 and s.stop > 400 for s in (y, x))


def test_single_cells_are_compared_with_being_inside_of_any():
    image = half_bright()
    annotation = np.zeros(image.shape, np.uint16)
    annotation[0, 5:20, 5:20], annotation[0, 5:20, 20:38] = 2, 3
    annotation[0, 90:120, 90:120] = 4
    found = find_suspects(threshold_model("cells"), image, annotation, target="cells", device="cpu", axes="ZYX")
    assert [one.value for one in found] == [4]
    assert found[0].words({}, cells=True).startswith("Plane 0: cell 4, 900 px; the model sees")


def test_nothing_painted_gives_nothing():
    image = half_bright((1, 64, 64))[0]
    assert find_suspects(threshold_model(), image, np.zeros(image.shape, np.uint16), device="cpu") == []

"""What the border weights of a plane look like to someone who wonders why two cells merge."""

import numpy as np
import pytest

from napari_annotrain.data.annotation import AnnotatedImage, CompleteRegion
from napari_annotrain.data.border_map import border_map
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import TrainSpec, WeightSpec

SPEC = WeightSpec()


def annotated(labels, regions=()):
    image = np.random.default_rng(0).normal(size=labels.shape)
    return AnnotatedImage(Stack.of(image), Stack.of(labels), regions)


def pair(gap=2):
    """
    . b b b b b b b b . . . .     Cells 2 and 3 with `gap` columns of background (b) between them, which goes on far
    . b 2 2 b b 3 3 b b b b b     to the right; outside nothing is annotated.
    . b b b b b b b b . . . .
    """
    labels = np.zeros((60, 120), np.uint16)
    labels[10:40, 10 : 50 + gap] = 1
    labels[24:27, 50 + gap : 110] = 1
    labels[15:35, 15:30], labels[15:35, 30 + gap : 45 + gap] = 2, 3
    return labels


def drawn(weights, shape):
    """The parts in one plane."""
    plane = np.zeros(shape, np.float32)
    for box, weight in weights.parts:
        plane[box] = np.maximum(plane[box], weight)
    return plane


def plane_of(labels, spec=SPEC, target="cells", regions=()):
    return drawn(border_map(annotated(labels, regions), 0, 0, target, spec), labels.shape)


def test_the_gap_between_two_near_cells_is_heavy_and_all_else_is_not():
    labels = pair()
    weight = plane_of(labels)
    gap = weight[16:34, 30:32]
    assert gap == pytest.approx(10 * np.exp(-((1 + 2) ** 2) / 50))
    assert weight.max() == gap.max()
    assert not weight[24:27, 70:].any()  # annotated, far away
    assert not weight[labels > 1].any()
    assert not weight[labels == 0].any()


def test_it_follows_w0_and_sigma():
    labels = pair(gap=8)
    usual = plane_of(labels)
    assert np.allclose(plane_of(labels, SPEC.model_copy(update={"border": 20.0})), 2 * usual)
    wide = plane_of(labels, SPEC.model_copy(update={"sigma_px": 10.0}))
    assert (wide[usual > 0] > usual[usual > 0]).all()
    assert not plane_of(labels, SPEC.model_copy(update={"border": 0.0})).any()


def test_an_unpainted_gap_weighs_nothing():
    labels = pair()
    labels[labels == 1] = 0
    assert not plane_of(labels).any()


def test_one_cell_has_no_gap():
    labels = pair()
    labels[labels == 3] = 1
    found = border_map(annotated(labels), 0, 0, "cells", SPEC)
    assert (found.n_cells, found.highest, len(found.parts)) == (1, 0, 1)


def test_nothing_annotated_is_nothing_read():
    found = border_map(annotated(np.zeros((60, 120), np.uint8)), 0, 0, "cells", SPEC)
    assert (found.n_cells, found.highest, found.parts) == (0, 0, ())


@pytest.mark.parametrize("target", ["cells", "classes"])
def test_it_is_what_training_uses(target):
    labels = np.zeros((2, 300, 500), np.uint16)
    labels[0, :60, :120] = labels[1, :60, 300:420] = pair(3)
    labels[1, 200:260, :120] = pair(1)
    labels[1, 250:300, 5:8] = 1
    image = annotated(labels if target == "cells" else np.minimum(labels, 2))
    spec = TrainSpec(weights=WeightSpec(balance=0.0))  # every pixel counts 1
    trained = np.zeros(labels.shape, np.float32)
    for area in build_dataset([image], target, spec).areas:
        trained[area.z][area.box] += np.where(area.target >= 0, area.weight - 1, 0)
    shown = [drawn(border_map(image, 0, z, target, spec.weights), labels.shape[1:]) for z in (0, 1)]
    assert np.allclose(shown, trained, atol=1e-5)
    assert trained.max() > 5


def test_only_the_parts_that_are_annotated_are_computed():
    labels = np.zeros((4000, 4000), np.uint8)
    labels[:60, :120] = labels[3900:3960, 3800:3920] = pair()
    found = border_map(annotated(labels), 0, 0, "cells", SPEC)
    assert sum(weight.size for _, weight in found.parts) < 2 * 60 * 120


def test_strokes_of_classes_are_two_cells_only_where_all_is_known():
    labels = np.zeros((60, 60), np.uint8)
    labels[20:40, 10:20], labels[20:40, 30:40] = 2, 2
    labels[20:40, 22:28] = 1
    assert not plane_of(labels, target="classes").any()
    complete = CompleteRegion(0, 0, ((5, 0), (5, 55), (55, 55), (55, 0)))
    weight = plane_of(labels, target="classes", regions=(complete,))
    assert weight[30, 20:30].min() > 0.8


def test_too_many_classes_are_refused_as_in_training():
    labels = np.arange(1600).reshape(40, 40)
    with pytest.raises(AnnotrainError, match="choose the target cells"):
        border_map(annotated(labels), 0, 0, "classes", SPEC)

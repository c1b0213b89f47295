"""Layers to arrays and back, on napari's viewer model without a window."""

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.viewer import arrays, layers
from napari_annotrain._napari.viewer.arrays import as_tzyx
from napari_annotrain._napari.viewer.colours import cell_colours, class_colours, next_cell
from napari_annotrain.errors import AnnotrainError

UM = ("micrometer", "micrometer")


def image(shape, **kwargs):
    return ViewerModel().add_image(np.zeros(shape, np.uint8), **kwargs)


@pytest.mark.parametrize(
    ("shape", "kwargs", "axes", "labels"),
    [
        ((32, 40), {}, "YX", (32, 40)),
        ((7, 32, 40), {}, "ZYX", (7, 32, 40)),
        ((6, 7, 32, 40), {}, "TZYX", (6, 7, 32, 40)),
        ((32, 40, 3), {}, "YXC", (32, 40)),
        ((7, 32, 40, 3), {}, "ZYXC", (7, 32, 40)),
        ((2, 7, 32, 40), {"axis_labels": tuple("czyx")}, "CZYX", (7, 32, 40)),
        ((2, 3, 32, 40), {}, "TZYX", (2, 3, 32, 40)),
        ((2, 32, 40), {"axis_labels": ("c", "y", "x")}, "CYX", (32, 40)),
        ((9, 32, 40), {"axis_labels": ("time", "y", "x")}, "TYX", (9, 32, 40)),
        ((5, 2, 7, 32, 40), {}, "TCZYX", (5, 1, 7, 32, 40)),
    ],
)
def test_axes_and_the_shape_of_the_labels(shape, kwargs, axes, labels):
    layer = image(shape, **kwargs)
    assert layers.axes_of(layer) == axes
    assert layers.label_shape(layer, axes) == labels
    stack = layers.stack_of(layer, axes)
    painted = layers.annotation_stack(
        stack, ViewerModel().add_labels(np.zeros(labels, int)), layers.label_axes(layer, axes)
    )
    assert painted.shape[:1] + painted.shape[2:] == stack.shape[:1] + stack.shape[2:]


@pytest.mark.parametrize(
    ("shape", "axes", "kwargs"),
    [
        ((32, 40), "YX", {"scale": (0.5, 0.25), "translate": (3, 4), "units": UM}),
        ((32, 40), "YX", {"rotate": 30, "shear": [0.2]}),
        ((2, 32, 40), "CYX", {"scale": (1, 0.5, 0.25), "translate": (0, 3, 4)}),
        ((2, 7, 32, 40), "CZYX", {"scale": (1, 3, 0.5, 0.25), "shear": [0, 0, 0, 0.1, 0, 0.3]}),
        ((32, 40, 3), "YXC", {"scale": (2, 3)}),
        ((5, 2, 7, 32, 40), "TCZYX", {"scale": (10, 1, 3, 0.5, 0.5), "translate": (0, 0, 1, 2, 3)}),
        ((7, 32, 40), "ZYX", {"affine": np.diag([2.0, 3.0, 4.0, 1.0]) + np.eye(4, k=1) * 0.1}),
    ],
)
def test_a_labels_layer_lies_exactly_over_its_image(shape, axes, kwargs):
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros(shape), **kwargs)
    labels = Roster(viewer).new_annotation(layer, single_cells=False) if axes == layers.axes_of(layer) else None
    if labels is None:
        roster = Roster(viewer)
        roster.set_axes(layer, axes)
        labels = roster.new_annotation(layer, single_cells=False)
    own = layers.label_axes(layer, axes)
    for corner in (dict.fromkeys(axes, 0), {a: n - 1 for a, n in zip(axes, shape, strict=True)}):
        world = layer.data_to_world([corner[a] for a in axes[: layer.ndim]])
        there = np.round(labels.world_to_data(world[-labels.ndim :])).astype(int)
        assert there.tolist() == [0 if a == "C" else corner[a] for a in own]
    assert tuple(labels.units) == tuple(layer.units[axes.index(a)] for a in own)


def test_the_layer_is_read_lazily_and_only_where_it_is_needed():
    read = []

    def chunk(block_info=None):
        read.append(block_info[None]["chunk-location"])
        return np.ones((1, 64, 64), np.uint8)

    lazy = da.map_blocks(chunk, chunks=((1,) * 10, (64,) * 4, (64,) * 4), dtype=np.uint8, meta=np.empty((0, 0, 0)))
    viewer = ViewerModel()
    layer = viewer.add_image(lazy, contrast_limits=(0, 1))
    read.clear()
    stack = layers.stack_of(layer, "ZYX")
    assert stack.array is layer.data
    assert stack.read(0, (slice(3, 4), slice(0, 10), slice(0, 10))).shape == (1, 1, 10, 10)
    assert len(read) == 1


def test_of_a_multiscale_image_the_finest_level_is_used():
    viewer = ViewerModel()
    layer = viewer.add_image([np.zeros((64, 64)), np.zeros((32, 32)), np.zeros((16, 16))], multiscale=True)
    stack = layers.stack_of(layer, "YX")
    assert stack.array.shape == (64, 64)
    assert [level.shape for level in stack.levels] == [(32, 32), (16, 16)]
    assert Roster(viewer).new_annotation(layer, False).data.shape == (64, 64)


def test_pixel_sizes_are_micrometres():
    layer = image((5, 32, 40), scale=(2, 110, 0.11), units=("second", "nm", "micrometer"))
    assert layers.pixel_sizes(layer, "TYX") == pytest.approx({"T": 2, "Y": 0.11, "X": 0.11})
    assert layers.pixel_sizes(image((32, 40)), "YX") == {}


def test_closed_shapes_become_complete_regions_in_pixels():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 50, 60)), scale=(2, 0.5, 0.5), translate=(0, 5, 5))
    roster = Roster(viewer)
    labels = roster.new_annotation(layer, False)
    shapes = roster.new_regions(layer)
    assert shapes.name == "Image complete regions" or shapes.name.endswith("complete regions")
    square = np.array([[2, 10, 20], [2, 10, 30], [2, 20, 30], [2, 20, 20]])
    shapes.add([square], shape_type="rectangle")
    shapes.add([square], shape_type="ellipse")
    shapes.add([square[:2]], shape_type="path")
    box, round_one = layers.complete_regions(shapes, labels, "ZYX")
    assert (box.t, box.z) == (0, 2)
    assert np.allclose(box.outline, square[:, 1:])
    corners = np.array(round_one.outline)
    assert np.allclose(np.hypot(*(corners - (15, 25)).T), 5)


def test_an_annotation_of_another_size_is_refused_in_words():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((32, 40)), name="cells")
    for wrong in ((16, 40), (3, 32, 40)):
        labels = viewer.add_labels(np.zeros(wrong, int))
        with pytest.raises(AnnotrainError, match="choose the annotation that belongs"):
            layers.annotated(layer, "YX", labels, None)


def test_annotation_and_prediction_share_their_colours():
    for colours in (class_colours, cell_colours):
        painted, predicted = colours(annotation=True), colours(annotation=False)
        for value in range(1, 60):
            assert np.allclose(painted.map(value + 1), predicted.map(value)), value
        assert painted.map(0)[3] == predicted.map(0)[3] == 0
        assert painted.map(1)[3] == 1  # annotated background is seen


def test_the_next_cell_gets_a_value_of_its_own():
    assert next_cell([]) == 2
    assert next_cell([1, 5]) == 6


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TZYX", "XYZ", "TCZYX"])
def test_a_canvas_is_a_view_in_canonical_order(axes):
    lengths = {"T": 2, "C": 1, "Z": 3, "Y": 4, "X": 5}
    array = np.zeros([lengths[a] for a in axes])
    view = as_tzyx(array, axes)
    assert view.shape == tuple(lengths[a] if a in axes else 1 for a in "TZYX")
    view[...] = 1
    assert array.all()
    assert as_tzyx(np.zeros((7, *array.shape)), axes).shape == (7, *view.shape)


def test_layers_are_known_by_the_object_not_by_the_name():
    viewer = ViewerModel()
    roster = Roster(viewer)
    first, second = (viewer.add_image(np.zeros((8, 8)), name=name) for name in ("a", "b"))
    mine = roster.new_annotation(first, False)
    first.name, mine.name = "renamed", "my labels"
    assert roster.annotation(first) is mine
    assert roster.annotation(second) is None
    loaded = viewer.add_labels(np.zeros((8, 8), int), name="b annotation")
    assert roster.annotation(second) is loaded
    assert [la for la, _ in roster.candidates()] == [first, second]
    roster.tick(second, False)
    assert [one.name for one in roster.training_set()] == ["renamed"]
    viewer.layers.remove(mine)
    assert roster.annotation(first) is None


def test_a_prediction_layer_is_kept_until_it_no_longer_fits():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 8, 9)), name="a", scale=(3, 1, 1), units=("um",) * 3)
    roster = Roster(viewer)
    mine = roster.new_annotation(layer, False)
    viewer.layers.selection.active = mine
    first, canvas = roster.canvas(layer, "classes", np.dtype(np.uint8), 1)
    canvas[0, 1] = 1
    assert first.data[1].all()
    assert not first.data[0].any()
    assert roster.canvas(layer, "classes", np.dtype(np.uint8), 1)[0] is first
    cells, _ = roster.canvas(layer, "cells", np.dtype(np.int32), 1)
    assert cells.name == "a prediction"
    shares, canvas = roster.canvas(layer, "probabilities", np.dtype(np.float32), 2)
    assert [la.name for la in viewer.layers] == ["a", "a prediction", "a annotation"]
    assert shares.data.shape == (2, 3, 8, 9)
    assert canvas.shape == (2, 1, 3, 8, 9)
    assert shares.scale.tolist() == [1, 3, 1, 1]
    assert viewer.layers.selection.active is mine
    assert roster.images() == [layer]  # a result is no image to work on
    assert roster.annotations() == [mine]


def test_a_canvas_larger_than_memory_is_a_sparse_file(monkeypatch):
    monkeypatch.setattr(arrays, "MOST_IN_MEMORY", 100)
    large, small = arrays.empty((4, 8, 8), np.uint16), arrays.empty((5, 5), np.uint8)
    assert isinstance(large, np.memmap)
    assert not isinstance(small, np.memmap)
    assert not large.any()
    viewer = ViewerModel()
    layer = viewer.add_labels(large)
    layer.data_setitem((np.array([1]), np.array([2]), np.array([3])), 7)
    assert layer.data is large
    assert large[1, 2, 3] == 7


def test_a_layer_of_the_user_is_never_taken_for_a_prediction():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((8, 9)), name="a")
    own = viewer.add_labels(np.full((8, 9), 5, np.uint8), name="a prediction")
    roster = Roster(viewer)
    made, canvas = roster.canvas(layer, "classes", np.dtype(np.uint8), 1)
    canvas[...] = 1
    assert made.name == "a prediction [1]"
    for kind, dtype in (("cells", np.int32), ("probabilities", np.float32), ("classes", np.uint8)):
        made, canvas = roster.canvas(layer, kind, np.dtype(dtype), 2)
        canvas[...] = 1
    assert own in viewer.layers
    assert (own.data == 5).all()
    assert made is not own
    assert [la for la in viewer.layers if la not in (layer, own, made)] == []
    assert roster.annotations() == [own]  # theirs to choose


def test_a_copy_of_a_prediction_is_the_users():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((8, 9)), name="a")
    roster = Roster(viewer)
    made, canvas = roster.canvas(layer, "classes", np.dtype(np.uint8), 1)
    canvas[...] = 1
    copy = viewer.add_labels(made.data.copy(), name="a prediction", metadata=dict(made.metadata))
    viewer.layers.remove(made)
    _, canvas = roster.canvas(layer, "classes", np.dtype(np.uint8), 1)
    canvas[...] = 2
    assert (copy.data == 1).all()


def test_a_segmentation_of_equal_shape_is_not_taken_for_the_annotation():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((8, 9)), name="a")
    roster = Roster(viewer)
    other = viewer.add_labels(np.ones((8, 9), int), name="my segmentation")
    assert roster.annotation(layer) is None
    assert roster.annotations() == [other]


@pytest.mark.parametrize("shape", [(2, 2, 3), (5, 2, 2, 4), (4, 2, 3, 3, 3)])
def test_colours_are_known_however_small_the_image(shape):
    layer = image(shape, rgb=True)
    assert layers.axes_of(layer) == {3: "YXC", 4: "ZYXC", 5: "TZYXC"}[len(shape)]

"""A prediction that was cancelled or killed goes on where it stopped; one too large for memory grows on the disk."""

import shutil
import threading

import numpy as np
import pytest
from tests.inference.test_segment import threshold_model

from napari_annotrain import api
from napari_annotrain._napari.runs import one_image
from napari_annotrain._napari.viewer import layer_array
from napari_annotrain._napari.viewer.layer_array import LayerArray
from napari_annotrain.api import large_planes, stored
from napari_annotrain.data import filling, pyramid
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.session import Trained
from napari_annotrain.specs import CellsSpec, PredictSpec

pytestmark = [pytest.mark.gui, pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")]

#: Eight planes of 70 x 60 px in tiles of 32 px: six a plane.
SHAPE, A_PLANE, ALL = (8, 70, 60), 6, 48
IMAGE = np.random.default_rng(0).normal(400, 50, SHAPE).astype(np.float32)


class Network:
    """Watches what is computed; `hold` is the number of tiles after which it waits."""

    def __init__(self):
        self.tiles, self.hold, self.released = [], None, threading.Event()

    @property
    def holds(self):
        return self.hold is not None and len(self.tiles) >= self.hold

    def again(self, hold=None):
        """Forget what was computed so far."""
        self.tiles, self.hold = [], hold
        self.released.clear()

    def release(self):
        self.hold = None
        self.released.set()


@pytest.fixture(scope="module")
def expected():
    """What an uninterrupted prediction gives, by output."""
    options = {"axes": "ZYX", "tile": 32, "device": "cpu"}
    model = threshold_model()
    return {o: api.predict(model, IMAGE, output=o, **options) for o in ("classes", "cells", "probabilities")}


@pytest.fixture
def network(monkeypatch, expected):
    made, compute = Network(), Predictor.compute

    def watched(self, patch, decoding):
        if made.holds:
            made.released.wait(20)
        made.tiles.append((patch.z, patch.tile.write[0].start, patch.tile.write[1].start))
        return compute(self, patch, decoding)

    monkeypatch.setattr(Predictor, "compute", watched)
    yield made
    made.release()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where results on the disk lie."""
    monkeypatch.setattr(one_image, "predictions_folder", lambda: tmp_path / "predictions")
    return tmp_path / "predictions"


@pytest.fixture
def small(monkeypatch):
    """Every result is too large for the memory."""
    monkeypatch.setattr(stored, "SHARE", 0)


@pytest.fixture
def open_window(person, network, folder):
    """A window with a stack, and a model."""

    def make(output="classes", model=None):
        made = person()
        made.viewer.add_image(IMAGE, name="stack")
        made.open_panel()
        made.network = network
        made.controller.predict.set_spec(PredictSpec(tile=32))
        made.controller.train.set_device("cpu")
        made.controller.models.use(Trained("a model", model or threshold_model()))
        made.panel.predict.output_combo.choose(output)
        return made

    return make


def idle(lab):
    lab.wait(lambda: lab.enabled("predict_stack_button") and not lab.controller.lane.busy)


def press(lab, button="predict_stack_button"):
    lab.click(button)
    idle(lab)


def cancel_after(lab, n, button="predict_stack_button"):
    """Press, and cancel when so many tiles are computed."""
    lab.network.again(hold=n)
    lab.click(button)
    lab.wait(lambda: lab.network.holds)
    lab.click("cancel_button")
    lab.network.release()
    idle(lab)


def data(lab, name="stack prediction"):
    return np.asarray(lab.viewer.layers[name].data)


def same(found, truth, output):
    """Equal; cells up to the names of their ids, which follow the view.

    Probabilities but for the last bits: a run computes on one thread fewer while the window is busy, and adds up
    in another order then.
    """
    if output == "probabilities":
        return np.allclose(found, truth, rtol=0, atol=1e-5)
    if output != "cells":
        return np.array_equal(found, truth)
    pairs = np.unique(np.stack([found.ravel(), truth.ravel()]).astype(int), axis=1)
    return len(pairs.T) == len(np.unique(found)) == len(np.unique(truth))


# -- going on --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["memory", "disk"])
@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
def test_the_same_button_goes_on_where_it_was_cancelled(open_window, request, place, output, expected):
    if place == "disk":
        request.getfixturevalue("small")
    lab = open_window(output)
    lab.viewer.dims.set_current_step(0, 3)
    cancel_after(lab, 3 * A_PLANE)
    assert "Cancelled: what was predicted" in lab.status
    assert "The same button goes on from there." in lab.status
    first = list(lab.network.tiles)
    lab.network.again()
    said = []
    lab.controller.session.events.status.connect(said.append)
    press(lab)
    assert any("of 8 planes were finished before." in text and "Going on: " in text for text in said), said
    again = set(first) & set(lab.network.tiles)
    assert len(again) <= (A_PLANE if output == "cells" else 1), "only what was in flight when it was cancelled"
    assert len(lab.network.tiles) < ALL - 2 * A_PLANE
    assert set(first) | set(lab.network.tiles) == set(all_tiles())
    assert same(data(lab), expected[output], output)
    assert "Predicted the whole stack" in lab.status


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_cancelled_before_anything_was_finished_nothing_is_left_and_it_says_so(open_window, request, place, folder):
    if place == "disk":
        request.getfixturevalue("small")
    lab = open_window("cells")
    cancel_after(lab, 2)
    assert lab.status == "Cancelled before anything was finished."
    assert [layer.name for layer in lab.viewer.layers] == ["stack"]
    assert not list(folder.glob("*"))
    lab.network.again()
    press(lab)
    assert sorted(lab.network.tiles) == sorted(all_tiles())


def test_a_quiet_run_that_gives_way_leaves_its_layer_to_the_next(open_window):
    lab = open_window("cells")
    lab.network.again(hold=1)
    lab.click("live_check")
    lab.wait(lambda: lab.network.holds)
    lab.viewer.dims.set_current_step(0, 5)
    lab.wait(lambda: lab.controller.lane._waiting is not None)
    lab.network.release()
    lab.wait(lambda: not lab.controller.lane.busy)
    assert data(lab)[5].any()


def all_tiles():
    return [(z, y, x) for z in range(8) for y in (0, 32, 64) for x in (0, 32)]


@pytest.mark.parametrize("place", ["memory", "disk"])
@pytest.mark.parametrize("change", ["model", "output", "cells"])
def test_another_model_output_or_way_of_telling_cells_apart_begins_anew(open_window, request, place, change):
    if place == "disk":
        request.getfixturevalue("small")
    lab = open_window("cells")
    cancel_after(lab, 3 * A_PLANE)
    if change == "model":
        model = threshold_model()
        model.weights["head.bias"] = model.weights["head.bias"] + 1
        lab.controller.models.use(Trained("another", model))
        lab.panel.predict.output_combo.choose("cells")
    elif change == "output":
        lab.panel.predict.output_combo.choose("classes")
    else:
        lab.controller.predict.set_cells(CellsSpec(min_size_px=3))
        lab.controller.predict._soon.stop()
    lab.network.again()
    press(lab)
    assert sorted(lab.network.tiles) == sorted(all_tiles())


def test_what_was_predicted_otherwise_meanwhile_is_computed_again(open_window, expected):
    lab = open_window()
    cancel_after(lab, 3 * A_PLANE)
    first_model = lab.controller.session.model
    model = threshold_model()
    model.weights["head.bias"] = model.weights["head.bias"] * 0
    lab.controller.models.use(Trained("another", model))
    press(lab, "predict_slice_button")
    lab.controller.session.model = first_model
    lab.network.again()
    press(lab)
    shown = int(lab.viewer.dims.current_step[0])
    assert {tile for tile in lab.network.tiles if tile[0] == shown} == {t for t in all_tiles() if t[0] == shown}
    assert len(lab.network.tiles) < ALL
    assert np.array_equal(data(lab), expected["classes"])


def test_cells_can_be_told_apart_again_after_going_on(open_window):
    lab = open_window("cells")
    cancel_after(lab, 3 * A_PLANE)
    press(lab)
    lab.network.again()
    lab.panel.predict.cells.form._fields["min_size_px"]._check.click()
    lab.wait(lambda: not lab.controller.predict._soon.isActive())
    idle(lab)
    assert not lab.network.tiles, "what the network made of it is kept, of both runs"
    assert "Predicted the whole stack" in lab.status


def test_ids_of_cells_stay_unique_when_the_view_is_predicted_in_between(open_window, expected):
    lab = open_window("cells")
    cancel_after(lab, 3 * A_PLANE)
    press(lab, "predict_slice_button")
    press(lab)
    planes = [set(np.unique(plane)) - {0} for plane in data(lab)]
    assert len(set.union(*planes)) == sum(map(len, planes))
    assert same(data(lab), expected["cells"], "cells")


def test_all_images_go_on_too_and_finished_ones_are_left_alone(open_window, expected):
    lab = open_window()
    lab.viewer.add_image(IMAGE[:3] + 1, name="second")
    cancel_after(lab, ALL + A_PLANE, "predict_images_button")
    lab.network.again()
    press(lab, "predict_images_button")
    assert len(lab.network.tiles) <= 2 * A_PLANE + 1
    assert np.array_equal(data(lab), expected["classes"])
    assert data(lab, "second prediction").any()
    lab.network.again()
    press(lab, "predict_images_button")
    assert len(lab.network.tiles) == ALL + 3 * A_PLANE, "a complete run in the memory is run again when it is asked for"


# -- on the disk -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
def test_a_result_too_large_for_the_memory_grows_on_the_disk_and_is_shown(open_window, small, folder, output, expected):
    lab = open_window(output)
    image = lab.viewer.layers["stack"]
    lab.viewer.layers.selection.active = image
    lab.network.again(hold=2 * A_PLANE)
    lab.viewer.dims.set_current_step(0, 3)
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.network.holds)
    layer = lab.viewer.layers["stack prediction"]
    assert isinstance(layer.data, LayerArray)
    assert lab.viewer.layers.selection == {image}
    truth = expected[output]
    lab.wait(lambda: np.array_equal(layer.data[..., 3, :, :] > 0, truth[..., 3, :, :] > 0))
    assert not layer.data[..., 7, :, :].any()
    lab.network.release()
    idle(lab)
    assert same(np.asarray(layer.data), truth, output)
    assert lab.viewer.layers.selection == {image}
    (store,) = folder.iterdir()
    assert store.name.startswith("stack-")
    assert store.name.endswith(".ome.zarr")
    assert lab.status.endswith(f"It is kept in {store}.")


def test_what_is_shown_follows_the_slider_while_it_grows(open_window, small, expected):
    lab = open_window()
    lab.viewer.dims.set_current_step(0, 0)
    lab.network.again(hold=2 * A_PLANE)
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.network.holds)
    layer, truth = lab.viewer.layers["stack prediction"], expected["classes"]
    lab.wait(lambda: np.array_equal(layer._slice.image.raw, truth[0]))
    lab.viewer.dims.set_current_step(0, 7)
    assert not layer._slice.image.raw.any()
    lab.network.release()
    idle(lab)
    assert np.array_equal(layer._slice.image.raw, truth[7])


@pytest.mark.parametrize("output", ["classes", "cells"])
def test_a_new_window_goes_on_after_a_killed_one(open_window, small, folder, monkeypatch, tmp_path, output, expected):
    lab = open_window(output)
    lab.network.again(hold=3 * A_PLANE)
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.network.holds)
    shutil.copytree(folder, tmp_path / "as it was when the power failed")
    first = list(lab.network.tiles)
    lab.click("cancel_button")
    lab.network.release()
    idle(lab)
    monkeypatch.setattr(one_image, "predictions_folder", lambda: tmp_path / "as it was when the power failed")
    other = open_window(output)
    other.network.again()
    press(other)
    in_flight = A_PLANE if output == "cells" else 2  # one is written while the next one is computed
    assert len(set(first) & set(other.network.tiles)) <= in_flight
    assert set(first) | set(other.network.tiles) == set(all_tiles())
    assert same(data(other), expected[output], output)


def test_all_images_on_the_disk_go_on_in_a_new_window(open_window, small, folder):
    lab = open_window()
    lab.viewer.add_image(IMAGE[:3] + 1, name="second")
    cancel_after(lab, ALL + A_PLANE, "predict_images_button")
    other = open_window()
    other.viewer.add_image(IMAGE[:3] + 1, name="second")
    other.network.again()
    press(other, "predict_images_button")
    assert len(other.network.tiles) <= 2 * A_PLANE + 1
    assert data(other, "second prediction").any()
    assert other.status.endswith(f"It is kept in {folder}.")
    assert not [layer for layer in other.viewer.layers if "not predicted" in layer.name]


def test_a_finished_result_is_shown_again_at_once(open_window, small):
    lab = open_window("cells")
    press(lab)
    other = open_window("cells")
    other.network.again()
    press(other)
    assert not other.network.tiles
    assert "The whole stack was predicted before. It is kept in" in other.status
    assert np.array_equal(data(other), data(lab))


def test_cells_of_planes_too_large_for_the_memory_pass_over_the_disk(open_window, expected, monkeypatch):
    monkeypatch.setattr(large_planes, "PLANE_SHARE", 0)
    monkeypatch.setattr(large_planes, "choose_window", lambda spec: 3000)
    lab = open_window("cells")
    cancel_after(lab, 3 * A_PLANE + 2)
    assert "The same button goes on from there." in lab.status
    first = list(lab.network.tiles)
    lab.network.again()
    press(lab)
    assert len(first) + len(lab.network.tiles) <= ALL + 2, "tile by tile, though cells come plane by plane"
    assert same(data(lab), expected["cells"], "cells")
    assert f": {len(np.unique(expected['cells'])) - 1:,} cell" in lab.status
    assert not [layer for layer in lab.viewer.layers if "not predicted" in layer.name]


def test_cancelled_while_smaller_levels_are_added_it_adds_them_later(open_window, small, monkeypatch, expected):
    monkeypatch.setattr(pyramid, "SMALLEST_PX", 16)
    adding, go, add = threading.Event(), threading.Event(), filling.iter_levels

    def slow(*given):
        for progress in add(*given):
            yield progress
            adding.set()
            go.wait(20)

    monkeypatch.setattr(filling, "iter_levels", slow)
    lab = open_window()
    lab.click("predict_stack_button")
    lab.wait(adding.is_set)
    lab.wait(lambda: "smaller levels for overviews are being added" in lab.status)
    lab.click("cancel_button")
    go.set()
    idle(lab)
    assert "The same button goes on from there." in lab.status
    lab.network.again()
    press(lab)
    assert not lab.network.tiles
    assert np.array_equal(data(lab), expected["classes"])
    lab.network.again()
    press(lab)
    assert "was predicted before" in lab.status


def test_quick_predictions_lie_over_a_result_on_the_disk(open_window, small):
    lab = open_window("cells")
    press(lab)
    layer, whole = lab.viewer.layers["stack prediction"], data(lab)
    lab.viewer.dims.set_current_step(0, 5)
    press(lab, "predict_slice_button")
    assert lab.viewer.layers["stack prediction"] is layer
    now = data(lab)
    assert np.array_equal(now > 0, whole > 0)
    assert now[5].max() > whole.max(), "ids of their own"
    assert np.array_equal(np.delete(now, 5, 0), np.delete(whole, 5, 0))
    press(lab)
    assert np.array_equal(data(lab), whole), "the disk has kept what it had"


def test_what_cannot_be_done_with_a_result_on_the_disk_is_said(open_window, small, monkeypatch):
    lab = open_window("cells")
    press(lab)
    layer = lab.viewer.layers["stack prediction"]
    assert not layer.editable
    lab.panel.predict.cells.form._fields["min_size_px"]._check.click()
    lab.wait(lambda: "too large for that" in lab.status)
    monkeypatch.setattr(layer_array, "MOST_AT_ONCE", 10)
    with pytest.raises(AnnotrainError, match="too large to be read at once"):
        np.asarray(layer.data)


def test_a_result_that_fits_is_kept_in_the_memory(open_window, folder):
    lab = open_window()
    press(lab)
    assert isinstance(lab.viewer.layers["stack prediction"].data, np.ndarray)
    assert not folder.exists()
    assert "kept in" not in lab.status


# -- what is not predicted yet ---------------------------------------------------------------------------------------

VEIL = "stack not predicted yet"


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
def test_what_is_not_predicted_yet_is_veiled_until_it_is(open_window, output):
    lab = open_window(output)
    image = lab.viewer.layers["stack"]
    lab.viewer.layers.selection.active = image
    lab.viewer.dims.set_current_step(0, 3)
    cancel_after(lab, 2 * A_PLANE + 3)
    veil = lab.viewer.layers[VEIL]
    assert lab.viewer.layers.selection == {image}
    assert np.allclose(veil.extent.world, image.extent.world)
    covered = veil.data.reshape(SHAPE)  # at this size a cell of the veil is a pixel
    done = {tile for tile in lab.network.tiles if not covered[tile]}
    if output == "cells":  # which come by the plane; those of the last one may not have been told apart yet
        assert {plane.mean() for plane in covered} == {0, 1}
    assert len(done) >= (A_PLANE if output == "cells" else 2 * A_PLANE)
    assert not covered[3].any(), "it began with the plane that is shown"
    assert all(covered[tile] for tile in all_tiles() if tile not in lab.network.tiles)
    lab.network.again(hold=A_PLANE)
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.network.holds)
    lab.wait(lambda: VEIL in lab.viewer.layers and not lab.viewer.layers[VEIL].data[3].any())
    assert lab.viewer.layers[VEIL] is not veil
    lab.network.release()
    idle(lab)
    assert VEIL not in lab.viewer.layers
    assert lab.viewer.layers.selection == {image}


def test_the_veil_is_no_image_and_none_of_the_quick_predictions_has_one(open_window):
    lab = open_window()
    inserted = []
    lab.viewer.layers.events.inserted.connect(lambda event: inserted.append(event.value.name))
    press(lab, "predict_view_button")
    lab.find("live_check").setChecked(True)
    idle(lab)
    assert VEIL not in inserted
    cancel_after(lab, A_PLANE)
    assert lab.controller.roster.images() == [lab.viewer.layers["stack"]]
    assert lab.controller.roster.annotations() == []
    assert not lab.enabled("predict_images_button"), "there is only one image"


def test_a_quick_prediction_lifts_the_veil_where_it_lies(open_window):
    lab = open_window()
    lab.viewer.dims.set_current_step(0, 3)
    cancel_after(lab, A_PLANE)
    veil = lab.viewer.layers[VEIL]
    assert veil.data[6].all()
    lab.viewer.dims.set_current_step(0, 6)
    press(lab, "predict_view_button")
    assert lab.viewer.layers[VEIL] is veil
    assert not veil.data[6].all()
    assert veil.data[7].all()


def test_a_slice_is_veiled_where_it_is_alone(open_window):
    lab = open_window()
    lab.viewer.dims.set_current_step(0, 3)
    lab.network.again(hold=2)
    lab.click("predict_slice_button")
    lab.wait(lambda: VEIL in lab.viewer.layers and lab.network.holds)
    veil = lab.viewer.layers[VEIL]
    assert veil.data[3].any()
    assert not np.delete(veil.data, 3, 0).any()
    lab.network.release()
    idle(lab)
    assert VEIL not in lab.viewer.layers


def test_a_veil_that_somebody_deletes_stays_away_and_nothing_else_minds(open_window, expected):
    lab = open_window()
    lab.network.again(hold=A_PLANE)
    lab.click("predict_stack_button")
    lab.wait(lambda: lab.network.holds)
    lab.viewer.layers.remove(VEIL)
    lab.network.release()
    idle(lab)
    assert "Predicted the whole stack" in lab.status
    assert np.array_equal(data(lab), expected["classes"])
    assert VEIL not in lab.viewer.layers


@pytest.mark.parametrize("what", ["panel", "prediction", "image", "all"])
def test_the_veil_goes_with_what_it_belongs_to(open_window, what):
    lab = open_window()
    cancel_after(lab, A_PLANE)
    assert VEIL in lab.viewer.layers
    if what == "panel":
        lab.viewer.window.remove_dock_widget(lab.dock)
    elif what == "all":
        lab.viewer.layers.clear()
    else:
        lab.viewer.layers.remove("stack prediction" if what == "prediction" else "stack")
    lab.wait(lambda: VEIL not in lab.viewer.layers)


def test_a_run_that_fails_before_anything_is_predicted_leaves_no_veil(open_window, network, monkeypatch):
    def fail(*rest):
        raise AnnotrainError("The file has vanished: put it back.")

    lab = open_window()
    monkeypatch.setattr(Predictor, "compute", fail)
    press(lab)
    assert lab.status == "The file has vanished: put it back."
    assert VEIL not in lab.viewer.layers


@pytest.mark.parametrize("output", ["cells", "probabilities", "uncertainty"])
def test_a_finished_result_comes_back_with_its_session(open_window, person, small, output):
    lab = open_window(output)
    lab.annotate()
    press(lab)
    lab.viewer.window.remove_dock_widget(lab.dock)
    other = person()
    other.viewer.add_image(IMAGE, name="stack")
    other.open_panel()
    other.wait(lambda: not other.find("offer_frame").isHidden())
    lab.network.again()
    other.click("reopen_button")
    other.wait(lambda: "stack prediction" in other.viewer.layers)
    assert "shown again, from the disk" in other.status
    assert isinstance(other.viewer.layers["stack prediction"].data, LayerArray)
    assert np.array_equal(data(other), data(lab))
    assert not lab.network.tiles
    shutil.rmtree(lab.viewer.layers["stack prediction"].data.growing.path)
    other.viewer.window.remove_dock_widget(other.dock)
    third = person()
    third.viewer.add_image(IMAGE, name="stack")
    third.open_panel()
    third.wait(lambda: not third.find("offer_frame").isHidden())
    third.click("reopen_button")
    third.wait(lambda: third.controller.session.model is not None)
    assert "stack prediction" not in third.viewer.layers
    assert "Press What I see" in third.status

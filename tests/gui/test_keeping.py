"""Nothing is lost: what is done in a window is on the disk, and comes back in another one."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.listing import find_sessions
from napari_annotrain.session.state import read_state

pytestmark = pytest.mark.gui

SHAPE = (4, 40, 60)


@pytest.fixture
def image_file(tmp_path):
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 200, SHAPE, dtype=np.uint8), photometric="minisblack")
    return path


@pytest.fixture
def lab(person, fake, image_file):
    made = person()
    made.viewer.open(image_file)
    made.fake = fake
    return made.open_panel()


def stroke(lab, value=2, z=0, rows=slice(3, 9)):
    """Paint as a stroke does: one event, one step of undo."""
    layer = lab.controller.annotation
    z, y, x = (a.ravel() for a in np.mgrid[z : z + 1, rows, 5:20])
    layer.data_setitem((z, y, x), value)
    return layer


def on_disk(lab, sessions):
    """The only session there, as a process that opens it now would see it (strokes, state)."""
    (path,) = (p for p in sessions.iterdir())
    lab.wait(lambda: lab.controller.keeping._writer is not None)
    folder = lab.controller.keeping._writer.folder
    state = read_state(path)
    return state, [np.array(folder.read_sheet(one.sheet)) for one in state.images if one.sheet]


def kept(lab, sessions, condition):
    """Wait until what is on the disk is as said."""

    def is_so():
        if not any((p / "session.json").exists() for p in sessions.iterdir()):
            return False
        state, sheets = on_disk(lab, sessions)
        return condition(state, sheets)

    lab.wait(is_so)


def reopened(person, lab, *images):
    """Close the window, open another one with these images, and go on with what is offered."""
    lab.viewer.close()
    other = person()
    for image in images:
        other.viewer.open(image)
    other.open_panel()
    other.wait(lambda: not other.find("offer_frame").isHidden())
    other.click("reopen_button")
    return other


def test_opening_an_image_begins_nothing_and_a_stroke_does(lab, sessions):
    lab.click("new_annotation_button")
    lab.qtbot.wait(400)
    assert not list(sessions.iterdir())
    layer = stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and np.array_equal(sheets[0], layer.data))
    assert "Saved: " in lab.find("session_label").full_text()
    assert lab.enabled("export_session_button")


def test_undo_and_redo_are_on_the_disk_too(lab, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    layer = stroke(lab, value=3, z=2)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool((sheets[0] == 3).any()))
    layer.undo()
    kept(lab, sessions, lambda state, sheets: not (sheets[0] == 3).any() and (sheets[0] == 2).any())
    layer.redo()
    kept(lab, sessions, lambda state, sheets: (sheets[0] == 3).sum() == 6 * 15)


def test_another_window_goes_on_where_this_one_was_closed(lab, person, image_file, sessions):
    lab.controller.paint.set_target("classes")
    lab.click("new_annotation_button")
    stroke(lab, value=1)
    painted = stroke(lab, value=2, z=3).data.copy()
    lab.controller.paint.rename_class(2, "nucleus")
    regions = lab.controller.roster.new_regions(lab.controller.image)
    corners = np.array([[1, 2, 3], [1, 2, 30], [1, 20, 30], [1, 20, 3]], float)
    regions.add(corners, shape_type="rectangle")
    lab.train()
    lab.train()
    assert [one.name for one in lab.controller.session.models] == ["model 1", "model 2"]
    other = reopened(person, lab, image_file)
    controller = other.controller
    assert np.array_equal(controller.annotation.data, painted)
    assert controller.session.class_names[1] == "nucleus"
    assert np.allclose(controller.roster.regions(controller.image).data[0], corners)
    other.wait(lambda: len(controller.session.models) == 2)
    assert controller.session.model.name == "model 2"
    assert controller.session.model.score == lab.controller.session.model.score
    assert controller.session.base == "last"
    assert read_state(next(sessions.iterdir())).settings["base"] == "last"
    assert "Opened the work of" in other.status
    assert len(list(sessions.iterdir())) == 1
    other.train()
    assert controller.session.model.name == "model 3"


def test_with_nothing_open_the_image_comes_back_too(lab, person, sessions):
    lab.click("new_annotation_button")
    painted = stroke(lab).data.copy()
    other = reopened(person, lab)
    assert [layer.name for layer in other.viewer.layers] == ["cells", "cells annotation"]
    assert np.array_equal(other.viewer.layers[1].data, painted)


def test_strokes_after_reopening_go_to_the_same_session(lab, person, image_file, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    other = reopened(person, lab, image_file)
    layer = stroke(other, value=7, z=1)
    kept(other, sessions, lambda state, sheets: np.array_equal(sheets[0], layer.data))
    assert (layer.data == 2).any()


def test_an_image_that_is_gone_is_said_and_its_paint_kept(lab, person, image_file, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    lab.viewer.close()
    image_file.rename(image_file.with_name("moved.tif"))
    other = person().open_panel()
    other.wait(lambda: not other.find("offer_frame").isHidden())
    other.click("reopen_button")
    assert "is no longer at" in other.status
    assert "open it from where it is now" in other.status
    other.viewer.close()
    (found,) = find_sessions()
    folder = SessionFolder.open(found.path)
    assert folder.read_sheet(folder.state.images[0].sheet).any()
    folder.close()
    third = person()
    third.viewer.open(image_file.with_name("moved.tif"))
    third.open_panel()
    third.wait(lambda: not third.find("offer_frame").isHidden())
    third.click("reopen_button")
    assert third.controller.annotation.data.any()


def test_a_removed_annotation_is_brought_back_with_every_stroke(lab, sessions):
    lab.click("new_annotation_button")
    painted = stroke(lab).data.copy()
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    assert lab.find("bring_back_button").isHidden()
    lab.viewer.layers.remove("cells annotation")
    lab.wait(lambda: not lab.find("bring_back_button").isHidden())
    assert "Bring back shows it again" in lab.status
    lab.click("bring_back_button")
    assert np.array_equal(lab.viewer.layers["cells annotation"].data, painted)
    lab.wait(lambda: lab.find("bring_back_button").isHidden())
    layer = stroke(lab, value=5, z=1)
    kept(lab, sessions, lambda state, sheets: any(np.array_equal(one, layer.data) for one in sheets))


def test_a_new_layer_after_a_removed_one_does_not_take_its_place(lab, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    lab.viewer.layers.remove("cells annotation")
    lab.click("new_annotation_button")
    layer = stroke(lab, value=4, z=2)
    kept(lab, sessions, lambda state, sheets: len(sheets) == 2 and np.array_equal(sheets[1], layer.data))
    state, sheets = on_disk(lab, sessions)
    assert (sheets[0] == 2).any()
    assert [one.put_away for one in state.images] == [True, False]


def test_renaming_layers_loses_nothing(lab, person, image_file, sessions):
    lab.click("new_annotation_button")
    layer = stroke(lab)
    layer.name = "my strokes"
    painted = stroke(lab, value=3, z=1).data.copy()
    other = reopened(person, lab, image_file)
    assert np.array_equal(other.viewer.layers["my strokes"].data, painted)
    assert other.controller.annotation is other.viewer.layers["my strokes"]


def test_a_session_that_is_open_is_refused_elsewhere_and_not_offered(lab, person, image_file, sessions, monkeypatch):
    lab.click("new_annotation_button")
    layer = stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    (path,) = sessions.iterdir()
    second = person()
    second.viewer.open(image_file)
    second.open_panel()
    second.qtbot.wait(400)
    assert second.find("offer_frame").isHidden()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(path))
    second.click("open_session_button")
    assert "is open in another window" in second.status
    assert (layer.data == 2).any()


def test_not_now_offers_no_more_and_leaves_the_work(lab, person, image_file, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    lab.viewer.close()
    other = person()
    other.viewer.open(image_file)
    other.open_panel()
    other.wait(lambda: not other.find("offer_frame").isHidden())
    assert "1 annotation" in other.find("offer_label").text()
    other.click("not_now_button")
    other.wait(lambda: other.find("offer_frame").isHidden())
    assert len(find_sessions()) == 1


def test_what_is_painted_while_the_panel_is_closed_is_kept_when_it_comes_back(lab, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    layer = lab.controller.annotation
    lab.viewer.window.remove_dock_widget(lab.dock)
    layer.data_setitem((np.array([1, 1]), np.array([30, 30]), np.array([1, 2])), 9)
    lab.open_panel()
    kept(lab, sessions, lambda state, sheets: np.array_equal(sheets[0], layer.data))
    assert len(list(sessions.iterdir())) == 1


def test_a_full_disk_is_said_and_nothing_is_lost(lab, sessions, monkeypatch):
    lab.click("new_annotation_button")
    stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    monkeypatch.setattr("napari_annotrain.session.writer.AGAIN_SECONDS", 0.05)
    add = SessionFolder.write

    def full(self, batch):
        from napari_annotrain.data.places import refusing

        with refusing(self.path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(SessionFolder, "write", full)
    layer = stroke(lab, value=6, z=3)
    lab.wait(lambda: "No space left" in lab.status)
    assert "written when that works" in lab.find("session_label").full_text()
    monkeypatch.setattr(SessionFolder, "write", add)
    kept(lab, sessions, lambda state, sheets: np.array_equal(sheets[0], layer.data))
    lab.wait(lambda: "Saved: " in lab.find("session_label").full_text())


# -- what a review found ----------------------------------------------------------------------------------------------


def test_axes_that_were_set_before_the_first_stroke_come_back(lab, person, image_file):
    lab.controller.set_axes("TYX")
    lab.click("new_annotation_button")
    painted = stroke(lab, z=2).data.copy()
    other = reopened(person, lab, image_file)
    assert other.controller.roster.axes(other.controller.image) == "TYX"
    assert np.array_equal(other.controller.annotation.data, painted)


def test_a_session_taken_over_while_the_panel_was_closed_gets_no_stroke_and_nothing_is_lost(lab, sessions):
    lab.click("new_annotation_button")
    stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    (path,) = sessions.iterdir()
    lab.viewer.window.remove_dock_widget(lab.dock)
    other = SessionFolder.open(path)
    lab.open_panel()
    assert "open in another window" in lab.status
    layer = lab.viewer.layers["cells annotation"]
    layer.data_setitem((np.array([1]), np.array([30]), np.array([1])), 9)

    def is_kept():
        keeping = lab.controller.keeping
        if keeping._writer is None or keeping._writer.folder.path == path:
            return False
        names = [one.state.sheet for one in keeping._kept if one.state.sheet]
        return bool(names) and np.array_equal(keeping._writer.folder.read_sheet(names[0]), layer.data)

    lab.wait(is_kept)
    other.close()


def test_another_session_is_not_opened_while_the_disk_refuses_this_one(lab, sessions, tmp_path, monkeypatch):
    other = SessionFolder.create(tmp_path / "other")
    other.save(other.state.model_copy(update={"changed": "2026-11-26T15:00:00", "models": ()}))
    other._held.close()
    lab.click("new_annotation_button")
    stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    monkeypatch.setattr("napari_annotrain._napari.session.keeping.WAIT_SECONDS", 0.2)
    monkeypatch.setattr("napari_annotrain.session.writer.AGAIN_SECONDS", 0.05)
    write = SessionFolder.write

    def full(self, batch):
        raise AnnotrainError("The disk is full.")

    monkeypatch.setattr(SessionFolder, "write", full)
    layer = stroke(lab, value=9, z=3)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(tmp_path / "other"))
    lab.click("open_session_button")
    assert "make room on the disk first" in lab.status
    assert (lab.viewer.layers["cells annotation"].data == 9).any()
    monkeypatch.setattr(SessionFolder, "write", write)
    kept(lab, sessions, lambda state, sheets: np.array_equal(sheets[0], layer.data))


def test_two_stacks_whose_first_planes_are_equal_are_not_taken_for_each_other(person, fake, tmp_path, sessions):
    files = [tmp_path / "a.tif", tmp_path / "b.tif"]
    for k, path in enumerate(files):
        pixels = np.random.default_rng(k).integers(0, 200, SHAPE, dtype=np.uint8)
        pixels[0] = 0
        tifffile.imwrite(path, pixels, photometric="minisblack")
    lab = person()
    for path in files:
        lab.viewer.open(path)
    lab.open_panel()
    for k, name in enumerate(("a", "b"), 2):
        lab.controller.panel.image.image_combo.choose(lab.viewer.layers[name])
        lab.click("new_annotation_button")
        stroke(lab, value=k)
    other = reopened(person, lab)
    assert sorted(layer.name for layer in other.viewer.layers) == ["a", "a annotation", "b", "b annotation"]
    assert (other.viewer.layers["a annotation"].data == 2).any()
    assert (other.viewer.layers["b annotation"].data == 3).any()


def test_what_was_drawn_in_one_session_does_not_go_to_another(lab, sessions, tmp_path, image_file, monkeypatch):
    lab.click("new_annotation_button")
    stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    (first,) = sessions.iterdir()
    lab.viewer.window.remove_dock_widget(lab.dock)
    copy = tmp_path / "copy"
    shutil.copytree(first, copy)
    lab.open_panel()
    regions = lab.controller.roster.new_regions(lab.controller.image)
    regions.add(np.array([[1, 2, 3], [1, 2, 30], [1, 20, 30], [1, 20, 3]], float), shape_type="rectangle")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *rest: str(copy))
    lab.click("open_session_button")
    assert "Opened the work" in lab.status
    assert "cells complete regions" not in lab.viewer.layers
    lab.qtbot.wait(400)
    assert not read_state(copy).images[0].regions
    assert read_state(first).images[0].regions


def test_an_annotation_of_another_type_takes_the_place_of_the_old_one(lab, sessions):
    lab.click("new_annotation_button")
    layer = stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    layer.data = layer.data.astype(np.int32)
    layer.data_setitem((np.array([1]), np.array([30]), np.array([1])), 70_000)
    kept(lab, sessions, lambda state, sheets: len(sheets) == 1 and np.array_equal(sheets[0], layer.data))


def test_an_image_found_later_gets_what_was_painted_on_it(lab, person, image_file, sessions):
    lab.click("new_annotation_button")
    painted = stroke(lab).data.copy()
    lab.viewer.close()
    moved = image_file.with_name("moved.tif")
    image_file.rename(moved)
    other = person().open_panel()
    other.wait(lambda: not other.find("offer_frame").isHidden())
    other.click("reopen_button")
    assert "is no longer at" in other.status
    other.viewer.open(moved)
    other.wait(lambda: "cells annotation" in other.viewer.layers)
    assert np.array_equal(other.viewer.layers["cells annotation"].data, painted)


def test_an_image_that_was_removed_and_opened_again_keeps_its_one_annotation(lab, image_file, sessions):
    lab.click("new_annotation_button")
    layer = stroke(lab)
    kept(lab, sessions, lambda state, sheets: bool(sheets) and bool(sheets[0].any()))
    lab.viewer.layers.remove("cells")
    lab.viewer.open(image_file)
    layer = stroke(lab, value=4, z=1)
    kept(lab, sessions, lambda state, sheets: len(sheets) == 1 and np.array_equal(sheets[0], layer.data))


def test_export_packs_everything_with_a_paragraph_for_the_methods(lab, sessions, tmp_path, monkeypatch):
    import zipfile

    lab.click("new_annotation_button")
    stroke(lab, value=1)
    painted = stroke(lab, value=2, z=2).data.copy()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *rest: (str(tmp_path / "all.zip"), ""))
    monkeypatch.setattr(
        type(lab.fake), "load_model", lambda self, path: _Carded(json.loads(path.read_text())), raising=True
    )
    lab.train()
    lab.click("export_session_button")
    lab.wait(lambda: "Wrote all.zip" in lab.status)
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        names = packed.namelist()
        assert {"settings.json", "methods.txt", "scores.json", "versions.json"} <= set(names)
        (tif,) = (name for name in names if name.startswith("annotations/"))
        packed.extract(tif, tmp_path)
        assert np.array_equal(tifffile.imread(tmp_path / tif), painted)
        assert "U-Net" in packed.read("methods.txt").decode()
        assert any(name.startswith("models/") for name in names)


class _Carded:
    """A model whose card can be told as JSON."""

    def __init__(self, card):
        self.card = self
        self._card = card

    def model_dump(self, mode):
        return self._card


@pytest.fixture
def pair(person, fake, tmp_path):
    """A noisy image and the clean one that it should become, trained once."""
    made, rng = person(), np.random.default_rng(0)
    made.files = [tmp_path / "clean.tif", tmp_path / "noisy.tif"]
    for path in made.files:
        tifffile.imwrite(path, rng.random((40, 60)).astype(np.float32))
        made.viewer.open(path)
    made.open_panel()
    made.find("target_combo").choose("image")
    return made


def test_the_image_to_become_is_still_chosen_in_another_window(pair, person, sessions):
    pair.find("annotation_combo").choose(pair.viewer.layers["clean"])
    pair.train()
    kept(pair, sessions, lambda state, sheets: {one.name: one.target for one in state.images}.get("noisy") == "clean")
    other = reopened(person, pair, pair.files[1])
    noisy, clean = (other.viewer.layers[name] for name in ("noisy", "clean"))
    assert other.controller.roster.target(noisy) is clean
    assert other.find("target_combo").choice() == "image"
    other.viewer.layers.selection.active = noisy
    other.idle()
    assert other.find("annotation_combo").item() is clean
    assert other.enabled("train_button")


def test_an_image_that_was_learnt_from_alone_is_opened_again(pair, person, sessions):
    pair.find("learn_from_combo").choose("noise2void")
    pair.train()
    kept(pair, sessions, lambda state, sheets: [one.name for one in state.images] == ["noisy"])
    other = reopened(person, pair)
    assert [layer.name for layer in other.viewer.layers] == ["noisy"]
    assert other.find("learn_from_combo").choice() == "noise2void"

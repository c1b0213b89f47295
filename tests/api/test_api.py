import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.writing import write_array
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Checkpoint, Done, Note, Started, Step, TileDone
from napari_annotrain.specs import PredictSpec, TrainSpec
from napari_annotrain.store.models import load_model
from tests.conftest import draw_discs, train_on_discs

FEW = {"steps": 3, "device": "cpu"}


@pytest.fixture(scope="module")
def model():
    """A `fast` model that has learned discs a little."""
    return train_on_discs("classes")


def test_the_verbs_turn_arrays_into_arrays(model):
    image, labels = draw_discs((128, 128), seed=1, discs=[(30, 30, 14), (90, 90, 12)])
    out = at.predict(model, image)
    assert (out.shape, out.dtype) == (image.shape, np.uint8)
    scores = at.evaluate(out, (labels > 0).astype(np.uint8), kind="classes")
    assert scores["pooled"]["iou"]["1"] > 0.7
    cells = at.predict(model, image, output="cells")
    assert at.evaluate(cells, labels, kind="cells")["mean"]["ap50"] > 0.5


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((40, 50), None, (40, 50)),
        ((3, 40, 50), None, (3, 40, 50)),
        ((2, 3, 40, 50), "TZYX", (2, 3, 40, 50)),
        ((40, 3, 50), "YZX", (40, 3, 50)),
        ((2, 1, 40, 50), "TCYX", (2, 40, 50)),
        ((40, 50, 1), "YXC", (40, 50)),
        ((1, 1), None, (1, 1)),
        ((7, 5), None, (7, 5)),
    ],
)
def test_the_result_has_the_images_axes_without_the_channel(model, shape, axes, expected):
    image = np.random.default_rng(0).integers(300, 1500, shape).astype(np.uint16)
    assert at.predict(model, image, axes=axes).shape == expected
    assert at.predict(model, image, axes=axes, output="probabilities").shape == (2, *expected)


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int16", "float32", "float64", "bool"])
def test_images_of_any_real_type_are_predicted(model, dtype):
    image, labels = draw_discs((128, 128))
    scaled = (image > 800) if dtype == "bool" else (image // 8 if dtype == "uint8" else image)
    out = at.predict(model, scaled.astype(dtype))
    assert ((out == 1) & (labels > 0)).sum() > 0.5 * (labels > 0).sum()


def test_every_plane_of_a_stack_is_predicted_with_the_stacks_own_range(model):
    image, _ = draw_discs((64, 64))
    stack = np.stack([image, image // 2])
    whole = at.predict(model, stack)
    normalisation = api.measure_normalisation(model, Stack.of(stack))
    plane = [
        e.result
        for e in api.iter_prediction(
            model,
            Stack.of(stack),
            region=(slice(0, 1), slice(1, 2), slice(0, 64), slice(0, 64)),
            normalisation=normalisation,
        )
        if isinstance(e, TileDone)
    ]
    assert np.array_equal(plane[0][0, 0], whole[1])


def test_a_model_is_the_same_after_saving(model, tmp_path):
    image, _ = draw_discs((64, 64))
    at.save_model(model, tmp_path / "m.safetensors")
    for same in (
        at.load_model(tmp_path / "m.safetensors"),
        tmp_path / "m.safetensors",
        str(tmp_path / "m.safetensors"),
    ):
        assert np.array_equal(at.predict(same, image), at.predict(model, image))


def test_a_list_of_images_trains_one_model_and_the_card_tells(tmp_path):
    images, labels = zip(*(draw_discs(seed=s) for s in range(2)), strict=True)
    model = at.train(list(images), [(x > 0).astype(int) for x in labels], dense=True, **FEW)
    assert model.card.provenance["images"] == ["image 1", "image 2"]
    assert model.card.provenance["steps"] == 3
    assert model.card.provenance["settings"]["seed"] == 0
    assert (model.card.margin_px, model.card.grid_px) == (96, 16)
    assert model.card.class_names == {0: "background", 1: "class 1"}


def test_rgb_images_make_a_network_of_three_channels():
    image, labels = draw_discs()
    model = at.train(np.stack([image] * 3, -1), (labels > 0).astype(int), dense=True, **FEW)
    assert model.card.channels == 3
    with pytest.raises(AnnotrainError, match="has 1 channels but the model reads 3"):
        at.predict(model, image)


def test_training_goes_on_from_a_base_with_its_network(model):
    image, labels = draw_discs()
    tuned = at.train(image, (labels > 0).astype(int), dense=True, base=model, preset="standard", **FEW)
    assert tuned.card.net == model.card.net
    assert tuned.card.provenance["base"]


@pytest.mark.parametrize("with_out", [False, True])
def test_events_reach_the_caller(with_out, tmp_path):
    image, labels = draw_discs()
    events = []
    out = tmp_path / "m.safetensors" if with_out else None
    at.train(image, (labels > 0).astype(int), dense=True, out=out, on_event=events.append, **FEW)
    assert isinstance(events[0], Started)
    assert len([e for e in events if isinstance(e, Step)]) == 3
    assert isinstance(events[-1], Done)
    assert (tmp_path / "m.safetensors").exists() is with_out


def test_interrupted_training_leaves_a_model_and_can_be_resumed_to_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_annotrain.training.trainer.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    image, labels = draw_discs()
    annotation = (labels > 0).astype(int)
    out = tmp_path / "m.safetensors"

    def interrupt(event):
        if isinstance(event, Step) and event.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        at.train(image, annotation, dense=True, out=out, steps=5, device="cpu", on_event=interrupt)
    assert load_model(out).card.provenance["steps"] == 2
    resumed = at.train(image, annotation, dense=True, out=out, steps=5, device="cpu", resume=True)
    whole = at.train(image, annotation, dense=True, steps=5, device="cpu")
    assert all((resumed.weights[k] == v).all() for k, v in whole.weights.items())
    again = at.train(image, annotation, dense=True, out=out, steps=5, device="cpu", resume=True)
    assert all((again.weights[k] == v).all() for k, v in whole.weights.items()), "nothing left to do"


def test_resuming_with_other_classes_is_refused(tmp_path):
    image, labels = draw_discs()
    out = tmp_path / "m.safetensors"
    at.train(image, (labels > 0).astype(int), dense=True, out=out, **FEW)
    with pytest.raises(AnnotrainError, match="other classes or channels"):
        at.train(image, labels, dense=True, out=out, resume=True, **FEW)


def test_resume_with_nothing_there_starts_from_the_beginning(tmp_path):
    image, labels = draw_discs()
    model = at.train(image, labels, dense=True, out=tmp_path / "m.safetensors", resume=True, **FEW)
    assert model.card.provenance["steps"] == 3


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"target": "things"}, "no target"),
        ({"preset": "huge"}, "fast, standard, paper"),
        ({"device": "tpu"}, "no device"),
        ({"base": "nowhere"}, "There is no model"),
        ({"seconds": -1}, "positive"),
        ({"steps": 0}, "positive"),
        ({"seed": -1}, "negative"),
        ({"seed": 2**70}, "too large"),
        ({"seconds": float("inf")}, "positive"),
        ({"axes": "YQ"}, "cannot be read"),
        ({"axes": "ZYX"}, "3 dimensions"),
        ({"resume": True}, "give out"),
        ({"out": "model.txt"}, "end in .safetensors"),
    ],
)
def test_impossible_training_options_are_refused_in_words(more, words):
    image, labels = draw_discs()
    with pytest.raises(AnnotrainError, match=words):
        at.train(image, (labels > 0).astype(int), dense=True, **{"steps": 1, **more})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tile": -5}, "tile must be"),
        ({"tile": "big"}, "tile must be"),
        ({"memory": "much"}, "2GB"),
        ({"output": "image"}, "cannot give"),
        ({"output": "things"}, "no output"),
        ({"device": "tpu"}, "no device"),
        ({"precision": "float8"}, "no precision"),
        ({"scheduler": "local:0"}, "names no number of processes"),
        ({"resume": True}, "say which result: give out"),
        ({"axes": "XX"}, "at most once"),
        ({"out": "labels.doc"}, "cannot be written"),
    ],
)
def test_impossible_prediction_options_are_refused_in_words(model, more, words):
    with pytest.raises(AnnotrainError, match=words):
        at.predict(model, np.random.default_rng(0).normal(size=(30, 30)), **more)


def test_what_is_no_array_is_refused(model):
    with pytest.raises(AnnotrainError, match="give an array or the path"):
        at.predict(model, [[1, 2]])
    with pytest.raises(AnnotrainError, match="2 images but 1 annotations"):
        at.train([np.zeros((9, 9))] * 2, [np.zeros((9, 9), int)])


def test_a_folder_is_predicted_file_by_file_and_a_bad_one_does_not_stop_the_others(model, tmp_path):
    image, _ = draw_discs()
    for name in ("a", "c"):
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    (tmp_path / "b.tif").write_bytes(b"no image")
    notes = []
    with pytest.raises(AnnotrainError, match=r"1 of 3 images could not be predicted: b\.tif"):
        at.predict(model, tmp_path, out=tmp_path / "out", on_event=notes.append)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.tif", "c.tif"]
    assert any(isinstance(n, Note) and "b.tif" in n.text for n in notes)
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a.tif"), at.predict(model, image))


def test_a_folder_needs_an_out(model, tmp_path):
    with pytest.raises(AnnotrainError, match="give a folder as out"):
        at.predict(model, tmp_path)


def test_a_stroke_on_one_plane_of_a_lazy_stack_is_enough():
    dask = pytest.importorskip("dask.array")
    image, labels = draw_discs()
    annotation = np.zeros((3, *image.shape), np.uint8)
    annotation[1] = np.where(labels > 0, 2, 1)
    stack = dask.from_array(np.stack([image] * 3), chunks=(1, 64, 64))
    model = at.train(stack, annotation, **FEW)
    assert at.predict(model, stack).shape == stack.shape


def test_iter_training_gives_models_and_names_the_classes():
    image, labels = draw_discs()
    annotated = AnnotatedImage(Stack.of(image), Stack.of((labels > 0).astype(int)), dense=True)
    spec = TrainSpec(seconds=None, steps=2, patch=32, batch=2, device="cpu")
    events = list(api.iter_training([annotated], spec=spec, class_names={1: "disc"}))
    model = [e for e in events if isinstance(e, Checkpoint)][-1].model
    assert events[-1].result is model
    assert model.card.class_names == {0: "background", 1: "disc"}
    assert api.output_of(model, None) == ("classes", np.uint8, 0)
    assert api.output_of(model, "probabilities")[2] == 2
    list(api.iter_prediction(model, Stack.of(image), spec=PredictSpec(device="cpu")))


def test_devices_are_listed_in_words():
    devices = dict(api.list_devices())
    assert devices["auto"].startswith("Automatic (")
    assert "cpu" in devices


def test_a_training_range_is_used_for_other_images():
    from napari_annotrain.specs import NormaliseSpec

    image, labels = draw_discs()
    annotated = AnnotatedImage(Stack.of(image), Stack.of((labels > 0).astype(int)), dense=True)
    spec = TrainSpec(seconds=None, steps=1, patch=32, batch=1, device="cpu", normalise=NormaliseSpec(scope="training"))
    model = list(api.iter_training([annotated], spec=spec))[-1].result
    assert api.measure_normalisation(model, Stack.of(image * 3)) == api.measure_normalisation(model, Stack.of(image))


def test_images_are_not_their_own_annotation(tmp_path):
    with pytest.raises(AnnotrainError, match="keep the two in different places"):
        at.train(tmp_path, tmp_path)


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
def test_a_zarr_result_is_streamed_lazy_and_equal(model, tmp_path, output):
    dask = pytest.importorskip("dask.array")
    stack = np.stack([draw_discs((80, 90), seed=s)[0] for s in range(3)])
    expected = at.predict(model, stack, output=output, tile=32)
    out = at.predict(model, dask.from_array(stack, chunks=(1, 40, 90)), output=output, tile=32, out=tmp_path / "o.zarr")
    assert np.array_equal(np.asarray(out[...]), expected)
    assert not isinstance(out, np.ndarray)
    assert [p.name for p in tmp_path.iterdir()] == ["o.zarr"]
    with pytest.raises(AnnotrainError, match="exists already"):
        at.predict(model, stack, out=tmp_path / "o.zarr")
    at.predict(model, stack[:1], out=tmp_path / "o.zarr", overwrite=True)


def test_a_failing_prediction_leaves_nothing_under_the_results_name(model, tmp_path, monkeypatch):
    def broken(*args):
        raise RuntimeError("no")

    monkeypatch.setattr("napari_annotrain.inference.predictor.Predictor.compute", broken)
    for name in ("o.zarr", "o.tif"):
        with pytest.raises(RuntimeError):
            at.predict(model, draw_discs()[0], out=tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "a.tif"])
def test_a_result_never_replaces_its_image(model, tmp_path, name):
    tifffile.imwrite(tmp_path / "a.tif", draw_discs()[0])
    before = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(AnnotrainError, match="would replace"):
        at.predict(model, tmp_path / name, out=tmp_path / name)
    assert (tmp_path / "a.tif").read_bytes() == before


def test_resuming_a_finished_training_changes_nothing(tmp_path):
    image, labels = draw_discs((400, 400), discs=[(y, x, 12) for y in range(30, 400, 60) for x in range(30, 400, 60)])
    out = tmp_path / "m.safetensors"
    options = {"dense": True, "out": out, "steps": 2, "device": "cpu"}
    first = at.train(image, (labels > 0).astype(int), **options)
    again = at.train(image, (labels > 0).astype(int), resume=True, **options)
    assert "validation_iou" in first.card.provenance
    assert again.card.provenance["validation_iou"] == first.card.provenance["validation_iou"]
    assert all((again.weights[k] == v).all() for k, v in first.weights.items())


def test_the_card_remembers_validation_blocks_that_were_trained_on():
    image, labels = draw_discs((256, 256), discs=[(60, 60, 20), (180, 180, 20), (60, 180, 20)])
    first = at.train(image, (labels > 0).astype(int), dense=True, **FEW)
    assert first.card.released, "test invalid: no block was chosen"
    second = at.train(image, (labels > 0).astype(int), dense=True, base=first, **FEW)
    assert second.card.released == first.card.released


def test_numpy_in_is_numpy_out_also_where_it_is_written_to_zarr(model, tmp_path):
    image = draw_discs((64, 64))[0]
    expected = at.predict(model, image)
    out = at.predict(model, image, out=tmp_path / "a.zarr")
    assert isinstance(out, np.ndarray)
    assert np.array_equal(out, expected)
    tifffile.imwrite(tmp_path / "a.tif", image)
    from_file = at.predict(model, tmp_path / "a.tif", out=tmp_path / "b.zarr")
    assert not isinstance(from_file, np.ndarray)
    assert np.array_equal(from_file[...], expected)


def test_two_images_of_one_stem_never_write_one_result(model, tmp_path):
    (tmp_path / "in").mkdir()
    image = draw_discs()[0]
    tifffile.imwrite(tmp_path / "in" / "a.tif", image)
    Image.fromarray((image // 8).astype(np.uint8)).save(tmp_path / "in" / "a.png")
    with pytest.raises(AnnotrainError, match=r"a\.png and a\.tif in .*in differ only in their type"):
        at.predict(model, tmp_path / "in", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_zarr_store_of_any_name_is_one_image(model, tmp_path):
    image = draw_discs()[0]
    write_array(tmp_path / "s.zarr", image, "YX")
    (tmp_path / "s.zarr").rename(tmp_path / "store")
    at.predict(model, tmp_path / "store", out=tmp_path / "o1.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "o1.tif"), at.predict(model, image))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_an_image_too_large_for_memory_does_not_stop_the_others(model, tmp_path, monkeypatch, error):
    for name, size in (("a", 64), ("b", 80)):
        tifffile.imwrite(tmp_path / f"{name}.tif", draw_discs((size, size))[0])
    whole = api.prediction._fill

    def scarce(result, *rest):
        if result.shape == (80, 80):
            raise error
        whole(result, *rest)

    monkeypatch.setattr("napari_annotrain.api.prediction._fill", scarce)
    notes = []
    with pytest.raises(PartlyDone, match=r"1 of 2 images could not be predicted: b\.tif") as partly:
        at.predict(model, tmp_path, out=tmp_path / "out", on_event=notes.append)
    assert partly.value.result == [tmp_path / "out" / "a.tif"]
    assert any(isinstance(n, Note) and "not enough memory for b.tif" in n.text for n in notes)
    monkeypatch.setattr("napari_annotrain.api.prediction._fill", lambda *rest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        at.predict(model, tmp_path, out=tmp_path / "out")


@pytest.mark.parametrize("output", ["classes", "cells", "probabilities"])
def test_what_a_png_cannot_hold_is_refused_before_any_work(model, tmp_path, monkeypatch, output):
    monkeypatch.setattr("napari_annotrain.api.prediction._fill", lambda *rest: pytest.fail("work was done"))
    with pytest.raises(AnnotrainError, match=r"o\.png cannot hold this result"):
        at.predict(model, np.zeros((5, 30, 30), np.uint8), output=output, out=tmp_path / "o.png")


@pytest.fixture
def training_folders(tmp_path):
    """Folders of images and annotations: a and b are good."""
    for k, name in enumerate("ab"):
        image, labels = draw_discs(seed=k)
        for folder, array in (("images", image), ("labels", (labels > 0).astype(np.uint8))):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"{name}.tif", array)
    return tmp_path


def spoil(folders, how):
    """Add a pair c that cannot be used; its name comes back as the notes have it."""
    image, labels = draw_discs(seed=9)
    labels = (labels > 0).astype(np.float32)
    if how == "wrong size":
        labels = labels[:-3]
    if how == "fractions":
        labels /= 3
    tifffile.imwrite(folders / "labels" / "c.tif", labels)
    tifffile.imwrite(folders / "images" / "c.tif", image)
    if how == "no image":
        (folders / "images" / "c.tif").write_bytes(b"no image")


@pytest.mark.parametrize("how", ["no image", "wrong size", "fractions"])
def test_a_bad_file_in_a_training_folder_is_named_and_the_others_are_trained_on(training_folders, how):
    spoil(training_folders, how)
    images, labels, out = (training_folders / name for name in ("images", "labels", "m.safetensors"))
    notes = []
    with pytest.raises(PartlyDone, match="1 of 3 images could not be trained on: c") as partly:
        at.train(images, labels, dense=True, out=out, on_event=notes.append, **FEW)
    assert load_model(out).card.provenance["images"] == ["a", "b"]
    assert partly.value.result.card.provenance["images"] == ["a", "b"]
    assert any(isinstance(n, Note) and ("c.tif" in n.text or " c " in n.text) for n in notes)
    with pytest.raises(AnnotrainError) as single:
        at.train(images / "c.tif", labels / "c.tif", dense=True, **FEW)
    assert not isinstance(single.value, PartlyDone)


def test_a_bad_pair_in_a_folder_is_named_and_the_others_are_scored(training_folders):
    spoil(training_folders, "wrong size")
    write_array(training_folders / "images" / "c.tif", draw_discs()[1], "YX")
    shutil.copytree(training_folders / "labels", training_folders / "found")
    write_array(training_folders / "found" / "c.tif", draw_discs()[1], "YX")
    notes = []
    with pytest.raises(PartlyDone, match=r"1 of 3 pairs could not be compared: c\.tif") as partly:
        at.evaluate(training_folders / "found", training_folders / "labels", kind="classes", on_event=notes.append)
    assert set(partly.value.result["images"]) == {"a", "b"}
    assert partly.value.result["pooled"]["iou"]["1"] == 1
    assert any("c is 64 x 72 but its truth is 61 x 72" in note.text for note in notes)


def test_resuming_with_another_target_is_refused(tmp_path):
    image, labels = draw_discs()
    out = tmp_path / "m.safetensors"
    at.train(image, labels, target="cells", dense=True, out=out, **FEW)
    before = out.read_bytes()
    with pytest.raises(AnnotrainError, match="has the target cells: give that one"):
        at.train(image, labels, dense=True, out=out, resume=True, **FEW)
    assert out.read_bytes() == before


def test_base_none_is_no_base():
    image, labels = draw_discs()
    model = at.train(image, (labels > 0).astype(int), dense=True, base="none", **FEW)
    assert model.card.provenance["base"] is None


def test_a_palette_png_is_an_annotation_and_a_truth(tmp_path):
    image, labels = draw_discs()
    tifffile.imwrite(tmp_path / "a.tif", image)
    palette = Image.fromarray(labels.astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 250, 10, 10, 20, 240, 20])
    palette.save(tmp_path / "labels.png")
    model = at.train(tmp_path / "a.tif", tmp_path / "labels.png", dense=True, **FEW)
    assert model.card.classes == (0, 1, 2)
    assert at.evaluate(labels, tmp_path / "labels.png")["mean"]["ap50"] == 1
    palette.convert("RGB").save(tmp_path / "rgb.png")
    with pytest.raises(AnnotrainError, match="has 3 channels: save it as a label image"):
        at.train(tmp_path / "a.tif", tmp_path / "rgb.png", dense=True, **FEW)
    with pytest.raises(AnnotrainError, match=r"rgb\.png has 3 channels: save it as a label image"):
        at.evaluate(tmp_path / "rgb.png", tmp_path / "rgb.png")


def test_the_verbs_are_listed_and_nothing_else_is_there():
    assert set(dir(api)) == set(api.__all__)
    assert all(callable(getattr(api, name)) for name in api.__all__)
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        api.paint  # noqa: B018

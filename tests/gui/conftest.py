"""A fake engine, so that the window's logic is tested without torch, and a panel in a napari viewer."""

import gc
import json
import os
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Checkpoint, Done, Grown, Note, Started, Step, TileDone, Validated
from napari_annotrain.specs import PRESETS, NetSpec, Preset, TrainSpec


def has_display():
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY"))


@pytest.hookimpl(trylast=True)
def pytest_configure():
    """After pytest-xvfb has looked for a virtual screen."""
    if not has_display():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # enough for widgets without OpenGL


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("gui") and not has_display():
            item.add_marker(pytest.mark.skip(reason="needs a display: install Xvfb"))


@pytest.fixture(autouse=True)
def little_to_collect():
    """Let garbage be looked for among what a test has made, and nothing that was there before.

    Napari collects it whenever a layer goes, and every closed window leaves some thousand objects of its menus behind:
    after a hundred windows that took half of a test's time.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_thread_left():
    """No worker thread of ours may outlive its test."""
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith("annotrain")]
    assert not left


@pytest.fixture(autouse=True)
def sessions(tmp_path_factory, monkeypatch):
    """Where sessions of this test go by themselves."""
    place = tmp_path_factory.mktemp("sessions")
    monkeypatch.setenv("ANNOTRAIN_SESSIONS", str(place))
    monkeypatch.setenv("ANNOTRAIN_SETTINGS", str(place.parent / f"{place.name}-settings"))
    return place


@pytest.fixture
def compare_small(monkeypatch):
    """Two presets small enough for a test; what it gives opens the comparison in a window and ticks these two."""
    for name, width in (("small", 2), ("larger", 4)):
        train = TrainSpec(patch=32, batch=2)
        monkeypatch.setitem(PRESETS, name, Preset(title=name, net=NetSpec(width=width, depth=2), train=train))

    def choose(lab):
        lab.panel.folds["Models"].set_open(True)
        lab.box = lab.panel.models.compare
        lab.click("compare_fold_button")
        for name in ("fast", "standard", "small", "larger"):
            lab.box.checks[name].setChecked(name in ("small", "larger"))
        lab.box.seconds.setValue(1)

    return choose


class FakeCurve(SimpleNamespace):
    """A learning rate that was found."""

    def __str__(self):
        return f"learning rate {self.rate:g}"


class FakeEngine:
    """Behaves like `napari_annotrain.api`: some steps, then a model; prediction in one tile a plane.

    Set `hold` to "train" or "predict" to keep such a run going until it is stopped,
    `fail` to an exception to have it raised in mid-run, `refuse` to the name of an image that cannot be predicted.
    """

    def __init__(self):
        self.hold = ""
        self.fail = None
        self.fail_at_once = False
        self.refuse = ""
        self.calls = []
        self.closed_in = []
        self.released = 0
        self.norms = 0
        self.target = "classes"
        self.drawn = None  # (Y, X) values to predict; None: 1 everywhere
        self.fed = []  # what was painted while training, as it arrived

    def warm_up(self):
        pass

    def list_devices(self):
        return [("auto", "Automatic (CPU, 2 cores)"), ("cpu", "CPU")]

    def why_no_gpu(self):
        return ""

    def leave_a_core(self, events, in_use):
        return events

    def base_models(self):
        return ["cells-2d"]

    def save_model(self, model, path):
        path.write_text(json.dumps(vars(model.card), default=lambda net: net.model_dump()))

    def load_model(self, path):
        card = json.loads(path.read_text())
        card["class_names"] = {int(value): name for value, name in card["class_names"].items()}
        card["net"] = NetSpec(**card["net"])
        return SimpleNamespace(card=SimpleNamespace(**card))

    def release_memory(self):
        self.released += 1

    def measure_normalisation(self, model, stack):
        self.norms += 1
        return stack.name

    def check_channels(self, model, stack):
        pass

    def is_for_disk(self, model, stack, spec):
        return False

    def output_of(self, model, output):
        kind = output or model.card.target
        return {
            "classes": ("classes", np.dtype(np.uint8), 1),
            "cells": ("cells", np.dtype(np.int32), 1),
            "probabilities": ("probabilities", np.dtype(np.float32), 2),
            "uncertainty": ("uncertainty", np.dtype(np.float32), 0),
            "image": ("image", np.dtype(np.float32), 0),
        }[kind]

    def iter_training(self, images, **settings):
        self.calls.append(("train", images, settings))
        try:
            if self.fail_at_once:
                raise self.fail
            yield Started("training", None, 1.0, "a test", "float32")
            yield Note("Only little is painted.")
            model = self._model(settings)
            for step in range(1, 4):
                yield Step(step, 1 / step, 0.1 * step, step / 3)
            yield Validated(1, 0.8, 0.2, 0.1, True)
            yield Validated(2, 0.75, 0.2, 0.2, True)
            yield Validated(3, 0.6, 0.2, 0.3, False)
            yield Checkpoint(3, model, None)
            if self.fail is not None:
                raise self.fail
            while self.hold == "train":
                threading.Event().wait(0.005)
                step += 1
                for painted in settings["feed"].take():
                    self.fed.append(painted)
                    yield Grown(step, None, 0.1 * step, len(painted.boxes))
                yield Step(step, 0.1, 0.1 * step, 0.0 if settings["feed"].endless else 0.5)
                yield Checkpoint(step, model, None)
            yield Done(model)
        finally:
            self.closed_in.append(threading.current_thread().name)

    def iter_finding(self, images, **settings):
        self.calls.append(("find rate", images, settings))
        yield Started("training", 3, None, "a test", "float32")
        for step in range(1, 4):
            yield Step(step, 1 / step, 0.1 * step, step / 3)
        while self.hold == "find rate":
            threading.Event().wait(0.005)
            yield Step(4, 0.1, 0.4, 0.9)
        yield Done(FakeCurve(rates=(1e-4, 1e-2, 1.0), losses=(1.0, 0.5, 2.0), rate=1e-3))

    def preview_deformed(self, image, target, spec, *, plane, colours):
        self.calls.append(("deform", image, {"target": target, "spec": spec, "plane": plane}))
        warns = spec.augment.elastic_px > 20
        words = "Gaps close." if warns else "No gap closes."
        return SimpleNamespace(images=np.zeros((9, 16, 16, 3), np.uint8), warns=warns, in_words=lambda: words)

    def check_seams(self, model, stack, spec, t, z):
        self.calls.append(("seams", stack, {"t": t, "z": z, "spec": spec}))
        return f"Seams: none in plane {z}."

    def _model(self, settings):
        return SimpleNamespace(
            card=SimpleNamespace(
                target=settings["target"],
                classes=(0, 1),
                class_names=settings["class_names"],
                normalise="as ever",
                training_range=(),
                net=settings.get("net") or NetSpec(),
                target_range=(),
            )
        )

    class KeptPlanes:
        gave_up = False

    def iter_on_cluster(self, model, stack, *, spec, normalisation, finished=None):
        self.calls.append(("cluster", stack, {"spec": spec}))
        yield from self.iter_prediction(model, stack, spec=spec, region=None, normalisation=normalisation)

    def iter_prediction(self, model, stack, *, spec, region, normalisation, write=None, **more):
        self.calls.append(("predict", stack, {"region": region, "spec": spec}))
        assert normalisation == stack.name
        kind, dtype, channels = self.output_of(model, spec.output)
        if stack.name == self.refuse:
            raise AnnotrainError(f"{stack.name} has other channels.")
        n_t, _, n_z, n_y, n_x = stack.shape
        t, z, y, x = region or (slice(0, n_t), slice(0, n_z), slice(0, n_y), slice(0, n_x))
        planes = [(i, j) for i in range(t.start, t.stop) for j in range(z.start, z.stop)]
        try:
            yield Started("prediction", len(planes), None, "a test", "float32")
            for done, (i, j) in enumerate(planes, 1):
                shape = (1, 1, y.stop - y.start, x.stop - x.start)
                result = np.ones(shape if kind != "probabilities" else (channels, *shape), dtype)
                if self.drawn is not None and kind != "probabilities":
                    result[...] = self.drawn[y, x]
                found = TileDone((slice(i, i + 1), slice(j, j + 1), y, x), result, done, len(planes))
                if write is not None:
                    write(found)
                yield found
                while self.hold == "predict" and done == 1:
                    threading.Event().wait(0.005)
                    yield Note("waiting")
                if self.fail is not None:
                    raise self.fail
            yield Done(None)
        finally:
            self.closed_in.append(threading.current_thread().name)


@pytest.fixture
def fake(monkeypatch):
    from napari_annotrain._napari import engine

    made = FakeEngine()
    monkeypatch.setattr(engine, "load", lambda: made)
    return made


@pytest.fixture
def person(qtbot, make_napari_viewer):
    """Someone in front of the window: `person(viewer arguments)` opens it and returns what they can do."""
    from person import Person

    return lambda **kwargs: Person(qtbot, make_napari_viewer(**kwargs))

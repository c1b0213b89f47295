from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from napari_annotrain._napari.models.comparison import Question, comparison
from napari_annotrain._napari.predict.pieces import Measured
from napari_annotrain._napari.runs.events import Compared
from napari_annotrain._napari.viewer.arrays import as_tzyx, empty
from napari_annotrain._napari.viewer.layers import label_axes, label_shape
from napari_annotrain._napari.viewer.view import is_inside, region_of
from napari_annotrain._qt.lane import Lane, Run
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed, Region
from napari_annotrain.metrics.changes import Changes
from napari_annotrain.session import Trained, why_not_compare

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: So many accepted regions of an image are remembered, the latest ones.
MOST_ACCEPTED = 64


class ChangesFlow:
    """What changed: a green and red layer over the labels in view, brought up to date when they are predicted anew.

    They are compared with what was accepted last, where something was; elsewhere with what the model that
    predicted before makes of the same place, which is asked in a lane of its own.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._lane = Lane()
        self._accepted: WeakKeyDictionary[Any, list[tuple[Region, npt.NDArray[Any]]]] = WeakKeyDictionary()
        self._measured: WeakKeyDictionary[Any, Measured] = WeakKeyDictionary()
        self._drawn: WeakKeyDictionary[Any, Region] = WeakKeyDictionary()
        self._known: tuple[tuple[Any, ...], Any] = ((), None)  # of what, and the labels of the model before there
        self._failed, self._speaks = "", False
        self.on = False

    def set_on(self, on: bool) -> None:
        """Show what has changed, or take the layer away."""
        self.on = on
        if not on:
            self._lane.stop()
            for image in self._c.roster.images():
                self._c.roster.hide_changes(image)
            self._tell("")
            return
        reason = why_not_compare(self._c.facts())
        if reason:
            raise AnnotrainError(reason)
        c = self._c
        if c.roster.viewer.dims.ndisplay == 3:
            raise AnnotrainError("Switch to the flat view (2-D display) to see what has changed.")
        self._speaks = True
        if c.predict.shows_view():
            self.look()
        elif c.session.activity == "idle":
            c.predict.after_training()  # and looks here when it ends
        else:
            self._note("It appears as soon as what is in view is predicted.")

    def close(self, seconds: float) -> None:
        """Stop, and wait at most so long; the layers go."""
        self._lane.close(seconds)
        self.on = False
        if self._c.roster.viewer is not None:
            for image in self._c.roster.images():
                self._c.roster.hide_changes(image)

    def accept(self, image: Any, region: Region, labels: npt.NDArray[Any]) -> None:
        """Note that (T, Z, Y, X) labels, as predicted, were accepted in a region of an image."""
        kept = [*self._accepted.get(image, []), (region, np.array(labels))]
        self._accepted[image] = kept[-MOST_ACCEPTED:]

    def look(self, training: bool = False) -> None:
        """Compare what is shown in view; while `training`, with the model that training was started with or beside."""
        c = self._c
        image, model = c.image, c.session.model
        if not self.on or c.panel is None or image is None or c.roster.viewer.dims.ndisplay == 3:
            return
        layer = c.roster.result(image)
        region = region_of(c.roster.viewer, image, c.roster.axes(image))
        if layer is None or region is None:
            return
        if not (any(is_inside(region, box) for box in c.train.shown(image)) if training else c.predict.shows_view()):
            return
        kind = layer.metadata.get("annotrain")
        if kind not in ("classes", "cells"):
            self._refuse(image, "Choose to show classes or cells: only labels can be compared.")
            return
        before = model if training else c.session.before
        if before is not None and before.model.card.target == "image":
            before = None  # it gave no labels
        spec = c.session.predict.model_copy(update={"output": kind, "scheduler": ""})
        canvas = c.roster.known(layer).growing or as_tzyx(layer.data, label_axes(image, c.roster.axes(image)))
        accepted = self._accepted.get(image, [])
        of = (id(image.data), before, kind, str(spec.cells), str(region))
        question = Question(
            c.roster.stack(image),
            region,
            spec,
            np.array(canvas[region]),
            before.model if before is not None else None,
            self._known[1] if self._known[0] == of else None,
            tuple(accepted),
            self._measured.setdefault(image, Measured()),
        )
        if before is None and not accepted:
            self._refuse(image, "There is no earlier model to compare with yet: train once more.")
            return
        self._run(question, image, of, _against(before, bool(accepted)))

    # -- the run ------------------------------------------------------------------------------------------------

    def _run(self, question: Question, image: Any, of: tuple[Any, ...], against: str) -> None:
        c = self._c
        found: list[Compared] = []

        def take(event: Event) -> None:
            if isinstance(event, Compared):
                found.append(event)
            elif isinstance(event, Failed):
                self._failed = event.sentence

        def end(stopped: bool) -> None:
            if stopped or not self.on:
                return
            if self._failed:
                self._tell(self._failed)
            for one in found:
                self._known = of, one.before
                self._show(image, question.region, one.changes)
                self._tell(f"{one.changes.in_words()}, compared with {against}.")

        self._failed = ""
        self._lane.start(
            Run(lambda: comparison(question), lambda: None, c.guarded(take), c.guarded(end), "annotrain-comparison")
        )

    @property
    def busy(self) -> bool:
        """Whether something is being compared."""
        return self._lane.busy

    def _show(self, image: Any, region: Region, changes: Changes) -> None:
        roster = self._c.roster
        axes = roster.axes(image)
        layer = roster.changes(image)
        if layer is None or layer.data.shape != label_shape(image, axes):
            layer = roster.show_changes(image, empty(label_shape(image, axes), np.uint8))
        canvas = as_tzyx(layer.data, label_axes(image, axes))
        if layer in self._drawn:
            canvas[self._drawn[layer]] = 0
        canvas[region] = changes.map
        self._drawn[layer] = region
        layer.refresh()

    def _refuse(self, image: Any, why: str) -> None:
        """Show nothing, rather than what was true before, and say why."""
        self._lane.stop()
        self._c.roster.hide_changes(image)
        self._tell(why)

    def _note(self, words: str) -> None:
        """Say it under the button."""
        if self._c.panel is not None:
            self._c.panel.models.set_changes(words)

    def _tell(self, words: str) -> None:
        """Say it under the button, and in the status line where the button was pressed."""
        self._note(words)
        if words and self._speaks:
            self._speaks = False
            self._c.say(words)


def _against(before: Trained | None, accepted: bool) -> str:
    model = f"the labels of {before.name}" if before is not None else ""
    if accepted:
        return "what you accepted" + (f", and elsewhere with {model}" if model else "")
    return model

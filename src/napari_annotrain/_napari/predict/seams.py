from typing import TYPE_CHECKING

from napari_annotrain._napari.runs.work import seam_check
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.lane import Run
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class SeamFlow:
    """The check for seams, from the button to the sentence."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller

    def start(self) -> None:
        """Say whether tiles leave seams in the plane that is shown."""
        c = self._c
        if not c.predict.may_start():
            return
        assert c.image is not None
        assert c.session.model is not None
        stack, model, spec = c.roster.stack(c.image), c.session.model.model, c.session.predict
        region = region_of(c.roster.viewer, c.image, c.roster.axes(c.image), whole=True)
        if region is None:
            raise AnnotrainError(f"Nothing of {c.image.name} is in view: press Home to see all of it.")
        t, z = region[0].start, region[1].start
        c.session.activity = "predicting"
        run = Run(
            lambda: seam_check(model, stack, spec, t, z),
            self._begin,
            c.guarded(self._on_event),
            c.guarded(self._on_end),
            "annotrain-prediction",
            c.predict.dropped,
        )
        c.lane.start(run)
        c.refresh()

    def _begin(self) -> None:
        self._c.say("Checking for seams ...")

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Done):
            self._c.say(event.result)
        elif isinstance(event, Failed):
            self._c.say(event.sentence, problem=True)

    def _on_end(self, stopped: bool) -> None:
        if stopped:
            self._c.say("Cancelled.")
        self._c.predict.idle()
        self._c.predict.look()

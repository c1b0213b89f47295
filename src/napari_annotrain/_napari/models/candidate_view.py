from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari.models.candidate_layers import CandidateLayers
from napari_annotrain._napari.runs.candidates import predicting
from napari_annotrain._napari.runs.events import Made
from napari_annotrain._napari.viewer.view import region_of, shows_planes
from napari_annotrain._qt.lane import Run
from napari_annotrain.api.comparison import Contender
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed, Region

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Most values of all images that the candidates make of a view (1 GB).
MOST_VALUES = 1 << 28


class CandidateView:
    """What each candidate of a comparison makes of the view: from the button to the layers."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._layers = CandidateLayers(controller.roster)
        self._seen: int | None = None  # number of the candidate whose layer is seen
        self._problem = ""

    def show(self, contenders: Sequence[Contender]) -> None:
        """Predict the view with each that has a model, one after the other.

        Raises
        ------
        AnnotrainError
            What is in view cannot be shown so.
        """
        c, image = self._c, self._c.image
        models = {k: one.model for k, one in enumerate(contenders) if one.model is not None}
        if c.session.activity != "idle" or image is None or not models:
            self._mark()
            return
        images = any(one.target == "image" for one in contenders)
        try:
            region = self._region(image, sum(model.card.net.outputs for model in models.values()) if images else 0)
        except AnnotrainError:
            self._mark()
            raise
        self._problem = ""
        wanted = c.session.predict.output
        output = wanted if wanted in ("classes", "cells") and not images else None
        spec = c.session.predict.model_copy(update={"output": output, "scheduler": ""})
        stack, measured = c.roster.stack(image), c.roster.measured(image)
        c.session.activity = "predicting"
        run = Run(
            lambda: predicting(models, stack, region, spec, measured, c.lane.in_use),
            lambda: None,
            c.guarded(lambda event: self._take(event, contenders, image, region)),
            c.guarded(self._end),
            "annotrain-predicting",
            self._idle,
        )
        c.lane.start(run)
        c.refresh()

    def choose(self, k: int | None) -> None:
        """Let the layer of one candidate be seen, by its number."""
        self._seen = k
        self._layers.choose(k)

    def remove(self) -> None:
        """Take all of it away."""
        self._layers.remove()
        self._mark()

    def _region(self, image: Any, channels: int) -> Region:
        """What is in view, where all of them can be shown on it; channels of all images that are made, 0 for labels."""
        viewer, axes = self._c.roster.viewer, self._c.roster.axes(image)
        if viewer.dims.ndisplay == 3:
            raise AnnotrainError("Switch to the flat view (2-D display) to see what each of them makes of it.")
        if channels and not shows_planes(viewer, image, axes):
            raise AnnotrainError("Show planes of Y and X to see the images that each of them makes.")
        region = region_of(viewer, image, axes)
        if region is None:
            raise AnnotrainError(f"Nothing of {image.name} is in view: press Home to see all of it.")
        if channels * prod(part.stop - part.start for part in region) > MOST_VALUES:
            raise AnnotrainError("So much is in view that the images of all of them are too large: zoom in first.")
        return region

    def _take(self, event: Event, contenders: Sequence[Contender], image: Any, region: Region) -> None:
        if isinstance(event, Failed):
            self._problem = event.sentence
        if not isinstance(event, Made) or image not in self._c.roster.viewer.layers:
            return
        one = contenders[event.candidate]
        ranges = one.model.card.target_range
        self._layers.show(event.candidate, one.name, image, event.kind, event.result, region, ranges)
        self._layers.choose(self._seen)

    def _end(self, stopped: bool) -> None:
        self._idle()
        if self._problem:
            self._c.say(self._problem, problem=True)
        elif stopped:
            self._c.say("Stopped: not all candidates have predicted what you see.")
        self._layers.cover()
        self._mark()
        self._c.refresh()

    def _idle(self) -> None:
        if self._c.session.activity == "predicting":
            self._c.session.activity = "idle"
        self._c.refresh()

    def _mark(self) -> None:
        """Let the button show whether anything is shown."""
        if self._c.panel is not None:
            self._c.panel.models.compare.set_labels_shown(bool(self._layers))

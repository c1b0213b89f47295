from typing import TYPE_CHECKING, Any

from napari_annotrain._napari.runs.search import rate_search
from napari_annotrain._qt.lane import Run
from napari_annotrain._qt.layout import duration
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed, Step
from napari_annotrain.session import LAST_MODEL, NOTHING, why_not_labels, why_not_train

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class RateFlow:
    """The search for a learning rate, from the button to the setting."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._found: Any = None
        self._failed = False

    def start(self) -> None:
        """Find a learning rate for what is painted on the ticked images, and take it."""
        c, session = self._c, self._c.session
        if session.activity != "idle":
            return
        reason = why_not_train(c.facts()) or why_not_labels(c.facts())
        if reason:
            raise AnnotrainError(reason)
        images = c.keep.as_painted()
        if not images:
            raise AnnotrainError("No image is ticked: tick the images to train on in step 1.")
        base = session.model.model if session.base == LAST_MODEL and session.model is not None else session.base
        afresh = base == NOTHING
        spec = session.train.model_copy(update={"freeze": "none"}) if afresh else session.train
        args = (images, session.target, session.preset, None if afresh else base, spec)
        net = session.net if afresh else None
        session.activity = "training"
        c.lane.start(
            Run(
                lambda: rate_search(*args, c.lane.in_use, net),
                self._begin,
                c.guarded(self._on_event),
                c.guarded(self._on_end),
                "annotrain-training",
                self._dropped,
            )
        )
        c.refresh()

    def _begin(self) -> None:
        self._found, self._failed = None, False
        self._c.say("Looking for a learning rate ...")

    def _on_event(self, event: Event) -> None:
        match event:
            case Step() if self._c.panel is not None:
                words = f"{duration(event.seconds)} · step {event.step} of the search for a learning rate"
                self._c.panel.train.set_run_line(words)
            case Done():
                self._found = event.result
            case Failed():
                self._failed = True
                self._c.say(event.sentence, problem=True)

    def _on_end(self, stopped: bool) -> None:
        c, found = self._c, self._found
        try:
            if c.panel is not None:
                c.panel.train.set_run_line("")
            if found is not None and found.rates and not stopped:
                c.train.set_spec(c.session.train.model_copy(update={"learning_rate": found.rate}))
                if c.panel is not None:
                    c.panel.train.rate.show_curve(found.rates, found.losses, found.rate)
                c.say(f"Found and taken: {found}.")
            elif not self._failed:
                c.say("The search was stopped: the learning rate stays as it was.")
        finally:
            self._idle()

    def _dropped(self) -> None:
        self._c.say("Stopped before the search began.")
        self._idle()

    def _idle(self) -> None:
        self._c.session.activity = "idle"
        self._c.refresh()

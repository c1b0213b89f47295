from itertools import count
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari.runs.work import training
from napari_annotrain._napari.train.previews import Previews
from napari_annotrain._napari.train.settings import TrainSettings
from napari_annotrain._qt.lane import Run
from napari_annotrain._qt.layout import duration, time_left
from napari_annotrain._qt.small_plot import LEAST_LOSS_OF_IMAGES
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Checkpoint, Done, Event, Failed, Grown, Note, Region, Started, Step, Validated
from napari_annotrain.session import (
    LAST_MODEL,
    NOTHING,
    Trained,
    or_all,
    precision_in_words,
    score_in_words,
    why_not_train,
)

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


_AGAIN = " Correct what is wrong and train again, or predict the whole stack."


class TrainFlow(TrainSettings):
    """Training, from the button to the model in the session."""

    def __init__(self, controller: "Controller") -> None:
        super().__init__(controller)
        self._previews = Previews(controller)
        self._numbers = count(1)
        self._forget_run()

    def _forget_run(self) -> None:
        self._model: Any = None  # the best so far
        self._score: float | None = None
        self._measure = "IoU"
        self._step: Step | None = None
        self._where = self._grown = ""
        self._notes: list[str] = []
        self._failed = ""

    # -- the run ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start training on the ticked images."""
        c, session = self._c, self._c.session
        if session.activity != "idle":
            return
        reason = why_not_train(c.facts())
        if reason:
            raise AnnotrainError(reason)
        images, feed = c.image_target.begin() if c.image_target.on else c.keep.begin()
        if not images:
            raise AnnotrainError("No image is ticked: tick the images to train on in step 1.")
        base = session.model.model if session.base == LAST_MODEL and session.model is not None else session.base
        afresh = base == NOTHING
        spec = session.train.model_copy(update={"freeze": "none"}) if afresh else session.train  # nothing to keep
        args = (images, session.target, session.preset, None if afresh else base, spec)
        net = session.net if afresh else None
        names = dict(session.class_names) if session.target == "classes" else {}
        session.activity = "training"
        c.say("Preparing to train ...")
        c.lane.start(
            Run(
                lambda: training(*args, names, self._previews.requests, c.lane.in_use, feed, net),
                c.guarded(self._begin),
                c.guarded(self._on_event),
                c.guarded(self._on_end),
                "annotrain-training",
                self._dropped,
            )
        )
        c.refresh()

    def shown(self, image: Any) -> tuple[Region, ...]:
        """Where the labels shown on an image are those of the model that is being trained."""
        return self._previews.shown(image)

    def _begin(self) -> None:
        self._forget_run()
        self._previews.begin()
        if self._c.panel is not None:
            self._c.panel.train.loss_plot.clear(LEAST_LOSS_OF_IMAGES if self._c.image_target.on else 1.0)
            self._c.panel.train.set_run_line("Preparing ...")

    def stop(self) -> None:
        """Stop after the present step; the best model so far is kept."""
        if self._c.session.activity == "training":
            self._c.say("Stopping after the present step ...")
            self._c.lane.stop()
            self._c.refresh()

    def _on_event(self, event: Event) -> None:
        self._previews.take(event)
        match event:
            case Started():
                self._where = f"{event.device}, {precision_in_words(event.precision)}"
                self._c.say(
                    "Training."
                    if self._c.image_target.on
                    else "Training goes on until you press Stop, and learns what you paint meanwhile."
                    if self._c.keep.on
                    else "Training. You can go on painting; it counts from the next training on."
                )
            case Grown():
                self._grown = f"new strokes learnt since {duration(event.seconds)}"
            case Note():
                self._notes.append(event.text)
                self._c.say(event.text)
            case Step():
                self._step = event
                self._show_step(event)
            case Validated():
                self._score = event.score if event.kept else self._score
                self._measure = event.measure
                if self._c.panel is not None:
                    self._c.panel.train.loss_plot.add_score(event.seconds, event.score, event.measure)
            case Checkpoint():
                self._model = event.model
                self._c.keep.look()
                self._previews.look(event.model, 0.0 if self._step is None else self._step.seconds)
            case Done():
                self._model = event.result if event.result is not None else self._model
            case Failed():
                self._failed = event.sentence

    def _show_step(self, event: Step) -> None:
        if self._c.panel is None:
            return
        self._c.panel.train.loss_plot.add_loss(event.seconds, event.loss)
        words = [duration(event.seconds), f"{event.step:,} step{'s' * (event.step != 1)}", self._where]
        if 0.02 < event.fraction < 1:
            words.append(time_left(event.seconds * (1 - event.fraction) / event.fraction))
        words.append(self._grown)
        line = " · ".join(word for word in words if word)
        self._c.panel.train.set_run_line(line)
        score = "" if self._score is None else f" · {score_in_words(self._score, self._measure)}"
        self._c.panel.set_summary("Train", f"training · {duration(event.seconds)}{score}")

    def count_from(self, name: str) -> None:
        """Let the next model have a higher number than one of this name."""
        *_, last = name.split()
        if last.isdigit():
            self._numbers = count(max(int(last) + 1, next(self._numbers)))

    def next_name(self) -> str:
        """What the next model is called."""
        return f"model {next(self._numbers)}"

    def keep_best(self) -> bool:
        """Put the best model so far into the session; False when there is none."""
        model, self._model = self._model, None
        if model is None:
            return False
        session = self._c.session
        session.keep(Trained(self.next_name(), model, self._score))
        return True

    def _on_end(self, stopped: bool) -> None:
        c = self._c
        self._previews.close()
        try:
            kept = self.keep_best()
            c.keep.end(kept)
            if kept:
                self.choose_base()
                c.predict.show_outputs()
            self._say_end(kept, stopped, self._failed, self._step, self._score, self._notes)
            if c.panel is not None and self._step is None:
                c.panel.train.set_run_line("")
            if kept and not self._failed:
                c.predict.after_training()
        finally:
            self._idle()

    def _dropped(self) -> None:
        """Stopped while it still waited for a prediction to end."""
        self._c.keep.end(False)
        self._c.say("Stopped before training began.")
        self._idle()

    def _idle(self) -> None:
        if self._c.session.activity == "training":  # else the new model is predicting already
            self._c.session.activity = "idle"
        self._c.refresh()

    def _say_end(
        self, kept: bool, stopped: bool, failed: str, step: Step | None, score: float | None, notes: list[str]
    ) -> None:
        if failed:
            self._c.say(failed + (" The best model so far was kept." if kept else ""), problem=True)
            return
        if not kept:
            self._c.say("Stopped before there was anything to keep: train a little longer.")
            return
        how = "Stopped" if stopped else "Training ended"
        amount = "" if step is None else f" after {duration(step.seconds)} ({step.step:,} steps)"
        result = "" if score is None else f": {score_in_words(score, self._measure)} on the pixels kept for validation"
        planes = self._c.facts().planes
        again = f" Correct what is wrong and train again{or_all(planes)}."
        if self._c.image_target.on:
            again = f" Predict the whole {'stack' if planes > 1 else 'image'}."
        last = f" {notes[-1]}" if notes else again
        self._c.say(f"{how}{amount}{result}.{last}")

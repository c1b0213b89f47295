import time
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.runs import Advanced, Piece, prediction
from napari_annotrain._napari.sink import Sink
from napari_annotrain._napari.view import is_inside, region_of
from napari_annotrain._qt.lane import Run
from napari_annotrain._qt.layout import duration, time_left
from napari_annotrain._qt.predict import IMAGES, SLICE, STACK, VIEW
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed, Note, Started
from napari_annotrain.session import why_not_predict
from napari_annotrain.specs import PredictSpec

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

WORDS = {VIEW: "what you see", SLICE: "this slice", STACK: "the whole stack", IMAGES: "all images"}


class PredictFlow:
    """Prediction, from the button to the pixels of the prediction layer."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.live = False
        self._target = ""  # what the last model was trained for
        self._sink: Sink | None = None
        self._seen: tuple[Any, ...] | None = None  # what the last finished view showed
        self._forget_run()

    def _forget_run(self) -> None:
        self._what = VIEW
        self._quiet = False  # nobody pressed a button
        self._started = time.monotonic()
        self._failed = ""
        self._note = ""
        self._progress: Advanced | None = None

    # -- what is chosen -----------------------------------------------------------------------------------------

    def show_outputs(self) -> None:
        """Offer the outputs the present model can give."""
        panel, model = self._c.panel, self._c.session.model
        if panel is None or model is None:
            return
        target = model.model.card.target
        own_first = ["cells", "classes"] if target == "cells" else ["classes", "cells"]
        panel.predict.set_outputs([*own_first, "probabilities"])
        if target != self._target:
            self._target = target
            panel.predict.output_combo.choose(own_first[0])
        self.set_output(panel.predict.output_combo.choice())

    def set_output(self, output: Any) -> None:
        """Show another kind of result."""
        self._c.session.predict = self._c.session.predict.model_copy(update={"output": output})
        self.forget_view()
        self.look()

    def set_spec(self, spec: PredictSpec) -> None:
        """Predict with other settings; what is shown and where it is computed are chosen elsewhere."""
        session = self._c.session
        kept = {"output": session.predict.output, "device": session.predict.device}
        session.predict = spec.model_copy(update=kept)
        self.forget_view()

    def set_live(self, live: bool) -> None:
        """Follow the view, or not."""
        self.live = live
        watch = self._c.watch
        if watch is not None:
            watch.enabled = live
        self.look()

    def forget_view(self) -> None:
        """The next look predicts even where the view has not moved."""
        self._seen = None

    # -- the run ------------------------------------------------------------------------------------------------

    def start(self, what: str) -> None:
        """Predict the view, the slice, the stack or all images."""
        c = self._c
        if c.session.activity != "idle":
            return
        reason = why_not_predict(c.facts())
        if reason:
            raise AnnotrainError(reason)
        pieces, found = self._pieces(what)
        c.session.activity = "predicting"
        c.say(f"Predicting {WORDS[what]} ...")
        self._run(what, pieces, found, quiet=False)

    def cancel(self) -> None:
        """Stop; what is written stays."""
        if self._c.session.activity == "predicting":
            self._c.lane.stop()
            self._c.say("Stopping ...")
            self._c.refresh()

    def after_training(self) -> None:
        """Show at once what the new model makes of the view."""
        self.forget_view()
        self._quiet_look()

    def look(self) -> None:
        """Predict the view again, if that is wanted and it has changed."""
        if self.live and self._c.session.activity == "idle":
            self._quiet_look()

    def _quiet_look(self) -> None:
        c = self._c
        if c.image is None or c.session.model is None or c.panel is None or c.roster.viewer.dims.ndisplay == 3:
            return
        region = region_of(c.roster.viewer, c.image, c.roster.axes(c.image))
        if region is None or self._is_seen(region):
            return
        try:
            pieces, found = self._pieces(VIEW)
        except AnnotrainError as error:
            c.say(str(error), problem=True)
            return
        self._run(VIEW, pieces, found, quiet=True)

    def _run(self, what: str, pieces: list[Piece], found: list[Any], quiet: bool) -> None:
        c = self._c
        model, spec = c.session.model, c.session.predict
        assert model is not None
        seen = (c.image, model, spec.output, pieces[0].region)
        network = model.model

        def on_end(stopped: bool) -> None:
            self._on_end(stopped, seen)

        def make() -> Any:
            return prediction(network, pieces, spec)

        def on_start() -> None:
            self._begin(what, found, quiet)

        c.lane.start(Run(make, on_start, self._on_event, on_end, "annotrain-prediction"))
        c.refresh()

    def _begin(self, what: str, found: list[Any], quiet: bool) -> None:
        self.close_sink()
        self._forget_run()
        self._what, self._quiet = what, quiet
        self._sink = Sink(found)
        if self._c.panel is not None:
            self._c.panel.predict.set_progress(0, 1, "")

    def _pieces(self, what: str) -> tuple[list[Piece], list[Any]]:
        """What to predict, and the layers that show it."""
        c = self._c
        images = c.roster.images() if what == IMAGES else [c.image]
        model, output = c.session.model, c.session.predict.output
        assert model is not None
        kind, dtype, channels = engine.load().output_of(model.model, output)
        pieces, found = [], []
        for image in images:
            assert image is not None
            everything = what in (STACK, IMAGES)
            seen = None if everything else region_of(c.roster.viewer, image, c.roster.axes(image), what == SLICE)
            if seen is None and not everything:
                raise AnnotrainError(f"Nothing of {image.name} is in view: press Home to see all of it.")
            stack = c.roster.stack(image)
            layer, canvas = c.roster.canvas(image, kind, dtype, channels)
            found.append(layer)
            pieces.append(Piece(stack, seen, canvas, c.roster.measured(image)))
        return pieces, found

    def _is_seen(self, region: Any) -> bool:
        c = self._c
        if self._seen is None or self._seen[:3] != (c.image, c.session.model, c.session.predict.output):
            return False
        return is_inside(region, self._seen[3])

    def _on_event(self, event: Event) -> None:
        panel = self._c.panel
        match event:
            case Advanced():
                self._progress = event
                if self._sink is not None:
                    self._sink.mark(event.piece)
                if panel is not None:
                    self._show_progress(event)
            case Note():
                self._note = event.text
                if not self._quiet:
                    self._c.say(event.text)
            case Started():
                self._started = time.monotonic()
            case Failed():
                self._failed = event.sentence

    def _show_progress(self, event: Advanced) -> None:
        panel = self._c.panel
        assert panel is not None
        done, total = event.piece * event.total + event.done, event.pieces * event.total
        elapsed = time.monotonic() - self._started
        words = f"{event.done:,} of {event.total:,}"
        if event.pieces > 1:
            words = f"image {event.piece + 1} of {event.pieces}"
        if 0 < done < total and elapsed > 1:
            words += f" · {time_left(elapsed / done * (total - done))}"
        panel.predict.set_progress(done, total, words)
        panel.set_summary("Predict", f"{self._what}: {words}")

    def close_sink(self) -> None:
        """Redraw once more and stop redrawing."""
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def _on_end(self, stopped: bool, seen: tuple[Any, ...]) -> None:
        c = self._c
        self.close_sink()
        complete = not stopped and not self._failed
        if complete and self._what == VIEW:
            self._seen = seen
        if self._failed:
            c.say(self._failed, problem=True)
        elif not self._quiet:
            c.say(self._closing_words(stopped))
        if c.panel is not None:
            self._show_end(complete)
        if not self._quiet:
            c.session.activity = "idle"
        c.refresh()
        if complete:
            self.look()

    def _closing_words(self, stopped: bool) -> str:
        what = WORDS[self._what]
        if stopped:
            done = self._progress
            amount = f" ({done.done:,} of {done.total:,})" if done is not None else ""
            return f"Cancelled: what was predicted{amount} stays."
        note = f" {self._note}" if self._note else ""
        n_cells = self._progress.n_cells if self._progress is not None else None
        found = "" if n_cells is None else f": {n_cells:,} cell{'' if n_cells == 1 else 's'}"
        return f"Predicted {what} in {duration(time.monotonic() - self._started)}{found}.{note}"

    def _show_end(self, complete: bool) -> None:
        panel = self._c.panel
        assert panel is not None
        words = "done" if complete else "failed" if self._failed else "stopped"
        panel.set_summary("Predict", f"{self._what}: {words}")
        if complete:
            panel.predict.set_progress(1, 1, "done")
        else:
            bar = panel.predict.progress_bar
            panel.predict.set_progress(bar.value(), bar.maximum(), words)

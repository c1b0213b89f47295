from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_annotrain._napari.models.candidate_layers import CandidateLayers
from napari_annotrain._napari.runs.candidates import comparing, predicting
from napari_annotrain._napari.runs.events import Made
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.compare_plot import Curves
from napari_annotrain._qt.lane import Run
from napari_annotrain.api.comparison import Comparison
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed, Note, Region, Told
from napari_annotrain.session import LAST_MODEL, NOTHING, Facts, Trained, why_not_train
from napari_annotrain.specs import PRESETS

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: The candidate with the network and the settings of the step Train, which may be changed ones.
MINE, MINE_WORDS = "as set", "as set in Train"
#: Ticked at first.
TICKED = ("fast", "standard")
REDRAW_MS = 200


class CompareFlow:
    """Several networks trained side by side: from the ticks to the model that the session goes on with."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.found = Comparison()
        self._row: int | None = None
        self._layers = CandidateLayers(controller.roster)
        self._failed, self._note = "", ""
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(REDRAW_MS)
        self._soon.timeout.connect(controller.guarded(self._draw))

    # -- commands -----------------------------------------------------------------------------------------------

    def start(self, keys: list[str], seconds: float) -> None:
        """Train the candidates of these keys on the ticked images, each for so many seconds."""
        c, session = self._c, self._c.session
        if session.activity != "idle":
            return
        reason = why_not_train(c.facts()) or _why_not_these(len(keys))
        if reason:
            raise AnnotrainError(reason)
        images: Any = c.image_target.begin()[0] if c.image_target.on else c.keep.as_painted()
        if not images:
            raise AnnotrainError("No image is ticked: tick the images to train on in step 1.")
        specs = {key: self._described(key) for key in keys}
        names = dict(session.class_names) if session.target == "classes" else {}
        settings: dict[str, Any] = {"target": session.target, "seconds": seconds, "class_names": names}
        settings |= {"seed": session.train.seed, "device": session.train.device, "image": session.train.image}
        session.activity = "comparing"
        c.say("Preparing to compare ...")
        run = Run(
            lambda: comparing(images, specs, settings, c.lane.in_use),
            c.guarded(self._begin),
            c.guarded(self._on_event),
            c.guarded(self._on_end),
            "annotrain-comparing",
            self._dropped,
        )
        c.lane.start(run)
        c.refresh()

    def stop(self) -> None:
        """Stop after the present step; what was trained stays."""
        if self._c.session.activity == "comparing":
            self._c.say("Stopping after the present step ...")
            self._c.lane.stop()
            self._c.refresh()

    def choose(self, row: int) -> None:
        """Choose a candidate: of the labels that are shown, its own are seen."""
        self._row = row
        self._layers.choose(row)
        self._c.refresh()

    def use(self) -> None:
        """Let the chosen candidate predict, and training go on from it; what is seen is predicted at once."""
        c, one = self._c, self._chosen()
        if one is None or one.model is None or c.session.activity != "idle":
            return
        self.set_labels_on(False)
        trained = Trained(f"{one.name}, {c.train.next_name()}", one.model, one.score)
        c.session.keep(trained)
        c.train.choose_base()
        c.predict.show_outputs()
        c.say(f"{trained.name} predicts now, and training would go on from it.")
        if c.image is not None:
            c.predict.after_training()
        c.refresh()

    def set_labels_on(self, on: bool) -> None:
        """Show what each candidate makes of the view, or take the layers away."""
        if self._c.panel is not None:
            self._c.panel.models.compare.set_labels_shown(on)
        if on:
            self._predict()
        else:
            self._layers.remove()

    def close(self) -> None:
        """Draw no more; the layers go."""
        self._soon.stop()
        if self._c.roster.viewer is not None:
            self._layers.remove()

    # -- what is shown ------------------------------------------------------------------------------------------

    def show(self, facts: Facts, running: str, ending: str) -> None:
        """Offer candidates, and enable what can be done now."""
        if self._c.panel is None:
            return
        box, going = self._c.panel.models.compare, self._c.session.activity == "comparing"
        box.set_candidates([*self._offered()], TICKED)
        one = self._chosen()
        nothing = "Choose a row of the table first." if one is None or one.model is None else ""
        none = "" if self._models() else "Nothing is compared yet."
        box.set_running(
            running,
            {
                "start": running or why_not_train(facts) or _why_not_these(len(box.chosen())),
                "stop": ending if going else "Nothing is being compared.",
                "labels": running or none or ("" if facts.image else "There is no image yet."),
                "use": running or none or nothing,
            },
        )
        if not self._soon.isActive():
            self._draw()

    def _offered(self) -> list[tuple[str, str, str]]:
        presets = [(name, name, preset.title) for name, preset in PRESETS.items()]
        bases = [(name, name, "Starts from this model, which comes with Annotrain.") for name in self._c.train.bases]
        mine = "With the network, the settings and the start of the step Train; only its time is the one below."
        return [*presets, *bases, (MINE, MINE_WORDS, mine)]

    def _described(self, key: str) -> Any:
        """A candidate as `api.compare` takes it."""
        session = self._c.session
        if key != MINE:
            return key
        base = session.model.model if session.base == LAST_MODEL and session.model is not None else session.base
        usual = PRESETS[session.preset]
        preset = usual.model_copy(update={"train": session.train, "net": session.net or usual.net})
        if base != NOTHING:
            return preset, base
        return preset.model_copy(update={"train": session.train.model_copy(update={"freeze": "none"})})

    def _draw(self) -> None:
        if self._c.panel is None:
            return
        box, found = self._c.panel.models.compare, self.found
        box.set_curves([Curves(one.name, one.losses, one.scores, one.measure) for one in found.contenders])
        best = next((k for k, one in enumerate(found.contenders) if one is found.best), None)
        box.set_rows(found.rows(), best, self._makes_images)
        box.choose(self._row)
        if self._c.session.activity == "comparing":
            words = f"comparing · {100 * found.fraction:.0f} %"
            box.set_words(f"{words[0].upper()}{words[1:]} done.")
            self._c.panel.set_summary("Models", words)
        else:
            box.set_words(found.verdict() if found.contenders and not self._failed else "")

    def _chosen(self) -> Any:
        row = self._row
        return self.found.contenders[row] if row is not None and row < len(self.found.contenders) else None

    def _models(self) -> dict[int, Any]:
        """Those that can predict, by their row."""
        return {k: one.model for k, one in enumerate(self.found.contenders) if one.model is not None}

    # -- the run ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._layers.remove()
        self.found, self._row, self._failed, self._note = Comparison(), None, "", ""
        if self._c.panel is not None:
            self._c.panel.models.compare.set_labels_shown(False)
        self._c.say("Comparing. You can go on painting; it counts from the next training on.")
        self._draw()

    def _on_event(self, event: Event) -> None:
        self.found.take(event)
        match event:
            case Told(candidate=k, event=Failed(sentence=text)):
                self._c.say(f"{self.found.contenders[k].name} could not go on: {text}", problem=True)
            case Told(event=Note(text=text)):
                self._note = text
            case Failed():
                self._failed = event.sentence
        if not self._soon.isActive():
            self._soon.start()

    def _on_end(self, stopped: bool) -> None:
        c, found = self._c, self.found
        self._soon.stop()
        self._idle()
        best = next((k for k, one in enumerate(found.contenders) if one is found.best), None)
        self._row = best if best is not None else next(iter(self._models()), None)
        self._draw()
        verdict = found.verdict()
        note = "" if self._note.split(":")[0].lower() in verdict.lower() else self._note  # nothing is said twice
        if self._failed:
            c.say(self._failed, problem=True)
        else:
            c.say(" ".join(word for word in ("Stopped." if stopped else "", verdict, note) if word))
        if self._models() and c.panel is not None and c.image is not None:
            try:
                self.set_labels_on(True)
            except AnnotrainError as error:
                c.panel.models.compare.set_labels_shown(False)
                c.say(f"{c.session.status} {error}")
        c.refresh()

    def _dropped(self) -> None:
        self._c.say("Stopped before the comparison began.")
        self._idle()

    def _idle(self) -> None:
        if self._c.session.activity in ("comparing", "predicting"):
            self._c.session.activity = "idle"
        self._c.refresh()

    # -- what each makes of the view ----------------------------------------------------------------------------

    @property
    def _makes_images(self) -> bool:
        return any(one.target == "image" for one in self.found.contenders)

    def _predict(self) -> None:
        """Predict the view with each of the models, one after the other."""
        c, models = self._c, self._models()
        if c.session.activity != "idle" or c.image is None or not models:
            return
        image, viewer = c.image, c.roster.viewer
        if viewer.dims.ndisplay == 3:
            raise AnnotrainError("Switch to the flat view (2-D display) to see what each of them makes of it.")
        region = region_of(viewer, image, c.roster.axes(image))
        if region is None:
            raise AnnotrainError(f"Nothing of {image.name} is in view: press Home to see all of it.")
        self._failed = ""
        output = c.session.predict.output if c.session.predict.output in ("classes", "cells") else None
        output = None if self._makes_images else output
        spec = c.session.predict.model_copy(update={"output": output, "scheduler": ""})
        stack, measured = c.roster.stack(image), c.roster.measured(image)
        c.session.activity = "predicting"
        run = Run(
            lambda: predicting(models, stack, region, spec, measured, c.lane.in_use),
            lambda: None,
            c.guarded(lambda event: self._take(event, image, region)),
            c.guarded(self._end),
            "annotrain-predicting",
            self._idle,
        )
        c.lane.start(run)
        c.refresh()

    def _take(self, event: Event, image: Any, region: Region) -> None:
        if isinstance(event, Failed):
            self._failed = event.sentence
        if not isinstance(event, Made) or image not in self._c.roster.viewer.layers:
            return
        one = self.found.contenders[event.candidate]
        ranges = one.model.card.target_range
        limits = (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None
        self._layers.show(event.candidate, one.name, image, event.kind, event.result, region, limits)
        self._layers.choose(self._row)

    def _end(self, stopped: bool) -> None:
        self._idle()
        if self._failed:
            self._c.say(self._failed, problem=True)
        elif stopped:
            self._c.say("Stopped: not all candidates have predicted what you see.")
        self._layers.cover()
        self._c.refresh()


def _why_not_these(n: int) -> str:
    return "" if n > 1 else "Tick two or more networks to compare."

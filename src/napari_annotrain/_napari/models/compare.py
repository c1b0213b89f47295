from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_annotrain._napari.models.candidate_view import CandidateView
from napari_annotrain._napari.runs.candidates import comparing
from napari_annotrain._qt.compare_plot import Curves
from napari_annotrain._qt.lane import Run
from napari_annotrain.api.comparison import Comparison
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed, Note, Told
from napari_annotrain.session import LAST_MODEL, NOTHING, Facts, Trained, why_not_train
from napari_annotrain.specs import PRESETS, ImageSpec

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: The candidate with the network and the settings of the step Train, which may be changed ones.
MINE, MINE_WORDS = "as set", "as set in Train"
#: Settings of images that are the same for all, so that the same judges them.
JUDGED = {"learn_from", "target_range", "corrupt_noise", "corrupt_masked", "hidden", "hidden_radius_px"}
WORDS = "Comparing. You can go on painting; it counts from the next training on."
WORDS_OF_IMAGES = "Comparing."
#: Ticked at first.
TICKED = ("fast", "standard")
REDRAW_MS = 200


class CompareFlow:
    """Several networks trained side by side: from the ticks to the model that the session goes on with."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.found = Comparison()
        self._row: int | None = None
        self._view = CandidateView(controller)
        self._failed, self._note, self._words = "", "", WORDS
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(REDRAW_MS)
        self._soon.timeout.connect(controller.guarded(self._draw))

    # -- commands -----------------------------------------------------------------------------------------------

    def start(self, keys: list[str], seconds: float) -> None:
        """Train the candidates of these keys on what is ticked or paired, each for so many seconds."""
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
        settings |= {"seed": session.train.seed, "device": session.train.device}
        settings["image"] = ImageSpec(**session.train.image.model_dump(include=JUDGED))  # losses are each one's own
        session.activity = "comparing"
        self._words = WORDS_OF_IMAGES if c.image_target.on else WORDS
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
        """Choose a candidate: of what is shown, its own is seen."""
        self._row = row
        self._view.choose(row)
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
        if on:
            self._view.show(self.found.contenders)
        else:
            self._view.remove()

    def close(self) -> None:
        """Draw no more; the layers go."""
        self._soon.stop()
        if self._c.roster.viewer is not None:
            self._view.remove()

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
        box.set_rows(found.rows(), best, found.contenders[0].measure if found.contenders else "IoU")
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
        self._view.remove()
        self.found, self._row, self._failed, self._note = Comparison(), None, "", ""
        self._c.say(self._words)
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
        self._view.choose(self._row)
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
                c.say(f"{c.session.status} {error}")
        c.refresh()

    def _dropped(self) -> None:
        self._c.say("Stopped before the comparison began.")
        self._idle()

    def _idle(self) -> None:
        if self._c.session.activity == "comparing":
            self._c.session.activity = "idle"
        self._c.refresh()


def _why_not_these(n: int) -> str:
    return "" if n > 1 else "Tick two or more networks to compare."

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels

from napari_annotrain._napari import lasting, present
from napari_annotrain._napari.annotate.accept import AcceptFlow
from napari_annotrain._napari.annotate.border import BorderFlow
from napari_annotrain._napari.annotate.classes import ClassFlow
from napari_annotrain._napari.annotate.edit import EditFlow
from napari_annotrain._napari.annotate.meaning import MeaningFlow
from napari_annotrain._napari.annotate.paint import PaintFlow
from napari_annotrain._napari.annotate.suspects import SuspectFlow
from napari_annotrain._napari.annotate.tallies import Tallies
from napari_annotrain._napari.annotate.where_next import DoubtFlow
from napari_annotrain._napari.first_steps import FirstStepsFlow
from napari_annotrain._napari.keys import bind_keys, unbind_keys
from napari_annotrain._napari.loading import Loading
from napari_annotrain._napari.measure.flow import MeasureFlow
from napari_annotrain._napari.models.changes import ChangesFlow
from napari_annotrain._napari.models.compare import CompareFlow
from napari_annotrain._napari.models.flow import ModelsFlow
from napari_annotrain._napari.models.inside import InsideFlow
from napari_annotrain._napari.predict.flow import PredictFlow
from napari_annotrain._napari.predict.seams import SeamFlow
from napari_annotrain._napari.roster import Roster
from napari_annotrain._napari.session.flow import SessionFlow
from napari_annotrain._napari.train.augment import AugmentFlow
from napari_annotrain._napari.train.corrections import CorrectionsFlow
from napari_annotrain._napari.train.flow import TrainFlow
from napari_annotrain._napari.train.image_target import ImageTarget
from napari_annotrain._napari.train.keep import KeepFlow
from napari_annotrain._napari.train.rate import RateFlow
from napari_annotrain._napari.viewer.arrivals import Arrivals
from napari_annotrain._napari.viewer.large_planes import show_only_strokes
from napari_annotrain._napari.viewer.mark import PlaceMark
from napari_annotrain._napari.viewer.view import unwrap
from napari_annotrain._napari.viewer.watch import ViewWatch
from napari_annotrain._qt.job import sentence
from napari_annotrain._qt.lane import Lane
from napari_annotrain._qt.panel import Panel
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import Facts, Session, what_next

#: Longest wait for a thread when the window closes.
CLOSING_SECONDS = 15.0
log = logging.getLogger("napari_annotrain")
_controllers: WeakKeyDictionary[Any, "Controller"] = WeakKeyDictionary()


def controller_of(viewer: Any) -> "Controller":
    """The controller of a viewer, made when first asked for; it outlives the panel."""
    viewer = unwrap(viewer)
    if viewer not in _controllers:
        _controllers[viewer] = Controller(viewer)
    return _controllers[viewer]


class Controller:
    """Connects panel, session, layers and runs of one viewer. Everything here happens in the main thread."""

    def __init__(self, viewer: Any) -> None:
        self.session = Session()
        self.roster = Roster(viewer)
        self.lane = Lane()
        self.panel: Panel | None = None
        self.docks: list[Any] = []  # each shows one step of the panel
        self.image: Image | None = None
        self.annotation: Labels | None = None
        self._holds: Callable[[], bool] | None = None  # while the sentence in the status line is true
        self.n_problems = 0  # so often it was said why something cannot be done
        self.loading = Loading(self)
        self.tallies = Tallies(self)
        self.paint = PaintFlow(self)
        self.keep = KeepFlow(self)
        self.corrections = CorrectionsFlow(self)
        self.image_target = ImageTarget(self)
        self.train = TrainFlow(self)
        self.models = ModelsFlow(self)
        self.predict = PredictFlow(self)
        self.seams = SeamFlow(self)
        self.borders = BorderFlow(self)
        self.keeping = SessionFlow(self)
        self.accept = AcceptFlow(self)
        self.edit = EditFlow(self)
        self.classes = ClassFlow(self)
        self.doubts = DoubtFlow(self)
        self.suspects = SuspectFlow(self)
        self.measure = MeasureFlow(self)
        self.meaning = MeaningFlow(self)
        self.arrivals = Arrivals(self)
        self.mark = PlaceMark(self.roster)
        self.changes = ChangesFlow(self)
        self.inside = InsideFlow(self)
        self.compare = CompareFlow(self)
        self.augment = AugmentFlow(self)
        self.rate = RateFlow(self)
        self.beginning = FirstStepsFlow(self)
        self.watch: ViewWatch | None = None
        self.session.events.activity.connect(self.refresh)

    # -- coming and going ---------------------------------------------------------------------------------------

    def attach(self, panel: Panel) -> None:
        """Serve a panel; an earlier one of this viewer is let go."""
        for dock in self.docks:
            dock.give_back(self.panel)
        self.detach()
        self.panel = panel
        viewer = self.roster.viewer
        for emitter in present.layer_emitters(viewer):
            emitter.connect(self.refresh_layers)
        viewer.events.theme.connect(self._themed)
        self.watch = ViewWatch(viewer, self.guarded(self.predict.look))
        self.beginning.attach()
        self.borders.attach()
        self.measure.attach()
        present.connect(self, panel)
        bind_keys(viewer, self)
        self._themed()
        self.train.show_settings()
        self.refresh_layers()
        self.predict.show_outputs()
        panel.predict.live_check.setChecked(self.predict.live)
        panel.train.keep_check.setChecked(self.session.keep_training)
        self.guarded(self.keeping.attach)()
        self.loading.start()
        for dock in self.docks:
            dock.borrow(panel)

    def detach(self) -> None:
        """Let the panel go: runs are stopped and waited for, the best model so far stays in the session."""
        if self.panel is None:
            return
        self.panel = None
        self.edit.end()
        learnt = self.train.keep_best()
        self.lane.close(CLOSING_SECONDS)
        self.predict.wait_no_longer()
        self.predict.close_sink()
        self.predict.veils.close()
        self.borders.close(CLOSING_SECONDS)
        self.measure.close(CLOSING_SECONDS)
        self.arrivals.close()
        self.mark.close()
        self.changes.close(CLOSING_SECONDS)
        self.inside.close(CLOSING_SECONDS)
        self.compare.close()
        self.augment.close(CLOSING_SECONDS)
        self.loading.close(CLOSING_SECONDS)
        if self.watch is not None:
            self.watch.close()
            self.watch = None
        self.keeping.detach()
        self.keep.close(learnt)
        self.tallies.close()
        self.session.activity = "idle"
        viewer = self.roster.viewer
        if viewer is None:
            return
        unbind_keys(viewer)
        for emitter in present.layer_emitters(viewer):
            emitter.disconnect(self.refresh_layers)
        viewer.events.theme.disconnect(self._themed)

    # -- words --------------------------------------------------------------------------------------------------

    def say(self, text: str, problem: bool = False, as_long_as: Callable[[], bool] | None = None) -> None:
        """Put one sentence into the status line; it goes once `as_long_as` holds no more (`lasting`)."""
        self.session.status, self._holds = text, as_long_as
        self.n_problems += problem
        if self.panel is not None:
            self.panel.set_status(text, problem)

    def guarded(self, command: Callable[..., Any]) -> Callable[..., None]:
        """A command whose failure becomes a sentence instead of a stopped program."""

        def run(*args: Any) -> None:
            try:
                command(*args)
            except Exception as error:
                _log(error)
                self.say(sentence(error), problem=True, as_long_as=lasting.unchanged(self))
                self.refresh()

        return run

    def facts(self) -> Facts:
        """What there is to work with."""
        facts = Facts(
            image=self.image.name if self.image is not None else "",
            annotation=self.annotation is not None,
            others=sum(ticked for _, ticked in self.roster.candidates()),
            painted=self.tallies.painted(),
            regions=self.roster.n_regions() if self.image is not None else 0,
            target=self.session.target,
            trained=self.session.model is not None,
            predicted=self.image is not None and self.roster.result(self.image) is not None,
            planes=self.roster.n_planes(self.image) if self.image is not None else 1,
            problem=self.loading.problem,
        )
        return self.image_target.facts(facts)

    def refresh(self, event: Any = None) -> None:
        """Show in the panel what is there now; whoever calls this is not troubled by what cannot be shown."""
        if self.panel is None:
            return
        try:
            self._show()
        except Exception as error:
            _log(error)
            self.panel.set_status(sentence(error), problem=True)

    def _show(self) -> None:
        assert self.panel is not None
        if self._holds is not None and not self._holds():
            self.session.status, self._holds = "", None
        facts = self.facts()
        present.show(self, self.panel, facts)
        if not self.session.status:
            self.panel.set_status(what_next(facts))
        elif self.panel.status_label.text() != self.session.status:
            self.panel.set_status(self.session.status)
        self.keeping.soon()

    def _themed(self, event: Any = None) -> None:
        if self.panel is not None:
            self.panel.set_theme(present.theme_of(self.roster.viewer))

    # -- layers -------------------------------------------------------------------------------------------------

    def refresh_layers(self, event: Any = None) -> None:
        """Offer the layers there are now; whoever added or removed one is not troubled by what cannot be used."""
        if self.panel is not None:
            self.guarded(self._offer_layers)()

    def _offer_layers(self) -> None:
        assert self.panel is not None
        images = self.roster.images()
        newest = images[-1] if images else None
        self.arrivals.look(images)
        self.panel.image.image_combo.set_items([(la.name, la) for la in images], prefer=newest)
        self.offer_annotations()
        self.paint.colour()
        self.predict.veils.tidy_soon()
        self.panel.image.set_training([(la.name, la, ticked) for la, ticked in self.roster.candidates()])
        self.refresh()

    def choose_image(self, image: Image | None) -> None:
        """Work on another image."""
        self.image = image
        self.session.status = ""
        self.predict.forget_view()
        self.predict.show_nothing()
        if self.panel is not None:
            self.panel.annotate.annotation_combo.choose(None)
            self.offer_annotations()
        self.suspects.look()
        self.refresh()
        self.predict.look()

    def offer_annotations(self) -> None:
        """Offer the layers that can be painted on, or the images that can be learnt."""
        assert self.panel is not None
        if self.image_target.on:
            self.image_target.offer()
            return
        offered = [(la.name, la) for la in self.roster.annotations()]
        own = self.roster.annotation(self.image) if self.image is not None else None
        self.panel.annotate.annotation_combo.set_items(offered, prefer=own)

    def choose_annotation(self, labels: Labels | Image | None) -> None:
        """Paint on another layer, or learn another image."""
        self.edit.end()
        if isinstance(labels, Image):
            self.annotation = None
            self.image_target.choose(labels)
            return
        self.annotation = labels
        if labels is not None and self.image is not None:
            self.roster.pair(self.image, labels)
            show_only_strokes(self.roster.viewer, labels)
            self.paint.colour()
            labels.events.selected_label.connect(self.paint.show_selected)
            labels.events.mode.connect(self.edit.follow_mode)
            self.paint.bind_next_cell(labels)
            self.borders.soon()
        self.refresh()

    def set_axes(self, text: str) -> None:
        """Take the user's word for the axes of the image."""
        if self.image is not None:
            self.roster.set_axes(self.image, text)
            self.session.status = ""
            self.refresh()

    def tick(self, image: Image, ticked: bool) -> None:
        """Train on an image, or leave it out."""
        self.roster.tick(image, ticked)
        self.refresh()


def _log(error: Exception) -> None:
    if not isinstance(error, AnnotrainError):
        log.error("A command failed.", exc_info=error)

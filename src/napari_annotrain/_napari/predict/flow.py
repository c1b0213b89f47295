from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.predict.filled import Filled
from napari_annotrain._napari.predict.order import Order, order
from napari_annotrain._napari.predict.progress import WORDS, Progress
from napari_annotrain._napari.predict.settings import PredictSettings, is_cells
from napari_annotrain._napari.predict.sink import Sink
from napari_annotrain._napari.predict.telling import Telling
from napari_annotrain._napari.predict.veils import Veils
from napari_annotrain._napari.runs.events import Advanced, Found, LeftOut
from napari_annotrain._napari.runs.work import prediction
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.lane import Run
from napari_annotrain._qt.predict import IMAGES, STACK, VIEW
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Region
from napari_annotrain.session import Trained, why_not_predict

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class PredictFlow(PredictSettings):
    """Prediction, from the button to the pixels of the prediction layer.

    A run that was asked for, and the one after a training, keep the buttons grey until they end; one that follows
    the view (live) goes on quietly and gives way to whatever is asked for.
    """

    def __init__(self, controller: "Controller") -> None:
        super().__init__(controller)
        self.under_way = False  # quietly or not
        self.veils = Veils(controller.roster)
        self._sink: Sink | None = None
        self._progress = Progress(VIEW, [])
        self._order = Order(VIEW)
        self._telling = Telling(controller, self._progress)
        self._filled: tuple[Any, ...] = ()  # what the present run fills, see `_filling`
        self._cancelled = False
        self._before: list[tuple[Filled, list[Region]]] = []  # where what is predicted anew was predicted before

    # -- commands -----------------------------------------------------------------------------------------------

    def may_start(self) -> bool:
        """Whether nothing else goes on.

        Raises
        ------
        AnnotrainError
            There is no image or no model.
        """
        if self._c.session.activity != "idle":
            return False
        reason = why_not_predict(self._c.facts())
        if reason:
            raise AnnotrainError(reason)
        return True

    def start(self, what: str) -> None:
        """Predict the view, the slice, the stack or all images."""
        c = self._c
        if not self.may_start():
            return
        assert c.session.model is not None
        model, spec = c.session.model.model, c.session.predict
        wanted = order(c, what, model, spec)
        if not wanted.goes_on(model, spec):
            self._kept = engine.load().KeptPlanes()  # the image may have changed meanwhile
        c.session.activity = "predicting"
        self._run(wanted, speaks=True)

    def fills(self, layer: Any) -> bool:
        """Whether a prediction is being written to a layer."""
        return self.under_way and any(layer is one for one in self._order.layers)

    def tell_apart(self) -> None:
        """Tell the cells of the last prediction apart again, where they are still shown."""
        c = self._c
        if c.panel is None or self._last is None or not self._gives_cells():
            return
        if c.session.activity != "idle":  # not now
            self.tell_apart_soon()
            return
        wanted, model = self._last
        wanted = wanted.still_in(c.roster.viewer.layers)
        if model is not c.session.model or not wanted.pieces:
            return
        if self._kept is None or self._kept.gave_up:
            c.say("The last prediction was too large for that: press the button to predict it again.")
            return
        c.session.activity = "predicting"
        self._run(wanted, speaks=True)

    def cancel(self) -> None:
        """Stop; what is written stays."""
        if self._c.session.activity in ("training", "comparing") or not self._c.lane.busy:
            return
        self._cancelled = True
        self._c.say("Stopping ...")
        self._c.lane.stop()
        self._c.refresh()

    def after_training(self) -> None:
        """Show at once what the new model makes of the view."""
        self.forget_view()
        try:
            wanted = self._view_order()
        except AnnotrainError as error:
            self._c.say(f"{self._c.session.status} {error}")
            return
        if wanted is not None:
            self._c.session.activity = "predicting"
            self._run(wanted)

    def look(self) -> None:
        """Predict the view again, if that is wanted and it has changed."""
        if not self.live or self._c.session.activity != "idle":
            return
        try:
            wanted = self._view_order()
        except AnnotrainError as error:
            self._c.say(str(error), problem=True)
            return
        if wanted is not None:
            self._run(wanted)

    def known_boxes(self, image: Any) -> list[Region]:
        """Where the labels shown on an image are those of the present model."""
        model, output = self._c.session.model, self._c.session.predict.output
        if model is None:
            return []
        return self._known.boxes(_filling(image, self._c.roster.result(image), model, output))

    def shows_view(self) -> bool:
        """Whether all that is in view is predicted by the present model."""
        c = self._c
        if c.image is None or c.session.model is None:
            return False
        region = region_of(c.roster.viewer, c.image, c.roster.axes(c.image))
        model, output = c.session.model, c.session.predict.output
        of = _filling(c.image, c.roster.result(c.image), model, output)
        return region is not None and self._known.missing(of, region, is_cells(model, output)) is None

    def _view_order(self) -> Order | None:
        """What to predict of the view; None when it shows nothing new."""
        c = self._c
        if c.image is None or c.session.model is None or c.panel is None or c.roster.viewer.dims.ndisplay == 3:
            return None
        region = region_of(c.roster.viewer, c.image, c.roster.axes(c.image))
        if region is None:
            return None
        model, spec = c.session.model, c.session.predict
        of = _filling(c.image, c.roster.result(c.image), model, spec.output)
        part = self._known.missing(of, region, is_cells(model, spec.output))
        return None if part is None else order(c, VIEW, model.model, spec, part)

    # -- the run ------------------------------------------------------------------------------------------------

    def _run(self, wanted: Order, speaks: bool = False) -> None:
        c = self._c
        model, spec = c.session.model, c.session.predict
        assert model is not None
        network, asked = model.model, c.session.activity == "predicting"
        if self._kept is None or (wanted.what == VIEW and self._kept.gave_up):
            self._last = None  # of which nothing is kept
            self._kept = engine.load().KeptPlanes()
        kept = self._kept
        run = Run(
            lambda: prediction(network, wanted.pieces, spec, kept, c.lane.in_use),
            c.guarded(lambda: self._begin(wanted, model, spec.output, speaks)),
            c.guarded(self._on_event),
            c.guarded(lambda stopped: self._on_end(stopped, model, spec.output, asked)),
            "annotrain-prediction",
            lambda: self._forget(wanted, asked),
        )
        c.lane.start(run)
        c.refresh()

    def _forget(self, wanted: Order, asked: bool) -> None:
        wanted.look_away()
        if asked:
            self.dropped()

    def _begin(self, wanted: Order, model: Trained, output: str | None, speaks: bool) -> None:
        self.close_sink()
        self._filled = _filling(wanted.image, wanted.layers[0], model, output)
        if wanted.what == IMAGES or any(piece.on_disk for piece in wanted.pieces):
            self._known.forget()
        if wanted.what != IMAGES:
            self._known.begin(self._filled, wanted.pieces[0].box, is_cells(model, output))
        self.under_way, self._cancelled = True, False
        self._order = wanted
        if speaks:  # a button was pressed, so that the status line tells of it
            self._c.say(f"Predicting {self._words(wanted)} ...")
        self._progress = Progress(wanted.what, wanted.left_out, self._words(wanted))
        self._telling = Telling(self._c, self._progress, speaks)
        self._sink = Sink(wanted.layers, self.veils.begin(wanted))
        self._before = []
        for layer, piece in zip(wanted.layers, wanted.pieces, strict=True):
            if wanted.veiled:
                filled = self._c.roster.known(layer).filled
                self._before.append((filled, filled.remove(piece.box)))
        self._telling.begin()

    def _words(self, wanted: Order) -> str:
        single = wanted.what == STACK and self._c.roster.n_planes(wanted.image) == 1
        return "the whole image" if single else WORDS[wanted.what]

    def _on_event(self, event: Event) -> None:
        self._progress.take(event)
        self._telling.take(event)
        match event:
            case Advanced():
                self._show(event.piece, () if event.region is None else (event.region,))
            case Found():
                self._show(event.piece, event.regions)
            case LeftOut() if self._order.layers[event.piece] in self._order.made:  # it would only show zeros
                self.veils.remove(self._order.images[event.piece])
                self._c.roster.take_back(self._order.layers[event.piece])

    def _show(self, piece: int, regions: Collection[Region]) -> None:
        self.veils.lift(self._order.images[piece], regions)
        self._c.roster.known(self._order.layers[piece]).filled.add(regions)
        if self._sink is not None:
            self._sink.mark(piece)

    def close_sink(self) -> None:
        """Redraw once more, stop redrawing and following the view."""
        self.under_way = False
        self._order.look_away()
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def _on_end(self, stopped: bool, model: Trained, output: str | None, asked: bool) -> None:
        stopped = stopped and not self._progress.done  # too late
        complete = not stopped and not self._progress.failed
        try:
            self.close_sink()
            self.veils.end(self._order, complete)
            for filled, regions in () if self._progress.wrote else self._before:
                filled.add(regions)  # it is seen again
            if asked and stopped and not self._progress.wrote:  # a quiet one gives way to one that takes its layer over
                self._take_back_empty(model)
            if complete:
                self._last = (self._order, model) if is_cells(model, output) else None
            if complete and self._order.what != IMAGES:
                self._known.finish(self._filled, self._order.pieces[0].box)
            self._telling.end(stopped, self._cancelled)
        finally:
            if asked:
                self.idle()
            self.under_way = False  # of a quiet run only that: what replaced it may have begun
            self._c.refresh()
        if complete:
            self._c.changes.look()
            self.look()

    def _take_back_empty(self, model: Trained) -> None:
        """Remove the layers that were made and are empty: they would look as if there were no cells."""
        if not self._order.has_something(model.model, self._c.session.predict):
            for layer in self._order.made:
                self._c.roster.take_back(layer)

    def show_nothing(self) -> None:
        """Show no progress of another image."""
        panel = self._c.panel
        if panel is not None and not self._c.lane.busy:
            panel.predict.set_progress(0, 1, "")
            panel.set_summary("Predict", "")

    def idle(self) -> None:
        """Give the buttons back."""
        self.under_way = False
        if self._c.session.activity == "predicting":
            self._c.session.activity = "idle"
        self._c.refresh()

    def dropped(self) -> None:
        """What was asked for was cancelled before it began."""
        self._c.say("Cancelled before it began.")
        self.idle()


def _filling(image: Any, layer: Any, model: Trained, output: str | None) -> tuple[Any, ...]:
    """What must be the same for what is in a prediction layer to be known: image, pixels, layer, model and output."""
    return image, image.data, layer, None if layer is None else layer.data, model, output

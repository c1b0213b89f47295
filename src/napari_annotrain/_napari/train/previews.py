from collections import deque
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari.predict.order import Order, order
from napari_annotrain._napari.predict.sink import Sink
from napari_annotrain._napari.runs.events import Advanced, Previewed
from napari_annotrain._napari.runs.work import Request
from napari_annotrain._qt.predict import VIEW
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Region

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Seconds of training before the view is predicted for the first time.
FIRST_SECONDS = 3.0
#: Afterwards whenever training has gone on by this factor; with Live, or while training goes on without a limit,
#: every so many seconds.
GROWTH, LIVE_SECONDS = 1.6, 5.0
#: Predicting the view takes at most this share of the time.
SHARE = 0.1


class Previews:
    """Shows while training what the model makes of the view so far.

    The worker predicts between two steps, so that training and prediction never compete for the processor.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.begin()

    def begin(self) -> None:
        """Forget an earlier training."""
        self.requests: deque[Request] = deque(maxlen=1)
        self._sink: Sink | None = None
        self._order: Order | None = None
        self._next, self._under_way = FIRST_SECONDS, False
        self._shown: tuple[Any, tuple[Region, ...]] = (None, ())

    def shown(self, image: Any) -> tuple[Region, ...]:
        """Where the labels shown on an image are those of the model that is being trained."""
        return self._shown[1] if self._shown[0] is image else ()

    def look(self, model: Any, seconds: float) -> None:
        """Ask for the view when it is time to; `seconds` of training have passed."""
        c = self._c
        if self._under_way or seconds < self._next or c.image is None or c.panel is None:
            return
        if c.roster.viewer.dims.ndisplay == 3:
            return
        spec = c.session.predict
        if c.session.model is None or c.session.model.model.card.target != model.card.target:
            spec = spec.model_copy(update={"output": None})
        try:
            self._order = order(c, VIEW, model, spec)
        except AnnotrainError:  # nothing is in view: said when training ends
            return
        c.predict.forget_view()  # what it writes is of a model that may not be kept
        self._under_way, self._shown = True, (None, ())
        self._next = max(seconds * GROWTH, seconds + LIVE_SECONDS)
        if c.predict.live or c.keep.on:
            self._next = seconds + LIVE_SECONDS
        self.requests.append((model, tuple(self._order.pieces), spec))

    def take(self, event: Event) -> None:
        """Read one event of the training."""
        match event:
            case Advanced() if self._order is not None:
                veils = self._c.predict.veils
                if self._sink is None:
                    self._sink = Sink(self._order.layers, veils.begin(self._order))
                if event.region is not None:
                    veils.lift(self._order.images[event.piece], [event.region])
                    self._c.roster.known(self._order.layers[event.piece]).filled.add([event.region])
                self._sink.mark(event.piece)
            case Previewed():
                self.close()
                if self._order is not None:
                    self._shown = self._order.image, tuple(piece.box for piece in self._order.pieces)
                self._c.changes.look(training=True)
                self._next = max(self._next, event.seconds + event.cost / SHARE)

    def close(self) -> None:
        """Redraw once more; nothing is under way."""
        self._under_way = False
        if self._sink is not None:
            self._sink.close()
            self._sink = None

from typing import TYPE_CHECKING, Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.runs.search import doubts
from napari_annotrain._napari.viewer.going import go_to, point_in
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.lane import Run
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed, Searched
from napari_annotrain.metrics.doubt import Doubt

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class DoubtFlow:
    """Where to paint next: places the model is in doubt about, one after the other."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.searching = False
        self._of: tuple[Any, ...] = ()  # what the list belongs to: model, image, its pixels
        self._left: list[Doubt] = []
        self._been: list[Doubt] = []
        self._failed = ""

    def next(self) -> None:
        """Go to the next place of the list; look for places where there is no list."""
        c = self._c
        if self.searching:
            if not self._go():
                c.say("Still looking: nothing was found so far.")
            return
        if self._of and self._same() and (self._go() or self._say_last()):
            return
        self._search()

    # -- the list -----------------------------------------------------------------------------------------------

    def _now(self) -> tuple[Any, ...]:
        c = self._c
        return c.session.model, c.image, None if c.image is None else c.image.data

    def _same(self) -> bool:
        return all(a is b for a, b in zip(self._of, self._now(), strict=True))

    def _go(self) -> bool:
        """Go to the next place where nothing was painted meanwhile; False when there is none."""
        c = self._c
        assert c.image is not None
        annotated = c.roster.annotated(c.image)
        while self._left:
            place = self._left.pop(0)
            self._been.append(place)
            if engine.load().is_painted(annotated, place):
                continue
            y, x = ((s.start + s.stop - 1) / 2 for s in place.box)
            point = point_in(c.image, c.roster.axes(c.image), place.t, place.z, y, x)
            go_to(c.roster.viewer, c.image, point, 0, to_paint=True)
            size = tuple(float(s.stop - s.start) for s in place.box)
            c.mark.show(c.image, c.roster.axes(c.image), point, (size[0], size[1]))
            more = f" {len(self._left)} more: N." if self._left else ""
            c.say(f"{place}{more}")
            return True
        return False

    def _say_last(self) -> bool:
        """Say that the list is at its end, once; then it is looked for anew."""
        if not self._been:
            return False
        self._of, self._been = (), []
        self._c.say("That was the last of these places: train again, or press N to look anew.")
        return True

    # -- the search ---------------------------------------------------------------------------------------------

    def _search(self) -> None:
        c = self._c
        if not c.predict.may_start():
            return
        assert c.image is not None
        assert c.session.model is not None
        axes = c.roster.axes(c.image)
        stack, annotated = c.roster.stack(c.image), c.roster.annotated(c.image, c.tallies.painted_planes)
        model, spec, measured = c.session.model.model, c.session.predict, c.roster.measured(c.image)
        engine.load().check_channels(model, stack)
        shown = region_of(c.roster.viewer, c.image, axes, whole=True)
        start = (0, 0) if shown is None else (shown[0].start, shown[1].start)
        self._left, self._been, self._of, self._failed = [], [], self._now(), ""
        c.session.activity = "predicting"
        run = Run(
            lambda: doubts(model, stack, annotated, spec, measured, start, c.lane.in_use),
            c.guarded(self._begin),
            c.guarded(self._on_event),
            c.guarded(self._on_end),
            "annotrain-prediction",
            c.predict.dropped,
        )
        c.lane.start(run)
        c.refresh()

    def _begin(self) -> None:
        self.searching = True
        self._c.say("Looking for places the model is in doubt about ...")
        self._c.refresh()

    def _on_event(self, event: Event) -> None:
        match event:
            case Searched():
                self._take(event.found)
                if self._c.panel is not None:
                    words = f"{event.done} of {event.total} parts"
                    self._c.panel.predict.set_progress(event.done, event.total, words)
            case Done():
                self._take(event.result)
            case Failed():
                self._failed = event.sentence

    def _take(self, found: Any) -> None:
        self._left = [place for place in found if place not in self._been]

    def _on_end(self, stopped: bool) -> None:
        c = self._c
        self.searching = False
        if c.panel is not None:
            c.panel.predict.set_progress(0, 1, "")
        c.predict.idle()
        if self._failed:
            self._of = ()
            raise AnnotrainError(self._failed)
        if c.image is None or not self._same():
            return
        if not self._been and not self._go():
            self._of = ()
            c.say("Cancelled." if stopped else "There is no place left that is not annotated: predict and correct.")

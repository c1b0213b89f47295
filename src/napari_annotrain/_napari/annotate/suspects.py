from typing import TYPE_CHECKING, Any

import numpy as np

from napari_annotrain._napari import engine
from napari_annotrain._napari.annotate.plane_edit import plane_of
from napari_annotrain._napari.lasting import as_painted
from napari_annotrain._napari.runs.search import suspicions
from napari_annotrain._napari.viewer.going import go_to, point_in
from napari_annotrain._qt.lane import Run
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed, Searched
from napari_annotrain.metrics.suspects import Suspect
from napari_annotrain.objects.edits import Edit

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class SuspectFlow:
    """What was painted and the model disagrees with: a list, to go there and to un-annotate."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._of: tuple[Any, ...] = ()  # what the list belongs to: image and annotation
        self._found: list[Suspect] = []
        self._failed = ""

    def start(self) -> None:
        """Look for them."""
        c = self._c
        if not c.predict.may_start():
            return
        assert c.image is not None
        assert c.session.model is not None
        annotated = c.roster.annotated(c.image, c.tallies.painted_planes)
        if annotated is None or c.annotation is None:
            raise AnnotrainError("There is no annotation yet: press + New layer and paint.")
        model, spec, measured = c.session.model.model, c.session.predict, c.roster.measured(c.image)
        engine.load().check_channels(model, annotated.stack)
        self.close()
        self._of, self._failed = (c.image, c.annotation), ""
        cells = c.session.target == "cells"
        c.session.activity = "predicting"
        run = Run(
            lambda: suspicions(model, annotated, cells, spec, measured, c.lane.in_use),
            lambda: c.say("Comparing what you painted with the model ..."),
            c.guarded(self._on_event),
            c.guarded(self._on_end),
            "annotrain-prediction",
            c.predict.dropped,
        )
        c.lane.start(run)
        c.refresh()

    def go(self, index: int) -> None:
        """Show one of the list."""
        c, one = self._c, self._one(index)
        if one is None or c.image is None:
            return
        y, x = one.centre
        size = max(s.stop - s.start for s in one.box)
        point = point_in(c.image, c.roster.axes(c.image), one.t, one.z, y, x)
        go_to(c.roster.viewer, c.image, point, size, to_paint=True)
        height, width = (float(s.stop - s.start + 4) for s in one.box)
        c.mark.show(c.image, c.roster.axes(c.image), point, (height, width))
        c.say(f"{one.words(self._names(), self._cells)}. Delete in the list: not annotated.")

    def unannotate(self, index: int) -> None:
        """Make one of the list "not annotated" and take it off the list."""
        c, one = self._c, self._one(index)
        if one is None:
            return
        plane = plane_of(c, one.t, one.z)
        part = plane.read(one.box)
        n = plane.write([Edit(one.box, np.where(one.mask & (part == one.value), part.dtype.type(0), part))])
        c.roster.viewer.layers.selection.active = c.annotation  # so that Ctrl+Z takes it back
        self._found.remove(one)
        self._show()
        c.say(f"{n:,} px are not annotated now. Ctrl+Z takes it back.", as_long_as=as_painted(c))

    def look(self) -> None:
        """Empty the list where another image or annotation is chosen by now."""
        if self._found and not self._is_of_now():
            self.close()

    def close(self) -> None:
        """Empty the list."""
        self._found = []
        self._show()

    def _one(self, index: int) -> Suspect | None:
        c = self._c
        if not 0 <= index < len(self._found):
            return None
        if not self._is_of_now():
            self.close()
            c.say("That list was of another image or annotation: press Suspect labels again.")
            return None
        return self._found[index]

    def _is_of_now(self) -> bool:
        return all(a is b for a, b in zip(self._of, (self._c.image, self._c.annotation), strict=True))

    @property
    def _cells(self) -> bool:
        return self._c.session.target == "cells"

    def _names(self) -> dict[int, str]:
        return {value + 1: name for value, name in self._c.session.class_names.items()}

    def _show(self) -> None:
        if self._c.panel is not None:
            names, cells = self._names(), self._cells
            lines = [
                (
                    one.line(names, cells),
                    f"{one.words(names, cells)}.\nMean cross-entropy {one.disagreement:.2f} (0: agrees).",
                )
                for one in self._found
            ]
            self._c.panel.annotate.suspects.set_lines(lines)

    def _on_event(self, event: Event) -> None:
        match event:
            case Searched() if self._c.panel is not None:
                self._c.panel.predict.set_progress(event.done, event.total, f"{event.done} of {event.total} parts")
                self._found = list(event.found)
            case Done():
                self._found = list(event.result)
            case Failed():
                self._failed = event.sentence

    def _on_end(self, stopped: bool) -> None:
        c = self._c
        if c.panel is not None:
            c.panel.predict.set_progress(0, 1, "")
        c.predict.idle()
        if self._failed:
            raise AnnotrainError(self._failed)
        self._show()
        n = len(self._found)
        if n:
            c.say(f"The model disagrees with {n} label{'s' * (n > 1)} here: click one in the list to see it.")
        else:
            c.say("Cancelled." if stopped else "The model agrees with all you painted, as far as it can tell.")

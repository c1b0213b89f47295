from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels

from napari_annotrain._napari.measure import words
from napari_annotrain._napari.measure.measurable import measurable, other_channels
from napari_annotrain._napari.measure.measured import Measured
from napari_annotrain._napari.viewer.going import go_to, point_in
from napari_annotrain._napari.viewer.pointing import Pointing
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.lane import Lane

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class MeasureShown:
    """What the fifth step shows, and the way between the rows of its table and the objects in the image.

    Every labels layer keeps its table as long as the panel is open.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._lane = Lane()  # of its own: measuring stops neither a training nor a prediction
        self._tables: WeakKeyDictionary[Any, Measured] = WeakKeyDictionary()
        self._offered: list[Labels] = []
        self._layer: Labels | None = None
        self._pointing: Pointing | None = None
        self._going = False  # to an object, whose label is then selected
        self._progress = ""

    def attach(self) -> None:
        """Listen to clicks on the objects, for a panel that opens."""
        self._pointing = Pointing(self._c.roster.viewer, lambda: self._layer, self._c.guarded(self.find))

    def close(self, seconds: float) -> None:
        """Stop, and wait at most so long; tables are forgotten."""
        self._lane.close(seconds)
        for measured in self._tables.values():
            measured.close()
        self._tables.clear()
        self._offered, self._progress = [], ""
        self._follow(None)
        if self._pointing is not None:
            self._pointing.close()
            self._pointing = None

    # -- what is shown ------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Offer the labels there are, and bring the step up to date."""
        panel = self._c.panel
        if panel is None:
            return
        self._offer()
        measured, step = self._measured(), panel.measure
        if measured is not None and self._c.predict.fills(self._layer):
            measured.stale = True
        stale = measured is not None and measured.stale
        step.set_table(None if measured is None else measured.table)
        step.set_others(len(self._others()))
        step.set_stale(words.STALE if stale else "")
        step.set_words(self._progress or self._sentence())
        step.set_running(*self._why_not())
        summary = "nothing yet" if measured is None else words.amount(measured.table)
        panel.set_summary("Measure", "measuring ..." if self._lane.busy else summary + " · out of date" * stale)

    def _offer(self) -> None:
        assert self._c.panel is not None
        step, roster, image = self._c.panel.measure, self._c.roster, self._c.image
        before, self._offered = self._offered, measurable(roster, image)
        step.set_labels([(layer.name, layer) for layer in self._offered], prefer=next(iter(self._offered), None))
        prediction = None if image is None else roster.result(image)
        if not any(prediction is layer for layer in before):  # a new one is what one wants to measure
            for layer in self._offered:
                if layer is prediction:
                    step.labels_combo.choose(layer)

    def _others(self) -> list[Image]:
        """The other images that can be measured with these labels."""
        image, layer = self._c.image, self._layer
        return [] if image is None or layer is None else other_channels(self._c.roster, image, layer)

    def _measured(self) -> Measured | None:
        measured = None if self._layer is None else self._tables.get(self._layer)
        return measured if measured is not None and measured.is_of(self._c.image) else None

    def _sentence(self) -> str:
        measured = self._measured()
        return self._why_nothing() or (words.READY if measured is None else words.found(measured.table))

    def _why_nothing(self) -> str:
        """Why there is nothing to measure; empty where there is."""
        if self._c.image is None:
            return words.NO_IMAGE
        return words.NO_LABELS if self._layer is None else ""

    def _why_not(self) -> tuple[str, str, str, str]:
        """Why one may not measure, cancel, save the table, save the ROIs."""
        busy, measured = words.BUSY if self._lane.busy else "", self._measured()
        predicting = words.PREDICTING if self._c.predict.fills(self._layer) else ""
        cancel = "" if busy else words.IDLE
        table = busy or ("" if measured is not None else words.NO_TABLE)
        stale = words.STALE if measured is not None and measured.stale else ""
        ending = words.ENDING if self._lane.stopping else ""
        return self._why_nothing() or busy or predicting, cancel or ending, table, table or stale

    # -- rows and objects ---------------------------------------------------------------------------------------

    def choose_labels(self, layer: Labels | None) -> None:
        """Look at another layer; a table that was made of it is shown again."""
        self._follow(layer)
        self.show()

    def go(self, row: int) -> None:
        """Show the object of a row: its plane, in the middle of the view, its label selected."""
        measured, layer, viewer = self._measured(), self._layer, self._c.roster.viewer
        if measured is None or layer is None or layer not in viewer.layers:
            return
        self._going = True
        try:
            go_to(viewer, layer, measured.point_of(row), measured.diameter_of(row))
            layer.selected_label = int(measured.table["label"][row])
            self._mark(measured, row)
        finally:
            self._going = False

    def _mark(self, measured: Measured, row: int) -> None:
        """Draw an outline around the object of a row for a moment."""
        c, image = self._c, self._c.image
        if image is not None:
            t, z, y, x = measured.place_of(row)
            size = 1.5 * measured.diameter_of(row) + 4
            axes = c.roster.axes(image)
            c.mark.show(image, axes, point_in(image, axes, t, z, y, x), (size, size))

    def find(self, layer: Labels, label: int) -> None:
        """Mark the row of an object of a layer, in the plane in view where it has one there."""
        measured, panel = self._measured(), self._c.panel
        if measured is None or panel is None or layer is not self._layer:
            return
        row = measured.row_of(label, self._plane())
        if row is not None:
            panel.measure.choose(row)

    def _follow(self, layer: Labels | None) -> None:
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._selected)
        self._layer = layer
        if layer is not None:
            layer.events.selected_label.connect(self._selected)

    def _selected(self, event: Any = None) -> None:
        if self._layer is not None and not self._going:
            self._c.guarded(self.find)(self._layer, self._layer.selected_label)

    def _plane(self) -> tuple[int, int] | None:
        """The plane in view, as (t, z)."""
        image, roster = self._c.image, self._c.roster
        region = None if image is None else region_of(roster.viewer, image, roster.axes(image), whole=True)
        return None if region is None else (region[0].start, region[1].start)

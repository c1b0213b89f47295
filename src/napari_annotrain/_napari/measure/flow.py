from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Labels
from qtpy.QtWidgets import QFileDialog

from napari_annotrain._napari.measure import words
from napari_annotrain._napari.measure.measurable import labels_over
from napari_annotrain._napari.measure.measured import Measured
from napari_annotrain._napari.measure.shown import MeasureShown
from napari_annotrain._qt.lane import Run
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed, Note
from napari_annotrain.events import Measured as MeasuredSome
from napari_annotrain.measurement import CLASSES, Kind, Table, iter_measurement, iter_rois, no_objects, write_table

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class MeasureFlow(MeasureShown):
    """Measuring, from the button to the table and its files."""

    def __init__(self, controller: "Controller") -> None:
        super().__init__(controller)
        self._failed, self._finished = "", False
        self._notes: list[str] = []

    # -- commands -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Measure the objects of the chosen layer."""
        if self._lane.busy:
            return
        layer, labels, stack, kind, painted = self._chosen()
        image = self._c.image
        wanted = self._c.panel is not None and self._c.panel.measure.also_check.isChecked()
        also = [self._c.roster.stack(one) for one in self._others() * wanted]
        self._run(
            lambda: iter_measurement(labels, stack, kind, painted, also),
            lambda table: self._take(layer, image, labels, table),
        )

    def cancel(self) -> None:
        """Stop measuring or saving; a table that was there stays."""
        self._lane.stop()
        self.show()

    def save_table(self) -> None:
        """Ask for a file and save all columns."""
        measured = self._measured()
        path = None if measured is None else self._ask("Save table", ".csv", "Tables (*.csv)")
        if measured is None or path is None:
            return
        table = measured.table

        def write() -> Iterator[Event]:
            write_table(path, table)
            yield Done(f"Saved {table.n_rows:,} rows as {path.name}.")

        self._run(write, self._c.say)

    def save_rois(self) -> None:
        """Ask for a file and save the outlines of the objects for ImageJ."""
        path = None if self._measured() is None else self._ask("Save ROIs", ".zip", "ROIs for ImageJ (*.zip)")
        if path is None:
            return
        _, labels, stack, kind, painted = self._chosen()

        def write() -> Iterator[Event]:
            n = 0
            for event in iter_rois(path, labels, stack.n_channels, kind, painted):
                n = event.n if isinstance(event, MeasuredSome) else n
                yield event
            yield Done(f"Saved {n:,} outlines as {path.name}: drag it into ImageJ's window.")

        self._run(write, self._c.say)

    def _chosen(self) -> tuple[Labels, Stack, Stack, Kind, bool]:
        """The layer, its labels, their image, whether they are cells or classes, and whether they are painted."""
        image, layer, roster = self._c.image, self._layer, self._c.roster
        labels = None if image is None or layer is None else labels_over(roster, image, layer)
        if image is None or layer is None or labels is None:
            raise AnnotrainError(self._why_nothing() or words.NO_LABELS)
        painted = layer is roster.annotation(image)
        said = self._c.session.target if painted else layer.metadata.get("annotrain")
        return layer, labels, roster.stack(image), CLASSES if said == CLASSES else "cells", painted

    def _ask(self, title: str, suffix: str, kinds: str) -> Path | None:
        assert self._c.panel is not None
        assert self._layer is not None
        path, _ = QFileDialog.getSaveFileName(self._c.panel, title, f"{self._layer.name}{suffix}", kinds)
        if not path:
            return None
        return Path(path) if Path(path).suffix else Path(path + suffix)

    # -- the run ------------------------------------------------------------------------------------------------

    def _run(self, make: Callable[[], Iterator[Event]], done: Callable[[Any], Any]) -> None:
        guarded = self._c.guarded
        event, end = guarded(lambda event: self._on_event(event, done)), guarded(self._on_end)
        self._lane.start(Run(make, guarded(self._begin), event, end, "annotrain-measurement"))
        self.show()

    def _begin(self) -> None:
        self._progress, self._failed, self._finished, self._notes = "Reading ...", "", False, []

    def _on_event(self, event: Event, done: Callable[[Any], Any]) -> None:
        match event:
            case MeasuredSome():
                self._progress = words.under_way(event.n, event.done, event.total)
                if self._c.panel is not None:
                    self._c.panel.measure.set_words(self._progress)
            case Note():
                self._notes.append(event.text)
            case Failed():
                self._failed = event.sentence
            case Done():
                self._finished = True
                done(event.result)

    def _on_end(self, stopped: bool) -> None:
        self._progress = ""
        if self._failed:
            self._c.say(self._failed, problem=True)
        elif stopped and not self._finished:
            self._c.say("Cancelled.")
        self._c.refresh()

    def _take(self, layer: Labels, image: Image, labels: Stack, table: Table) -> None:
        if not table.n_rows:
            raise AnnotrainError(no_objects(labels.name))
        before = self._tables.pop(layer, None)
        if before is not None:
            before.close()
        self._tables[layer] = Measured(layer, image, labels, table, self._plane, self._c.guarded(self.show))
        self._c.say(" ".join([f"Measured {words.amount(table)}: click a row to see it.", *self._notes]))

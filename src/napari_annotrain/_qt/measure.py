from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_annotrain._qt.column_plot import ColumnPlot
from napari_annotrain._qt.combos import ItemCombo
from napari_annotrain._qt.layout import allow, button, faint_label, form_layout, row_of, words
from napari_annotrain._qt.palette import Theme
from napari_annotrain._qt.table import ColumnsView
from napari_annotrain.measurement.columns import mean_columns
from napari_annotrain.measurement.table import Table

#: Planes, times and mean intensities among the few columns.
MOST_FEW = 3


class MeasureStep(QWidget):
    """The table of the objects of a labels layer, a plot of it, and the files it can be saved as."""

    measure_clicked = Signal()
    cancel_clicked = Signal()
    labels_changed = Signal(object)
    row_chosen = Signal(int)
    save_table_clicked = Signal()
    save_rois_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("measure_step")
        self.labels_combo = ItemCombo("measure_combo", empty="(nothing predicted yet)")
        self.labels_combo.setToolTip("The labels whose objects are measured: the prediction, or others of its size.")
        self.measure_button = button(
            "measure_button", "Measure", "Makes a table of all objects: size, shape, brightness, position."
        )
        self.cancel_button = button("cancel_measure_button", "Cancel", "Stops measuring or saving.")
        self.also_check = QCheckBox()
        self.also_check.setObjectName("measure_also_check")
        self.also_check.setToolTip("Measures the same objects in the other open images of this size: other channels.")
        self.words_label = faint_label(name="measure_label")
        self.stale_label = QLabel()
        self.stale_label.setObjectName("measure_stale_label")
        self.stale_label.setProperty("problem", True)
        self.stale_label.setWordWrap(True)
        self.stale_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.table = ColumnsView("measure_table")
        self.more_check = QCheckBox("All columns")
        self.more_check.setObjectName("more_columns_check")
        self.more_check.setToolTip("Shows every column that was measured; those not shown are saved all the same.")
        self.plot = ColumnPlot()
        self.save_table_button = button(
            "save_table_button", "Save table...", "Writes all columns as CSV, for a spreadsheet, R or Python."
        )
        self.save_rois_button = button(
            "save_rois_button", "Save ROIs...", "Writes the outlines as a .zip for ImageJ's ROI Manager."
        )
        self._table: Table | None = None
        self._offered: list[tuple[str, int]] = []
        self._build()
        self._connect()
        self.set_table(None)
        self.set_stale("")
        self.set_others(0)

    def _build(self) -> None:
        form = form_layout()
        form.addRow(words("Labels"), self.labels_combo)
        self._found = QWidget()
        found = QVBoxLayout(self._found)
        found.setContentsMargins(0, 0, 0, 0)
        found.setSpacing(5)
        found.addWidget(self.table)
        found.addWidget(self.more_check)
        found.addWidget(self.plot)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 8)
        whole.setSpacing(5)
        whole.addLayout(form)
        whole.addWidget(self.also_check)
        whole.addWidget(row_of((self.measure_button, 3), (self.cancel_button, 1)))
        whole.addWidget(self.words_label)
        whole.addWidget(self.stale_label)
        whole.addWidget(self._found)
        whole.addWidget(row_of((self.save_table_button, 1), (self.save_rois_button, 1)))

    def _connect(self) -> None:
        self.measure_button.clicked.connect(lambda: self.measure_clicked.emit())
        self.cancel_button.clicked.connect(lambda: self.cancel_clicked.emit())
        self.save_table_button.clicked.connect(lambda: self.save_table_clicked.emit())
        self.save_rois_button.clicked.connect(lambda: self.save_rois_clicked.emit())
        self.labels_combo.item_changed.connect(self.labels_changed)
        self.more_check.toggled.connect(lambda _: self._show_columns())
        self.table.row_chosen.connect(self._chosen)
        self.plot.row_chosen.connect(self._chosen)

    def set_labels(self, layers: Sequence[tuple[str, Any]], prefer: Any) -> None:
        """Offer layers to measure, name and object."""
        offered = [(name, id(layer)) for name, layer in layers]
        if offered != self._offered:  # else a list that is open stays open
            self._offered = offered
            self.labels_combo.set_items(layers, prefer)

    def set_others(self, n: int) -> None:
        """Offer to measure intensities in so many other images too."""
        self.also_check.setText(f"Brightness in {n} other image{'s' if n > 1 else ''}, too")
        self.also_check.setVisible(n > 0)

    def set_table(self, table: Table | None) -> None:
        """Show a table, or none."""
        if table is self._table and table is not None:
            return
        self._table = table
        self._found.setVisible(table is not None)
        if table is not None:
            self._show_columns()
            size = "area_um2" if "area_um2" in table else "area_px"
            self.plot.set_columns(table, table.kind, size)

    def set_words(self, text: str) -> None:
        """Say what was found, how far it is, or what to do."""
        if self.words_label.text() != text:
            self.words_label.setText(text)
        self.words_label.setVisible(bool(text))

    def set_stale(self, text: str) -> None:
        """Say that the table is out of date; an empty text takes it back."""
        self.stale_label.setText(text)
        self.stale_label.setVisible(bool(text))

    def set_running(self, why_not_measure: str, why_not_cancel: str, why_not_table: str, why_not_rois: str) -> None:
        """Enable what can be done now; what cannot says why."""
        allow(self.measure_button, why_not_measure)
        allow(self.cancel_button, why_not_cancel)
        allow(self.save_table_button, why_not_table)
        allow(self.save_rois_button, why_not_rois)

    def set_theme(self, theme: Theme) -> None:
        """Follow the colours of the window."""
        self.plot.set_theme(theme)

    def choose(self, row: int | None) -> None:
        """Mark a row of the table, and its point; nothing is told."""
        self.table.choose(row)
        self.plot.choose(row)

    def _chosen(self, row: int) -> None:
        self.choose(row)
        self.row_chosen.emit(row)

    def _show_columns(self) -> None:
        if self._table is None:
            return
        row, everything = self.table.chosen(), self.more_check.isChecked()
        names = list(self._table) if everything else few_columns(self._table)
        self.table.set_columns(self._table, names, fill=not everything)
        if row is not None and row < self._table.n_rows:
            self.table.choose(row)


def few_columns(table: Table) -> list[str]:
    """The few columns that most people look at, narrow enough for a panel."""
    several = [name for name in ("t", "z") if name in table and len(table.planes) > 1]
    size = "area_um2" if "area_um2" in table else "area_px"
    shape = "touches_border" if table.kind == "cells" else "area_percent"
    return ["label", *several, size, *mean_columns(table)[: MOST_FEW - len(several)], shape]

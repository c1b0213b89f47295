"""The table and the plot of a measurement, without napari."""

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_annotrain._qt.column_plot import COUNT, ColumnPlot, bars
from napari_annotrain._qt.measure import MeasureStep, few_columns
from napari_annotrain._qt.table import ColumnsView, text_of
from napari_annotrain.measurement import Table

N = 100_000


@pytest.fixture
def view(qtbot):
    made = ColumnsView("measure_table")
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    return made


def columns(n=5):
    """Areas go down while labels go up; some are not known."""
    area = np.arange(n, 0, -1).astype(float)
    area[1] = np.nan
    return {"label": np.arange(1, n + 1), "area_um2": area, "touches_border": np.arange(n) == 0}


def shown(view, column, rows=5):
    return [view.model().index(row, column).data() for row in range(rows)]


def test_a_large_table_is_sorted_by_a_click_and_keeps_its_chosen_row(view, qtbot):
    told = []
    view.row_chosen.connect(told.append)
    view.set_columns(columns(N), ["label", "area_um2"], fill=True)
    view.choose(0)
    header = view.horizontalHeader()
    place = header.sectionViewportPosition(1) + 20
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=header.rect().center().__class__(place, 5))
    assert shown(view, 1, 3) == ["1", "2", "3"]
    assert view.chosen() == 0
    assert view.currentIndex().row() == N - 2  # the one that is not known comes last
    view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert shown(view, 1, 3) == ["100,000", "99,998", "99,997"]
    assert view.model().index(N - 1, 1).data() == "–"
    assert told == []


def test_arrow_keys_choose_rows_in_the_order_on_the_screen(view, qtbot):
    told = []
    view.row_chosen.connect(told.append)
    view.set_columns(columns(), ["label", "area_um2"], fill=True)
    view.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    view.choose(4)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert told == [3, 2]


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (np.float64(12.3456), "area_um2", "12.35"),
        (np.float64(1234567.8), "intensity_sum", "1,234,568"),
        (np.int64(12345), "label", "12345"),
        (np.float64("nan"), "perimeter_um", "–"),
        (np.True_, "touches_border", "border"),
        (np.False_, "touches_border", ""),
    ],
)
def test_numbers_are_short_and_the_border_is_a_word(value, name, text):
    assert text_of(value, name) == text


def test_few_columns_fit_the_panel():
    one = np.ones(2)
    channels = {f"intensity_{what}_c{c}": one for c in range(4) for what in ("mean", "sum")}
    found = {"label": one, "z": one, "area_px": one, "area_um2": one, "touches_border": one, **channels}
    planes = {(0, 0): None, (0, 1): None}
    assert few_columns(Table(found, planes=planes)) == [
        "label",
        "z",
        "area_um2",
        "intensity_mean_c0",
        "intensity_mean_c1",
        "touches_border",
    ]
    assert few_columns(Table({"label": one, "area_px": one, "area_percent": one}, "classes")) == [
        "label",
        "area_px",
        "area_percent",
    ]


def test_a_bar_for_each_plane_and_every_object_is_in_a_bar():
    heights, edges = bars(np.array([0.0, 2.0, 2.0, 3.0]))
    assert heights.tolist() == [1, 0, 2, 1]
    assert edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    heights, _ = bars(np.append(np.random.default_rng(0).random(1000), np.nan))
    assert heights.sum() == 1000
    assert bars(np.array([np.nan]))[0].sum() == 0


def test_the_plot_draws_a_histogram_or_points_and_tells_which_was_clicked(qtbot):
    plot = ColumnPlot()
    qtbot.addWidget(plot)
    plot.show()
    told = []
    plot.row_chosen.connect(told.append)
    plot.set_columns({**columns(), "perimeter_um": np.arange(5.0)}, "cells", "area_um2")
    assert plot.across_combo.choice() == "area_um2"
    assert plot.up_combo.choice() == COUNT
    assert plot._bars.getData()[1].sum() == 4
    plot.up_combo.choose("perimeter_um")
    assert plot._points.getData()[0].tolist() == [5, 3, 2, 1]  # without the one that is not known
    plot._points.sigClicked.emit(plot._points, plot._points.points()[1:2], None)
    assert told == [2]
    plot.choose(2)
    assert plot._mark_point.getData()[1].tolist() == [2]


def test_of_very_many_points_some_are_drawn_and_that_is_said(qtbot):
    plot = ColumnPlot()
    qtbot.addWidget(plot)
    plot.set_columns({"area_px": np.arange(N), "perimeter_px": np.arange(N) * 2.0}, "cells", "area_px")
    plot.up_combo.choose("perimeter_px")
    assert plot._points.getData()[0].tolist() == list(range(0, N, 5))
    assert "20,000 of 100,000 points" in plot._plot.getAxis("bottom").labelText
    plot._points.sigClicked.emit(plot._points, plot._points.points()[3:4], None)
    plot.choose(15)
    assert plot._mark_point.getData()[0].tolist() == [15]


def test_another_table_forgets_the_chosen_row(qtbot):
    step = MeasureStep()
    qtbot.addWidget(step)
    step.set_table(Table(columns()))
    step.choose(3)
    step.set_table(Table(columns(2)))
    assert step.table.chosen() is None
    step.set_table(None)
    assert step.table.isHidden() or not step.table.isVisible()

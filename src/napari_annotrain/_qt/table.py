from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_annotrain.measurement.columns import column

ROW_HEIGHT, ROWS_SHOWN = 22, 8
#: Qt looks at so many rows to see how wide a column must be.
ROWS_LOOKED_AT = 60
#: Longer words of a heading are cut; its tooltip has all of them.
MOST_LETTERS = 11
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ColumnsModel(QAbstractTableModel):
    """Columns of numbers as a table that can be sorted; only the cells in view become text.

    A row has two numbers: its place in the columns, which stays, and its place on the screen.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: Mapping[str, npt.NDArray[Any]] = {}
        self._shown: list[str] = []
        self._order: npt.NDArray[np.intp] = np.arange(0)
        self._on_screen: npt.NDArray[np.intp] = np.arange(0)

    def set_columns(self, columns: Mapping[str, npt.NDArray[Any]], shown: Sequence[str]) -> None:
        """Show these columns, in their own order, under the names in `shown`."""
        self.beginResetModel()
        n = len(next(iter(columns.values()), ()))
        if n != len(self._order) or columns is not self._columns:
            self._order = np.arange(n)
            self._on_screen = self._order
        self._columns, self._shown = columns, list(shown)
        self.endResetModel()

    def place_of(self, row: int) -> int:
        """Where on the screen a row of the columns is."""
        return int(self._on_screen[row])

    def row_at(self, place: int) -> int:
        """Which row of the columns is there on the screen."""
        return int(self._order[place])

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Rows of the columns."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Columns that are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of one cell."""
        if role == Qt.ItemDataRole.DisplayRole:
            name = self._shown[index.column()]
            return text_of(self._columns[name][self._order[index.row()]], name)
        return RIGHT if role == Qt.ItemDataRole.TextAlignmentRole else None

    def headerData(self, section: int, side: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Title and unit; what the column means as a tooltip."""
        if side != Qt.Orientation.Horizontal or not 0 <= section < len(self._shown):
            return None
        known = column(self._shown[section])
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{_short(known.title)}\n{_short(known.unit)}"
        return f"{known.meaning}\n{known.name}" if role == Qt.ItemDataRole.ToolTipRole else None

    def sort(self, section: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column, equal ones in the order of the table; what is not known comes last."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        rows = [self.row_at(index.row()) for index in before]
        if 0 <= section < len(self._shown):
            self._order = _sorted(self._columns[self._shown[section]], order == Qt.SortOrder.DescendingOrder)
        else:
            self._order = np.arange(len(self._order))
        self._on_screen = np.empty_like(self._order)
        self._on_screen[self._order] = np.arange(len(self._order))
        after = [self.index(self.place_of(row), index.column()) for row, index in zip(rows, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


class ColumnsView(QTableView):
    """The table of a measurement: one row is chosen, by the mouse, the arrow keys or from outside.

    Signals
    -------
    row_chosen
        Row of the columns that the user chose; not told of one chosen by `choose`.
    """

    row_chosen = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._model = ColumnsModel(self)
        self._quiet = False
        self.setModel(self._model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setResizeContentsPrecision(ROWS_LOOKED_AT)
        header.setDefaultAlignment(RIGHT)
        header.setHighlightSections(False)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.setFixedHeight(2 * self.fontMetrics().lineSpacing() + 14 + ROW_HEIGHT * ROWS_SHOWN)
        self.selectionModel().currentRowChanged.connect(self._chosen)

    def set_columns(self, columns: Mapping[str, npt.NDArray[Any]], shown: Sequence[str], fill: bool) -> None:
        """Show columns; with `fill` they share the width, else each is as wide as it must and the table scrolls."""
        self._quiet = True
        self._model.set_columns(columns, shown)
        header = self.horizontalHeader()
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        mode = QHeaderView.ResizeMode.Stretch if fill else QHeaderView.ResizeMode.ResizeToContents
        header.setSectionResizeMode(mode)
        self._quiet = False

    def choose(self, row: int | None) -> None:
        """Mark a row of the columns and bring it into view; None marks none."""
        self._quiet = True
        if row is None:
            self.selectionModel().clear()
        else:
            index = self._model.index(self._model.place_of(row), 0)
            self.setCurrentIndex(index)
            self.scrollTo(index)
        self._quiet = False

    def chosen(self) -> int | None:
        """The marked row of the columns."""
        index = self.currentIndex()
        return self._model.row_at(index.row()) if index.isValid() else None

    def _chosen(self, index: QModelIndex, before: QModelIndex | None = None) -> None:
        if index.isValid() and not self._quiet:
            self.row_chosen.emit(self._model.row_at(index.row()))


def text_of(value: Any, name: str) -> str:
    """A number as one reads it: four digits, thousands apart; what is not known is a dash."""
    if name == "touches_border":
        return "border" if value else ""
    if not isinstance(value, float):  # as numpy's own are
        return str(value)
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _short(words: str) -> str:
    return words if len(words) <= MOST_LETTERS else words[: MOST_LETTERS - 1] + "…"


def _sorted(values: npt.NDArray[Any], descending: bool) -> npt.NDArray[np.intp]:
    if values.dtype.kind not in "fiub":
        values = np.unique(values, return_inverse=True)[1]
    keys = values.astype(float)
    keys = -keys if descending else keys
    return np.asarray(np.argsort(np.where(np.isnan(keys), np.inf, keys), kind="stable"))

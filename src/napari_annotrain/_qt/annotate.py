from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from napari_annotrain._qt.class_menu import ClassMenu
from napari_annotrain._qt.combos import ChoiceCombo, ItemCombo
from napari_annotrain._qt.layout import button, faint_label, form_layout, row_of, words
from napari_annotrain._qt.notice import Notice
from napari_annotrain._qt.suspects import SuspectList
from napari_annotrain._qt.tools import ACCEPT, ERASE, Tools

ROW_HEIGHT = 24
MOST_ROWS = 6
#: Ways to learn an image, in words.
LEARN_FROM = [("pair", "a target image"), ("noise2void", "noisy images alone"), ("corrupted", "clean images alone")]


@dataclass(frozen=True)
class ClassRow:
    """One row of the table: an annotation value, its name and colour, the pixels painted, the key that picks it."""

    value: int
    name: str
    colour: str
    painted: str = ""
    key: str = ""
    editable: bool = True


class AnnotateStep(QWidget):
    """What is painted, on which layer, and how much of it there is."""

    target_changed = Signal(object)
    learn_from_changed = Signal(object)
    annotation_changed = Signal(object)
    new_annotation = Signal()
    region_wanted = Signal()
    class_added = Signal()
    class_chosen = Signal(int)
    class_renamed = Signal(int, str)
    accept_wanted = Signal()
    next_wanted = Signal()
    suspects_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.target_combo = ChoiceCombo("target_combo", [(one, one) for one in ("classes", "cells", "image")])
        self.target_combo.setMinimumContentsLength(2)  # leaves room for the button beside it
        self.target_combo.setToolTip(
            "classes: every cell of a kind in the same colour.\n"
            "cells: every cell in a colour of its own; the model learns to keep touching cells apart.\n"
            "image: nothing is painted; the model learns to make another image (less noise, another stain)."
        )
        self.learn_from_combo = ChoiceCombo("learn_from_combo", LEARN_FROM)
        self.learn_from_combo.setToolTip(
            "a target image: for each image another one of the same size, such as one with less noise.\n"
            "noisy images alone: pixels are hidden and learnt from their neighbours (noise2void); the noise must be\n"
            "independent from pixel to pixel.\n"
            "clean images alone: noise is added, and learnt to be removed."
        )
        self.annotation_combo = ItemCombo("annotation_combo", empty="(none yet)")
        self.annotation_combo.setToolTip("The labels layer you paint on.")
        self.new_annotation_button = button(
            "new_annotation_button",
            "+ New layer",
            "Makes a layer to paint on, as large as the image, and picks the brush with the first class:\n"
            "paint a few cells, then press Alt+1 and paint some background.",
        )
        self.complete_region_button = button(
            "complete_region_button",
            "Complete region",
            "Draw a box inside which everything is painted: what is left unpainted there is background (key R).",
        )
        self.add_class_button = button("add_class_button", "+ Class", "Adds a class with a colour and a key.")
        self.accept_view_button = button(
            "accept_view_button",
            "Accept view  A",
            "Takes the prediction you see as annotation, background too, to be corrected then (key A). Where complete\n"
            "regions are selected, what is predicted inside them. What you have painted stays as it is.",
        )
        self.where_next_button = button(
            "where_next_button",
            "Where next?  N",
            "Looks through the stack for the place the model is most in doubt about and where nothing is painted,\n"
            "and goes there; again for the next one (key N).",
        )
        self.suspects_button = button(
            "suspects_button",
            "Suspect labels",
            "Lists what you painted and the model disagrees with most: a slip of the brush, or something to learn.",
        )
        self.tools = Tools()
        self.suspects = SuspectList()
        self.class_table = QTableWidget(0, 4)
        self.class_table.setObjectName("class_table")
        self.tip_label = faint_label(name="annotate_tip")
        self.meaning = Notice("meaning")
        self._rows: list[ClassRow] = []
        self._set_up_table()
        self.classes = ClassMenu(self.class_table, lambda: [(row.value, row.name, row.editable) for row in self._rows])
        self._build()
        self._connect()

    def _set_up_table(self) -> None:
        table = self.class_table
        table.setToolTip(
            "Click a row to paint with it; double-click a name or a colour to change it.\n"
            "Right-click: merge a class into another one, or delete it (Delete)."
        )
        table.horizontalHeader().hide()
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        table.setShowGrid(False)
        header = table.horizontalHeader()
        header.setMinimumSectionSize(24)
        for column, mode in enumerate(("Fixed", "Stretch", "ResizeToContents", "ResizeToContents")):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode[mode])
        table.setColumnWidth(0, 28)

    def _build(self) -> None:
        self._form = form = form_layout()
        self._what, self._where = words("I paint"), words("On")
        form.addRow(self._what, row_of((self.target_combo, 1), (self.new_annotation_button, 0)))
        form.addRow(words("From"), self.learn_from_combo)
        form.addRow(self._where, self.annotation_combo)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 8)
        whole.setSpacing(5)
        whole.addLayout(form)
        whole.addWidget(self.meaning)
        whole.addWidget(self.class_table)
        erase, accept = self.tools.buttons[ERASE], self.tools.buttons[ACCEPT]
        rows = (
            row_of((self.add_class_button, 1), (erase, 1), (self.complete_region_button, 1)),
            self.tools,
            row_of((self.accept_view_button, 1), (accept, 1)),
            row_of((self.where_next_button, 1), (self.suspects_button, 1)),
        )
        for row in rows:
            whole.addWidget(row)
        self._of_labels = (self.new_annotation_button, self.class_table, *rows)
        whole.addWidget(self.suspects)
        whole.addWidget(self.tip_label)

    def _connect(self) -> None:
        self.target_combo.choice_changed.connect(self.target_changed)
        self.learn_from_combo.choice_changed.connect(self.learn_from_changed)
        self.annotation_combo.item_changed.connect(self.annotation_changed)
        self.new_annotation_button.clicked.connect(lambda: self.new_annotation.emit())
        self.complete_region_button.clicked.connect(lambda: self.region_wanted.emit())
        self.add_class_button.clicked.connect(lambda: self.class_added.emit())
        self.accept_view_button.clicked.connect(lambda: self.accept_wanted.emit())
        self.where_next_button.clicked.connect(lambda: self.next_wanted.emit())
        self.suspects_button.clicked.connect(lambda: self.suspects_wanted.emit())
        self.class_table.cellClicked.connect(lambda row, _: self.class_chosen.emit(self._rows[row].value))
        self.class_table.itemChanged.connect(self._renamed)

    def set_target(self, target: str, learn_from: str) -> None:
        """Show what applies to painted labels, or to an image that is learnt; nothing is told."""
        image = target == "image"
        for widget in self._of_labels:
            widget.setVisible(not image)
        self._what.setText("I learn" if image else "I paint")
        self._where.setText("Target" if image else "On")
        self._form.setRowVisible(self.learn_from_combo, image)
        self._form.setRowVisible(self.annotation_combo, not image or learn_from == "pair")
        self.annotation_combo.setPlaceholderText("(choose an image)" if image else "(none yet)")
        with QSignalBlocker(self.learn_from_combo):
            self.learn_from_combo.choose(learn_from)

    def show_tool(self, tool: str) -> None:
        """Show which tool is in the hand; none for an empty word."""
        self.tools.show_tool(tool)

    def set_rows(self, rows: Sequence[ClassRow]) -> None:
        """Show the classes; a name that is being edited stays as it is."""
        rows = list(rows)
        if rows == self._rows:
            return
        editing = self.class_table.state() == QAbstractItemView.State.EditingState
        self._rows = rows
        with QSignalBlocker(self.class_table):
            self.class_table.setRowCount(len(rows))
            for i, row in enumerate(rows):
                self._fill(i, row, keep_name=editing)
        self.class_table.setFixedHeight(6 + ROW_HEIGHT * min(max(len(rows), 2), MOST_ROWS))

    def select_value(self, value: int) -> None:
        """Mark the row of an annotation value, if it has one."""
        with QSignalBlocker(self.class_table):
            index = next((i for i, row in enumerate(self._rows) if row.value == value), -1)
            self.class_table.setCurrentCell(index, 1) if index >= 0 else self.class_table.clearSelection()

    def _fill(self, i: int, row: ClassRow, keep_name: bool) -> None:
        shown = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        texts = ("", row.name, row.painted, row.key)
        for column, text in enumerate(texts):
            if column == 1 and keep_name:
                continue
            item = QTableWidgetItem(text)
            item.setFlags(shown | Qt.ItemFlag.ItemIsEditable if column == 1 and row.editable else shown)
            if column >= 2:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if column == 0:
                item.setIcon(_swatch(row.colour))
            self.class_table.setItem(i, column, item)

    def _renamed(self, item: QTableWidgetItem) -> None:
        if item.column() == 1:
            self.class_renamed.emit(self._rows[item.row()].value, item.text())


def _swatch(colour: str) -> QIcon:
    pixmap = QPixmap(14, 14)
    pixmap.fill(QColor(colour))
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else Qt tints the colour of the chosen row
    return icon

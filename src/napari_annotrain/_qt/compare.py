from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QGridLayout,
    QHeaderView,
    QSizePolicy,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_annotrain._qt.compare_plot import ComparePlot, Curves, colour_of
from napari_annotrain._qt.fold import WheelGuard
from napari_annotrain._qt.layout import allow, button, faint_label, row_of, words
from napari_annotrain._qt.palette import Theme

ROW_HEIGHT, COLUMNS = 22, 2
#: Side of the coloured squares, in logical pixels.
SQUARE = 9
#: Longest training of one candidate, in seconds.
MOST_SECONDS = 100_000
#: Column of the score, and its heading where images are made.
SCORE = 1
SCORE_OF_IMAGES = "PSNR\ndB"
TIPS_OF_IMAGES = {
    "PSNR": "On the pixels kept for validation, how near images come to their targets: 6 dB more is half the error.",
    "PSNR of restored images": "How near restored images come to the original ones: 6 dB more is half the error.",
    "PSNR of hidden pixels": "How well hidden pixels are guessed, which are noisy themselves: it tells which network "
    "is better, not how clean images become.",
}
#: Title, and what the column means.
HEADINGS = (
    ("Network", "The candidate. Choose a row to see what it makes, and to use it."),
    ("Score", "On the pixels kept for validation: mean intersection over union of the classes, 0 to 1."),
    ("Time\ns", "Seconds of training so far."),
    ("Size\nM", "Trainable numbers (parameters, weights) of the network, in millions."),
    ("Reach\npx", "So far around a pixel it looks."),
    ("Mem.\nMB", "Memory of training: reckoned from the network and its patches, not measured."),
)


class CompareBox(QWidget):
    """Several networks trained on the same for the same time: choose them, watch them, take one.

    A line that folds out. Candidates are known by a key.

    Signals
    -------
    start_clicked
        Keys of the ticked candidates, in their order, and the seconds for each.
    row_chosen
        Row of the table, chosen by hand.
    labels_toggled
        Whether what all candidates make of the view is to be shown.
    """

    start_clicked = Signal(object, float)
    stop_clicked = Signal()
    use_clicked = Signal()
    row_chosen = Signal(int)
    labels_toggled = Signal(bool)
    ticked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compare_box")
        self.fold_button = QToolButton()
        self.fold_button.setObjectName("compare_fold_button")
        self.fold_button.setText("Compare networks")
        self.fold_button.setToolTip("Trains several networks on the same and tells which is best.")
        self.fold_button.setCheckable(True)
        self.fold_button.setAutoRaise(True)
        self.fold_button.setArrowType(Qt.ArrowType.RightArrow)
        self.fold_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.checks: dict[str, QCheckBox] = {}
        self._offered: list[tuple[str, str, str]] = []
        self._list = QWidget()
        self._grid = QGridLayout(self._list)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self.seconds = QSpinBox()
        self.seconds.setObjectName("compare_seconds")
        self.seconds.setRange(1, MOST_SECONDS)
        self.seconds.setValue(60)
        self.seconds.setSuffix(" s each")
        self.seconds.setProperty("tip", "Every candidate trains so long; they take turns, so all together take longer.")
        self.seconds.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.seconds.installEventFilter(WheelGuard(self))
        self.seconds.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.start_button = button("compare_button", "Compare", "Trains all that are ticked, turn by turn.")
        self.stop_button = button("stop_compare_button", "Stop", "Ends the comparison; what was trained stays.")
        self.plot = ComparePlot()
        self.table = _table()
        self.words_label = faint_label(name="compare_label")
        self.labels_button = button(
            "compare_labels_button",
            "Show labels",
            "Shows what each candidate makes of the view, as a layer of its own: choose a row above to see its own.",
        )
        self.labels_button.setCheckable(True)
        self.use_button = button("use_candidate_button", "Use this one", "Predicts and trains on with the chosen row.")
        self._build()
        self._connect()
        self.set_rows([], None)
        self.set_words("")

    def _build(self) -> None:
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(5)
        body.addWidget(self._list)
        body.addWidget(row_of(words("Training time"), (self.seconds, 1)))
        body.addWidget(row_of((self.start_button, 3), (self.stop_button, 1)))
        body.addWidget(self.plot)
        body.addWidget(self.table)
        body.addWidget(self.words_label)
        self._after = row_of((self.labels_button, 1), (self.use_button, 1))
        body.addWidget(self._after)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(3)
        whole.addWidget(self.fold_button)
        whole.addWidget(self._body)
        self._body.hide()

    def _connect(self) -> None:
        self.fold_button.toggled.connect(self._unfold)
        self.start_button.clicked.connect(lambda: self.start_clicked.emit(self.chosen(), float(self.seconds.value())))
        self.stop_button.clicked.connect(lambda: self.stop_clicked.emit())
        self.use_button.clicked.connect(lambda: self.use_clicked.emit())
        self.labels_button.toggled.connect(self.labels_toggled)
        self.table.itemSelectionChanged.connect(self._row_chosen)

    def chosen(self) -> list[str]:
        """Keys of the ticked candidates."""
        return [key for key, check in self.checks.items() if check.isChecked()]

    def set_candidates(self, candidates: Sequence[tuple[str, str, str]], ticked: Sequence[str]) -> None:
        """Offer candidates: key, words and what they mean; ticks stay, and `ticked` are so when they are new."""
        if list(candidates) == self._offered:
            return
        self._offered = list(candidates)
        before = {key: check.isChecked() for key, check in self.checks.items()}
        for check in self.checks.values():
            self._grid.removeWidget(check)
            check.hide()  # it lives on until Qt has time
            check.deleteLater()
        self.checks = {}
        for i, (key, text, tip) in enumerate(candidates):
            check = QCheckBox(text)
            check.setObjectName(f"compare_check_{key}")
            check.setProperty("tip", tip)
            check.setToolTip(tip)
            check.setChecked(before.get(key, key in ticked))
            check.toggled.connect(lambda _: self.ticked.emit())
            self.checks[key] = check
            self._grid.addWidget(check, i // COLUMNS, i % COLUMNS)

    def set_curves(self, curves: Sequence[Curves]) -> None:
        """Show the learning curves."""
        self.plot.show_curves(curves)

    def set_rows(self, rows: Sequence[Mapping[str, Any]], best: int | None, measure: str = "IoU") -> None:
        """Show the table (see `api.comparison`), with what the scores are; the chosen row stays."""
        images = measure != "IoU"
        self.labels_button.setText("Show images" if images else "Show labels")
        title, tip = (SCORE_OF_IMAGES, TIPS_OF_IMAGES[measure]) if images else HEADINGS[SCORE]
        heading = self.table.horizontalHeaderItem(SCORE)
        heading.setText(title)
        heading.setToolTip(tip)
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(rows))
            for k, row in enumerate(rows):
                for column, (text, tip) in enumerate(_cells(row)):
                    item = self.table.item(k, column)
                    if item is None:
                        item = QTableWidgetItem()
                        self.table.setItem(k, column, item)
                    item.setText(text)
                    item.setToolTip(tip)
                    if column:
                        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    else:
                        item.setIcon(_square(colour_of(k)))
                    font = item.font()
                    font.setBold(k == best and column == SCORE)
                    item.setFont(font)
        header = self.table.horizontalHeader().sizeHint().height()
        self.table.setFixedHeight(header + ROW_HEIGHT * len(rows) + 4)
        self.table.setVisible(bool(rows))
        self._after.setVisible(bool(rows))

    def choose(self, row: int | None) -> None:
        """Mark a row; nothing is told."""
        with QSignalBlocker(self.table):
            self.table.clearSelection() if row is None else self.table.selectRow(row)

    def set_words(self, text: str) -> None:
        """Say how far it is, or what came of it."""
        self.words_label.setText(text)
        self.words_label.setVisible(bool(text))

    def set_labels_shown(self, shown: bool) -> None:
        """Show whether the labels are shown; nothing is told."""
        with QSignalBlocker(self.labels_button):
            self.labels_button.setChecked(shown)

    def set_running(self, why_not_change: str, why_not: Mapping[str, str]) -> None:
        """Enable what can be done now; what cannot says why: "start", "stop", "labels", "use"."""
        for check in self.checks.values():
            allow(check, why_not_change)
        allow(self.seconds, why_not_change)
        made = {"start": self.start_button, "stop": self.stop_button}
        for name, widget in (made | {"labels": self.labels_button, "use": self.use_button}).items():
            allow(widget, why_not[name])

    def set_theme(self, theme: Theme) -> None:
        """Follow the colours of the window."""
        self.plot.set_theme(theme)

    def _unfold(self, shown: bool) -> None:
        self._body.setVisible(shown)
        self.fold_button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)

    def _row_chosen(self) -> None:
        rows = self.table.selectionModel().selectedRows()
        if rows:
            self.row_chosen.emit(rows[0].row())


def _table() -> QTableWidget:
    table = QTableWidget(0, len(HEADINGS))
    table.setObjectName("compare_table")
    for column, (title, tip) in enumerate(HEADINGS):
        item = QTableWidgetItem(title)
        item.setToolTip(tip)
        side = Qt.AlignmentFlag.AlignLeft if column == 0 else Qt.AlignmentFlag.AlignRight
        item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        table.setHorizontalHeaderItem(column, item)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setWordWrap(False)
    table.setIconSize(QSize(SQUARE, SQUARE))
    table.setShowGrid(False)
    table.verticalHeader().hide()
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setMinimumSectionSize(20)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table


def _cells(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Text and tooltip of each cell of a row."""
    name, score = str(row["name"]), row["score"]
    images = row["measure"] != "IoU"
    shown = "failed" if row["failed"] else "–" if score is None else f"{score:.1f}" if images else f"{score:.2f}"
    exactly = "" if score is None else f"{score:.4f}" + (f", {row['measure']}" if images else "")
    return [
        (name, str(row["failed"]) or name),
        (shown, str(row["failed"]) or exactly),
        (f"{row['seconds']:.0f}", f"{row['steps']:,} steps"),
        (f"{row['parameters'] / 1e6:.2f}", f"{row['parameters']:,} trainable numbers"),
        (str(row["reach_px"]), ""),
        (f"{row['memory_MB']:,}", "reckoned, not measured"),
    ]


def _square(colour: str) -> QIcon:
    pixmap = QPixmap(SQUARE, SQUARE)
    pixmap.fill(QColor(colour))
    return QIcon(pixmap)

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QProgressBar, QVBoxLayout, QWidget

from napari_annotrain._qt.combos import ChoiceCombo
from napari_annotrain._qt.layout import GAP, allow, button, form_layout, row_of, words
from napari_annotrain._qt.more import MoreSettings
from napari_annotrain.specs import CellsSpec, PredictSpec

#: What each button predicts, as carried by `PredictStep.predict_clicked`.
VIEW, SLICE, STACK, IMAGES = "view", "slice", "stack", "images"


class PredictStep(QWidget):
    """What is predicted, what is shown of it, and how far it is."""

    predict_clicked = Signal(str)
    cancel_clicked = Signal()
    check_clicked = Signal()
    live_toggled = Signal(bool)
    output_changed = Signal(object)
    spec_changed = Signal(object)
    cells_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = {
            VIEW: button("predict_view_button", "What I see", "Predicts the visible part of the image (key W)."),
            SLICE: button("predict_slice_button", "This slice", "Predicts the whole plane that is shown."),
            STACK: button("predict_stack_button", "Whole stack", "Predicts all planes of the image."),
            IMAGES: button("predict_images_button", "All images", "Predicts every open image, one after the other."),
        }
        self.live_check = QCheckBox("Live")
        self.live_check.setObjectName("live_check")
        self.live_check.setToolTip("Predicts what you see again whenever you move, or when there is a new model.")
        self.output_combo = ChoiceCombo("output_combo", [("classes", "classes"), ("cells", "cells")])
        self.output_combo.setToolTip(
            "classes: one colour a class; cells: a colour for every cell; probabilities: how sure the model is;\n"
            "uncertainty: where it is in doubt (how that is measured stands under More settings)."
        )
        self.cancel_button = button("cancel_button", "Cancel", "Stops predicting; what is done stays.")
        self.progress_bar = QProgressBar()
        self.progress_bar.setObjectName("progress_bar")
        self.check_seams_button = button(
            "check_seams_button",
            "Check seams",
            "Computes what lies around a corner of tiles once more, as one piece, and says whether it differs.",
        )
        self.more = MoreSettings(
            "more_predict_button",
            PredictSpec(),
            only=("tile", "memory", "precision", "augment", "uncertainty", "samples", "scheduler"),
            beside=self.check_seams_button,
        )
        self.cells = MoreSettings(
            "cells_settings_button",
            CellsSpec(),
            title="How cells are told apart",
            why="Changes the cells that were found without running the network again.",
            back="Automatic again",
        )
        self.cells.hide()  # until there is a model of cells
        self._build()
        for what, made in self.buttons.items():
            made.clicked.connect(lambda _=False, what=what: self.predict_clicked.emit(what))
        self.cancel_button.clicked.connect(lambda: self.cancel_clicked.emit())
        self.check_seams_button.clicked.connect(lambda: self.check_clicked.emit())
        self.live_check.toggled.connect(self.live_toggled)
        self.output_combo.choice_changed.connect(self.output_changed)
        self.more.changed.connect(self.spec_changed)
        self.cells.changed.connect(self.cells_changed)
        self.set_progress(0, 1, "")

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(GAP)
        for i, made in enumerate(self.buttons.values()):
            grid.addWidget(made, i // 2, i % 2)
        form = form_layout()
        form.addRow(words("Show"), row_of((self.output_combo, 1), self.live_check))
        self.progress_bar.setFixedHeight(20)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 8)
        whole.setSpacing(5)
        whole.addLayout(grid)
        whole.addLayout(form)
        whole.addWidget(row_of((self.progress_bar, 1), self.cancel_button))
        whole.addWidget(self.cells)
        whole.addWidget(self.more)

    def set_outputs(self, outputs: Sequence[str]) -> None:
        """Offer kinds of output, the model's own first."""
        self.output_combo.set_choices([(name, name) for name in outputs])

    def set_stack(self, is_stack: bool) -> None:
        """Call the image what it is: a stack, or a single image."""
        self.buttons[STACK].setText("Whole stack" if is_stack else "Whole image")

    def set_progress(self, done: int, total: int, text: str) -> None:
        """Show how far it is; `text` stands in the bar."""
        bar, words = self.progress_bar, text.replace("%", "%%")
        if bar.maximum() != max(total, 1):  # each of these repaints the window at once, changed or not
            bar.setRange(0, max(total, 1))
        if bar.value() != done:
            bar.setValue(done)
        if bar.format() != words:
            bar.setFormat(words)
        if bar.isTextVisible() != bool(text):
            bar.setTextVisible(bool(text))

    def set_running(self, why_not_predict: str, why_not_all: str, why_not_cancel: str) -> None:
        """Enable what can be done now; what cannot says why."""
        for what, made in self.buttons.items():
            allow(made, why_not_predict or (why_not_all if what == IMAGES else ""))
        allow(self.check_seams_button, why_not_predict)
        allow(self.cancel_button, why_not_cancel)

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_annotrain._qt.combos import ItemCombo
from napari_annotrain._qt.compare import CompareBox
from napari_annotrain._qt.inside import InsideBox
from napari_annotrain._qt.layout import allow, button, faint_label, form_layout, row_of, words


class ModelsStep(QWidget):
    """Which model predicts, the earlier ones and those that come with the program, files, and what has changed."""

    open_clicked = Signal()
    save_clicked = Signal()
    model_chosen = Signal(object)
    changes_toggled = Signal(bool)
    inside_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model_combo = ItemCombo("model_combo", "none yet")
        self.model_combo.setProperty("tip", "The model that predicts, and from which training goes on.")
        self.open_button = button("open_model_button", "Open model...", "Takes a model that was saved before.")
        self.save_button = button("save_model_button", "Save model...", "Saves the model that predicts.")
        self.what_changed_button = button(
            "what_changed_button",
            "What changed",
            "Colours what is in view: green is new in the labels of this model, red is gone. Compared with what you\n"
            "accepted, or else with the model before. Press again to take the colours away.",
        )
        self.what_changed_button.setCheckable(True)
        self.changes_label = faint_label(name="changes_label")
        self.changes_label.hide()
        self.inside_button = button(
            "inside_button",
            "Look inside",
            "Shows what the network makes of the view on its way to the labels: feature maps of every level, and the\n"
            "filters of its first convolution. Press again to take them away.",
        )
        self.inside_button.setCheckable(True)
        self.inside = InsideBox()
        self.compare = CompareBox()
        form = form_layout()
        form.addRow(words("Model"), self.model_combo)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 8)
        whole.setSpacing(5)
        whole.addLayout(form)
        whole.addWidget(row_of((self.open_button, 1), (self.save_button, 1)))
        whole.addWidget(row_of((self.what_changed_button, 1), (self.inside_button, 1)))
        whole.addWidget(self.changes_label)
        whole.addWidget(self.inside)
        whole.addWidget(self.compare)
        self.open_button.clicked.connect(lambda: self.open_clicked.emit())
        self.save_button.clicked.connect(lambda: self.save_clicked.emit())
        self.what_changed_button.toggled.connect(self.changes_toggled)
        self.inside_button.toggled.connect(self.inside_toggled)
        self.model_combo.item_changed.connect(self.model_chosen)

    def set_changes(self, text: str) -> None:
        """Say what has changed."""
        self.changes_label.setText(text)
        self.changes_label.setVisible(bool(text))

    def set_models(self, models: Sequence[tuple[str, Any]], chosen: Any) -> None:
        """Offer models, and show which one predicts; nothing is told."""
        self.model_combo.show_items(models, chosen)

    def set_running(self, running: str, why_not_save: str, why_not_compare: str, why_not_look: str) -> None:
        """Enable what can be done now; what cannot says why."""
        allow(self.model_combo, running)
        allow(self.open_button, "Wait until the run has ended." if running else "")
        allow(self.save_button, why_not_save)
        allow(self.what_changed_button, why_not_compare)
        allow(self.inside_button, why_not_look)

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from napari_annotrain._qt.combos import ItemCombo
from napari_annotrain._qt.layout import faint_label, form_layout, row_of, words


class ImageStep(QWidget):
    """Which image, what its axes are, and which images are trained on together."""

    image_changed = Signal(object)
    axes_edited = Signal(str)
    training_ticked = Signal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image_combo = ItemCombo("image_combo", empty="(no image open)")
        self.image_combo.setToolTip("The image layer to annotate and to predict. With one image it is chosen already.")
        self.axes_edit = QLineEdit()
        self.axes_edit.setObjectName("axes_edit")
        self.axes_edit.setFixedWidth(64)
        self.axes_edit.setToolTip(
            "One letter for each dimension: T time, Z depth, C channel, Y and X.\n"
            "Guessed from the layer; change it where the guess is wrong (CYX instead of ZYX, say)."
        )
        self.size_label = faint_label()
        self.training_list = QListWidget()
        self.training_list.setObjectName("training_list")
        self.training_list.setToolTip("Images that have an annotation; the ticked ones are trained on together.")
        self._objects: list[Any] = []
        self._training = QWidget()
        self._build()
        self.image_combo.item_changed.connect(self.image_changed)
        self.axes_edit.editingFinished.connect(lambda: self.axes_edited.emit(self.axes_edit.text()))
        self.training_list.itemChanged.connect(self._ticked)
        self.set_training([])

    def _build(self) -> None:
        form: QFormLayout = form_layout()
        form.addRow(words("Image"), self.image_combo)
        form.addRow(words("Axes"), row_of(self.axes_edit, (self.size_label, 1)))
        column = QVBoxLayout(self._training)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(3)
        column.addWidget(QLabel("Train on these images together"))
        column.addWidget(self.training_list)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(4, 2, 4, 8)
        whole.addLayout(form)
        whole.addWidget(self._training)

    def set_axes(self, axes: str, words: str, problem: bool = False) -> None:
        """Show the axes in use and, in words, the size of the image."""
        with QSignalBlocker(self.axes_edit):
            self.axes_edit.setText(axes)
        self.axes_edit.setEnabled(bool(axes))
        self.size_label.setProperty("problem", problem)
        self.size_label.setText(words)
        self.size_label.style().polish(self.size_label)

    def set_training(self, rows: Sequence[tuple[str, Any, bool]]) -> None:
        """Show the images that could be trained on: name, object, ticked. Hidden unless there are two."""
        with QSignalBlocker(self.training_list):
            self.training_list.clear()
            self._objects = [thing for _, thing, _ in rows]
            for name, _, ticked in rows:
                item = QListWidgetItem(name)
                item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled)
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
                self.training_list.addItem(item)
        self.training_list.setFixedHeight(6 + 22 * min(max(len(rows), 1), 4))
        self._training.setVisible(len(rows) > 1)

    def _ticked(self, item: QListWidgetItem) -> None:
        thing = self._objects[self.training_list.row(item)]
        self.training_ticked.emit(thing, item.checkState() == Qt.CheckState.Checked)

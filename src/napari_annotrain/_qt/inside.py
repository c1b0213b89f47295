from collections.abc import Hashable, Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from napari_annotrain._qt.combos import ChoiceCombo
from napari_annotrain._qt.fold import WheelGuard
from napari_annotrain._qt.layout import column_of, faint_label, form_layout, words


class InsideBox(QWidget):
    """Which feature map of the network is shown: its level, and its number.

    Signals
    -------
    level_changed
        The key of a level.
    map_changed
        The number of a map of it, from 0.
    """

    level_changed = Signal(object)
    map_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inside_box")
        self.level_combo = ChoiceCombo("inside_level_combo")
        self.level_combo.setProperty("tip", "From the image (down 1) through the bottom to the result (up 1).")
        self.map_spin = QSpinBox()
        self.map_spin.setObjectName("inside_map_spin")
        self.map_spin.setProperty("tip", "Maps that differ most from place to place come first.")
        self.map_spin.setMinimum(1)
        self.map_spin.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.map_spin.installEventFilter(WheelGuard(self))
        self.map_spin.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.words_label = faint_label(name="inside_label")
        form = form_layout()
        form.addRow(words("Level"), self.level_combo)
        form.addRow(words("Map"), self.map_spin)
        self._fields = QWidget()
        self._fields.setLayout(form)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(column_of(self._fields, self.words_label))
        self.level_combo.choice_changed.connect(self.level_changed)
        self.map_spin.valueChanged.connect(lambda number: self.map_changed.emit(number - 1))
        self.show_nothing("")

    def show_nothing(self, text: str) -> None:
        """Offer nothing; the words say why."""
        self._fields.hide()
        self.show_words(text)

    def show_levels(self, levels: Sequence[tuple[Hashable, str]], chosen: Hashable) -> None:
        """Offer the levels of a network, with this one chosen; nothing is told."""
        with QSignalBlocker(self.level_combo):
            self.level_combo.set_choices(levels)
            self.level_combo.choose(chosen)
        self._fields.show()

    def show_maps(self, n: int, chosen: int) -> None:
        """Offer so many maps, with this one chosen, from 0; nothing is told. None: there is nothing to choose from."""
        with QSignalBlocker(self.map_spin):
            self.map_spin.setMaximum(max(1, n))
            self.map_spin.setValue(chosen + 1)
            self.map_spin.setSuffix(f" of {n}" if n else "")
        self.map_spin.setEnabled(n > 1)

    def show_words(self, text: str) -> None:
        """Say what is shown."""
        self.words_label.setText(text)
        self.setVisible(bool(text) or not self._fields.isHidden())

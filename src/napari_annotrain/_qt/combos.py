from collections.abc import Hashable, Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget


class ItemCombo(QComboBox):
    """A combo of named objects that follows the object, not its name or place.

    Renaming or moving the chosen object changes what is shown, not what is chosen. `item_changed` carries the new
    object, or None.
    """

    item_changed = Signal(object)

    def __init__(self, name: str, empty: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setPlaceholderText(empty)
        self._items: list[Any] = []
        self._current: Any = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.currentIndexChanged.connect(self._picked)
        self.set_items([])

    def set_items(self, items: Sequence[tuple[str, Any]], prefer: Any = None) -> None:
        """Offer other objects; when the present one is not among them, `prefer` is chosen, or nothing."""
        objects = [thing for _, thing in items]
        new = _first(objects, self._current)
        if new is None:
            new = _first(objects, prefer)
        with QSignalBlocker(self):
            self.clear()
            self._items = objects
            for text, _ in items:
                self.addItem(text)
            self.setCurrentIndex(self._index(new))
        self._set(new)

    def show_items(self, items: Sequence[tuple[str, Any]], chosen: Any) -> None:
        """Offer other objects with this one chosen; nothing is told, and a list that is folded out stays as it is."""
        texts = [self.itemText(i) for i in range(self.count())]
        same = len(items) == len(self._items) and all(a is b for a, (_, b) in zip(self._items, items, strict=True))
        if same and chosen is self._current and texts == [text for text, _ in items]:
            return
        with QSignalBlocker(self):
            self._current = chosen
            self.set_items(items)

    def item(self) -> Any:
        """The chosen object, or None."""
        return self._current

    def choose(self, thing: Any) -> None:
        """Choose an object that is offered; None, or one that is not, chooses nothing."""
        self.setCurrentIndex(self._index(thing))

    def _picked(self, index: int) -> None:
        self._set(self._items[index] if 0 <= index < len(self._items) else None)

    def _index(self, thing: Any) -> int:
        return next((i for i, other in enumerate(self._items) if other is thing), -1)

    def _set(self, thing: Any) -> None:
        if thing is not self._current:
            self._current = thing
            self.item_changed.emit(thing)


class ChoiceCombo(QComboBox):
    """A combo of values with words for them."""

    choice_changed = Signal(object)

    def __init__(self, name: str, choices: Sequence[tuple[Hashable, str]] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(5)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.currentIndexChanged.connect(lambda index: self.choice_changed.emit(self.itemData(index)))
        self.set_choices(choices)

    def set_choices(self, choices: Sequence[tuple[Hashable, str]]) -> None:
        """Offer other values; the present one stays chosen where it is among them, else the first."""
        before = self.choice()
        with QSignalBlocker(self):
            self.clear()
            for value, words in choices:
                self.addItem(words, value)
            self.choose(before)
        if self.choice() != before:
            self.choice_changed.emit(self.choice())

    def choice(self) -> Any:
        """The chosen value, or None."""
        return self.currentData()

    def choose(self, value: Any) -> None:
        """Choose a value that is offered; one that is not leaves things as they are."""
        for index in range(self.count()):
            if self.itemData(index) == value:
                self.setCurrentIndex(index)
                return


def _first(objects: Sequence[Any], wanted: Any) -> Any:
    return next((thing for thing in objects if thing is wanted), None) if wanted is not None else None

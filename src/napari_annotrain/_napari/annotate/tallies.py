from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari.layers import Labels

from napari_annotrain._napari.annotate.tally import Tally

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Annotation of more pixels is not searched from end to end before training.
LARGE_ANNOTATION = 1 << 28


class Tallies:
    """The running counts of what is painted, one of each layer that is painted on."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._of: WeakKeyDictionary[Labels, Tally] = WeakKeyDictionary()

    def of(self, labels: Labels) -> Tally:
        """The running count of a labels layer."""
        if labels not in self._of:
            made = Tally(labels, empty=labels in self._c.roster.blank)
            self._c.roster.blank.discard(labels)
            made.counted.connect(self._c.refresh)
            made.touched.connect(self._c.guarded(self._c.keeping.begin))
            self._of[labels] = made
        return self._of[labels]

    def painted(self) -> dict[int, int]:
        """Pixels by annotation value over the images that are trained on."""
        total: dict[int, int] = {}
        roster = self._c.roster
        ticked: list[Any] = [roster.annotation(image) for image, ticked in roster.candidates() if ticked]
        for labels in {id(la): la for la in (*ticked, self._c.annotation) if la is not None}.values():
            for value, n in self.of(labels).counts().items():
                total[value] = total.get(value, 0) + n
        return total

    def painted_planes(self, labels: Labels) -> Iterable[tuple[int, ...]] | None:
        """Planes that hold paint, where reading the whole layer to find them would take long; else None."""
        return self.of(labels).planes() if labels.data.size > LARGE_ANNOTATION else None

    def close(self) -> None:
        """Count no more."""
        for tally in self._of.values():
            tally.close()
        self._of.clear()

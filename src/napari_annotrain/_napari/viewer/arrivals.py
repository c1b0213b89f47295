from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from napari.layers import Image, Labels
from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class Arrivals:
    """Images that are opened beside the chosen one: it is said, and one is chosen where nothing was done on that.

    Images that come together, such as the channels of a file, count as one arrival. If something was refused since they
    came, the reason stays instead.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._known: WeakSet[Image] = WeakSet()
        self._new: WeakSet[Image] = WeakSet()
        self._problems_before = 0
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(controller.guarded(self._tell))

    def look(self, images: list[Image]) -> None:
        """Note which images are in the window."""
        new = [image for image in images if image not in self._known]
        self._known.update(new)
        if new:
            if not self._new:
                self._problems_before = self._c.n_problems
            self._new.update(new)
            self._soon.start(0)

    def close(self) -> None:
        """Look no more."""
        with suppress(RuntimeError):  # Qt may have gone before us
            self._soon.stop()
        self._new.clear()

    def _tell(self) -> None:
        c = self._c
        new = [image for image in c.roster.images() if image in self._new and not c.keeping.knows(image)]
        together = c.image in self._new
        self._new.clear()
        if c.panel is None or c.image is None or not new or new == [c.image]:
            return
        if together:
            self._say(f"{c.image.name} is chosen: choose another image in step 1 to work on that.")
        elif self._nothing_was_done():
            c.panel.image.image_combo.choose(new[0])
            self._say(f"{new[0].name} is chosen now: choose another image in step 1 to work on that.")
        else:
            self._say(f"{new[0].name} is open too: choose it in step 1 to work on it instead of {c.image.name}.")

    def _nothing_was_done(self) -> bool:
        """Whether nobody has begun to work on the chosen image; of one that is to become another, who knows."""
        c = self._c
        labels = any(isinstance(layer, Labels) for layer in c.roster.viewer.layers)
        return c.session.activity == "idle" and not labels and not c.image_target.on

    def _say(self, words: str) -> None:
        c, image = self._c, self._c.image
        if c.n_problems == self._problems_before:
            c.say(words, as_long_as=lambda: c.image is image)

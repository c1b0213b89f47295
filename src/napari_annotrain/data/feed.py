"""What is painted while a training goes on, on its way there."""

from dataclasses import dataclass, replace
from threading import Lock

from napari_annotrain.data.annotation import AnnotatedImage, PlaneBox

#: T, Z and the box in that plane.
Painted = tuple[int, int, PlaneBox]


@dataclass(frozen=True)
class Repainted:
    """An image on which something was painted or erased since it was read.

    Attributes
    ----------
    index
        Its place among the images that the training was started with.
    image
        With the annotation as it is now; its array must not change while it is read.
    boxes
        Where it has changed.
    """

    index: int
    image: AnnotatedImage
    boxes: tuple[Painted, ...]


class Feed:
    """Carries what is painted from whoever paints to a training that goes on; any thread may use it.

    Attributes
    ----------
    endless
        Whether the training goes on beyond its limit, until it is stopped. May be changed while it runs.
    """

    def __init__(self, endless: bool = False) -> None:
        self.endless = endless
        self._lock = Lock()
        self._waiting: dict[int, Repainted] = {}

    def put(self, painted: Repainted) -> None:
        """Send what has changed; of an image that waits already, the newest annotation counts."""
        with self._lock:
            before = self._waiting.get(painted.index)
            if before is not None:
                painted = replace(painted, boxes=before.boxes + painted.boxes)
            self._waiting[painted.index] = painted

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._waiting)

    def take(self) -> tuple[Repainted, ...]:
        """Receive all that has changed since this was last called."""
        with self._lock:
            taken, self._waiting = tuple(self._waiting.values()), {}
        return taken

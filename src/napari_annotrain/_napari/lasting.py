"""How long sentences of the status line are true: conditions for `Controller.say`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


def as_painted(controller: "Controller") -> Callable[[], bool]:
    """Whether the annotation is as it is now: what "Ctrl+Z takes it back" says is over with the undo or a stroke."""
    layer = controller.annotation
    if layer is None:
        return lambda: controller.annotation is None
    before = controller.tallies.of(layer).count_now()

    def holds() -> bool:
        tally = controller.tallies.of(layer)
        return controller.annotation is layer and (tally.counting or tally.counts() == before)

    return holds


def unchanged(controller: "Controller") -> Callable[[], bool]:
    """Whether image, annotation, prediction and model are those of now: why something cannot be done hangs on them."""

    def now() -> tuple[object, ...]:
        image = controller.image
        result = None if image is None else controller.roster.result(image)
        return image, controller.annotation, result, controller.session.model

    before = now()
    return lambda: all(a is b for a, b in zip(before, now(), strict=True))


def unpredicted(controller: "Controller") -> Callable[[], bool]:
    """Whether the image that is chosen now has no prediction yet."""
    image = controller.image
    return lambda: controller.image is image and (image is None or controller.roster.result(image) is None)

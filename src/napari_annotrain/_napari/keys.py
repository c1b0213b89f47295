from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from napari_annotrain._qt.predict import VIEW

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Keys napari itself leaves free on images and labels (V hides layers, 1 to 7 are its painting modes).
TRAIN, PREDICT_VIEW, REGION = "T", "W", "R"
ACCEPT, WHERE_NEXT = "A", "N"
#: Napari's own key for the next label, which does not know that 1 is background.
NEXT_CELL_KEY = "M"


def label_key(value: int) -> str:
    """Key that selects an annotation value; empty beyond nine."""
    return f"Alt-{value}" if 1 <= value <= 9 else ""


def bind_keys(viewer: Any, controller: "Controller") -> None:
    """Give the panel its keys."""
    known = ref(controller)

    def command(choose: Callable[["Controller"], Callable[..., None]], *args: Any) -> Callable[[Any], None]:
        def run(_: Any) -> None:
            present = known()
            if present is not None and present.panel is not None:
                present.guarded(choose(present))(*args)

        return run

    viewer.bind_key(TRAIN, command(lambda c: c.train.start), overwrite=True)
    viewer.bind_key(PREDICT_VIEW, command(lambda c: c.predict.start, VIEW), overwrite=True)
    viewer.bind_key(REGION, command(lambda c: c.paint.draw_region), overwrite=True)
    viewer.bind_key(ACCEPT, command(lambda c: c.accept.here), overwrite=True)
    viewer.bind_key(WHERE_NEXT, command(lambda c: c.doubts.next), overwrite=True)
    for value in range(1, 10):
        viewer.bind_key(label_key(value), command(lambda c: c.paint.select_value, value), overwrite=True)


def unbind_keys(viewer: Any) -> None:
    """Take the keys back."""
    for key in (TRAIN, PREDICT_VIEW, REGION, ACCEPT, WHERE_NEXT, *(label_key(value) for value in range(1, 10))):
        viewer.bind_key(key, None)

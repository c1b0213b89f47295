from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Keys napari itself leaves free on images and labels (V hides layers, 1 to 7 are its painting modes).
TRAIN, PREDICT_VIEW, REGION = "T", "W", "R"


def label_key(value: int) -> str:
    """Key that selects an annotation value; empty beyond nine."""
    return f"Alt-{value}" if 1 <= value <= 9 else ""


def bind_keys(viewer: Any, controller: "Controller") -> None:
    """Give the panel its keys."""
    known = ref(controller)

    def command(name: str, *args: Any) -> Any:
        def run(_: Any) -> None:
            present = known()
            if present is not None and present.panel is not None:
                present.guarded(getattr(present, name))(*args)

        return run

    viewer.bind_key(TRAIN, command("press_train"), overwrite=True)
    viewer.bind_key(PREDICT_VIEW, command("press_view"), overwrite=True)
    viewer.bind_key(REGION, command("draw_region"), overwrite=True)
    for value in range(1, 10):
        viewer.bind_key(label_key(value), command("select_value", value), overwrite=True)


def unbind_keys(viewer: Any) -> None:
    """Take the keys back."""
    for key in (TRAIN, PREDICT_VIEW, REGION, *(label_key(value) for value in range(1, 10))):
        viewer.bind_key(key, None)

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from napari import Viewer
from napari.settings import get_settings
from napari.utils.action_manager import action_manager
from qtpy.QtWidgets import QAbstractButton

from napari_annotrain._napari.viewer.view import unwrap
from napari_annotrain._qt.panel import Panel
from napari_annotrain._qt.predict import STACK, VIEW
from napari_annotrain._qt.tools import ACCEPT, DELETE, FILL, MERGE, SPLIT

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Napari's own key for the next label, which does not know that 1 is background.
NEXT_CELL_KEY = "M"
#: What the names of actions begin with.
ACTION = "napari-annotrain:"
#: Values that have a key.
VALUES = range(1, 10)


class Key(NamedTuple):
    """A key, as napari writes it; what it does; the name of its action; the button that it presses."""

    key: str
    words: str
    name: str
    button: Callable[[Panel], QAbstractButton]


#: The whole loop without a mouse but for the strokes. Napari leaves these keys free in a window, on images and on
#: labels; `claim` takes the two that it uses on shapes.
KEYS: tuple[Key, ...] = (
    Key("Shift-N", "New layer to paint on", "new_layer", lambda p: p.annotate.new_annotation_button),
    Key("R", "Draw a complete region", "region", lambda p: p.annotate.complete_region_button),
    Key("T", "Train", "train", lambda p: p.train.train_button),
    Key("Q", "Stop training, or cancel what else goes on", "stop", lambda p: _going_on(p)),
    Key("W", "Predict what I see", "predict_view", lambda p: p.predict.buttons[VIEW]),
    Key("Shift-W", "Predict the whole stack", "predict_stack", lambda p: p.predict.buttons[STACK]),
    Key("A", "Accept the prediction in view", "accept", lambda p: p.annotate.accept_view_button),
    Key("O", "Accept objects by clicks, on or off", "accept_object", lambda p: p.annotate.tools.buttons[ACCEPT]),
    Key("N", "Where next?", "where_next", lambda p: p.annotate.where_next_button),
    Key("U", "Suspect labels", "suspects", lambda p: p.annotate.suspects_button),
    Key("J", "Merge cells, on or off", "merge", lambda p: p.annotate.tools.buttons[MERGE]),
    Key("K", "Split a cell, on or off", "split", lambda p: p.annotate.tools.buttons[SPLIT]),
    Key("D", "Delete cells, on or off", "delete", lambda p: p.annotate.tools.buttons[DELETE]),
    Key("H", "Fill holes in cells, on or off", "fill_holes", lambda p: p.annotate.tools.buttons[FILL]),
    Key("Shift-M", "Measure", "measure", lambda p: p.measure.measure_button),
)
#: Keys that are not for napari's Preferences: its own ones, or those of a list.
OTHERS = (
    (NEXT_CELL_KEY, "Paint the next cell (where you paint cells)"),
    ("1 or E", "Eraser, with the annotation selected"),
    ("2 or P", "Brush, with the annotation selected"),
    ("[ and ]", "Smaller and larger brush"),
    ("Escape", "Put a tool down"),
    ("Delete", "In the list of suspect labels: not annotated"),
    ("Ctrl+Z", "Take the last stroke back"),
)
_served: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()


def label_key(value: int) -> str:
    """Key that selects an annotation value; empty beyond nine."""
    return f"Alt-{value}" if value in VALUES else ""


def all_keys() -> list[tuple[str, str]]:
    """Every key and what it does, as people write it; for the panel and the documentation."""
    own = [(" or ".join(in_words(str(one)) for one in _chosen(key)) or "none", key.words) for key in KEYS]
    return [*own, ("Alt+1 to Alt+9", "Paint with this value: 1 is background, 2 the first class"), *OTHERS]


def in_words(key: str) -> str:
    """A key of napari as people write it: "Alt+1"."""
    return key.replace("-", "+")


def bind_keys(viewer: Any, controller: "Controller") -> None:
    """Give the panel of a viewer its keys; they stand in Preferences > Shortcuts, where the user may change them."""
    _served[viewer] = ref(controller)
    for key in KEYS:
        _register(key.name, key.key, key.words, partial(_press, key))
    for value in VALUES:
        words = f"Paint {'background' if value == 1 else f'class {value - 1}'}"
        _register(f"paint_{value}", label_key(value), words, partial(_select, value))
    if controller.panel is not None:
        for key in KEYS:
            _tell(key, controller.panel)


def unbind_keys(viewer: Any) -> None:
    """Let the keys do nothing in a viewer."""
    _served.pop(viewer, None)


def claim(layer: Any, controller: "Controller") -> None:
    """Let T and A train and accept on a layer of shapes, too, where napari draws a path and selects all."""
    for key in KEYS:
        if key.name in ("train", "accept"):
            layer.bind_key(key.key, lambda _, key=key: controller.guarded(_press)(key, controller), overwrite=True)


def _register(name: str, key: str, words: str, command: Callable[["Controller"], None]) -> None:
    def run(viewer: Viewer) -> None:
        controller = _served.get(unwrap(viewer), lambda: None)()
        if controller is not None and controller.panel is not None:
            controller.guarded(command)(controller)

    action = ACTION + name
    action_manager.register_action(action, run, f"Annotrain: {words}", Viewer)
    if action not in get_settings().shortcuts.shortcuts:  # else the user chose another one
        action_manager.bind_shortcut(action, key)


def _press(key: Key, controller: "Controller") -> None:
    """Press the button of a key, or say why it is grey."""
    assert controller.panel is not None
    controller.refresh()  # what was painted a moment ago counts
    button = key.button(controller.panel)
    if button.isEnabled():
        button.click()
    else:
        controller.say(button.toolTip())


def _select(value: int, controller: "Controller") -> None:
    controller.paint.select_value(value)


def _chosen(key: Key) -> list[Any]:
    """The keys that the user gave to an action, or the one it came with."""
    return list(get_settings().shortcuts.shortcuts.get(ACTION + key.name, [key.key]))


def _ending(panel: Panel) -> list[QAbstractButton]:
    return [panel.train.stop_button, panel.predict.cancel_button, panel.measure.cancel_button]


def _going_on(panel: Panel) -> QAbstractButton:
    return next((button for button in _ending(panel) if button.isEnabled()), panel.train.stop_button)


def _tell(key: Key, panel: Panel) -> None:
    """Let the tooltips of the buttons name their key."""
    chosen = _chosen(key) or ["none"]
    for button in _ending(panel) if key.name == "stop" else [key.button(panel)]:
        tip = str(button.property("tip"))
        if "(key " not in tip:
            button.setProperty("tip", f"{tip} (key {in_words(str(chosen[0]))})")

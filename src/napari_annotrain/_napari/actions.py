from typing import Any

from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_annotrain._napari.controller import Controller, controller_of
from napari_annotrain._qt.predict import VIEW

TITLE = "Annotrain"


def new_annotation_layer(viewer: Viewer) -> None:
    """Add a layer to paint on, over the selected image."""
    controller = _with_panel(viewer)
    controller.guarded(controller.paint.new_annotation)()


def predict_view(viewer: Viewer) -> None:
    """Predict what is seen with the present model."""
    controller = _with_panel(viewer)
    controller.guarded(controller.predict.start)(VIEW)
    if controller.session.model is None:
        show_info(controller.session.status)


def _with_panel(viewer: Any) -> Controller:
    """Open the panel where it is not open: what happens is said there."""
    controller = controller_of(viewer)
    if controller.panel is None:
        viewer.window.add_plugin_dock_widget("napari-annotrain", TITLE)
    selected = [la for la in controller.roster.images() if la in controller.roster.viewer.layers.selection]
    if selected and controller.panel is not None:
        controller.panel.image.image_combo.choose(selected[-1])
    return controller

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_annotrain._napari.predict.known import Known
from napari_annotrain.session import Trained
from napari_annotrain.specs import CellsSpec, PredictSpec

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Milliseconds after the last change of how cells are told apart.
SOON_MS = 250
NO_THRESHOLD = "A model of classes gives every pixel its likeliest class: there is no threshold."

NO_UNCERTAINTY = "This says how uncertainty is measured: choose uncertainty under Show first."
NO_SAMPLES = "Networks are drawn by dropout only where uncertainty is shown that dropout measures."


def is_cells(trained: Trained, output: str | None) -> bool:
    """Whether a model gives cells where this output is asked for."""
    return (output or trained.model.card.target) == "cells"


class PredictSettings:
    """What is predicted of the present image, and how."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.live = False
        self._target = ""  # what the last model was trained for
        self._known = Known()  # what looking around need not predict again
        self._kept: Any = None  # what the network made of cells, to tell them apart otherwise
        self._last: tuple[Any, Any] | None = None  # the cells predicted last to the end: their order and model
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(controller.guarded(self.tell_apart))

    def look(self) -> None:
        """Predict the view again, if that is wanted and it has changed."""
        raise NotImplementedError

    def tell_apart(self) -> None:
        """Tell the cells of the last prediction apart again."""
        raise NotImplementedError

    def tell_apart_soon(self) -> None:
        """The same, once nothing has been changed for a moment."""
        self._soon.start()

    def wait_no_longer(self) -> None:
        """Forget what was to be told apart, and what is kept for it."""
        self._soon.stop()
        self._kept = self._last = None
        self._known.forget()

    def show_outputs(self) -> None:
        """Offer the outputs the present model can give."""
        panel, model = self._c.panel, self._c.session.model
        if panel is None or model is None:
            return
        target = model.model.card.target
        own_first = {"cells": ["cells", "classes"], "image": ["image"]}.get(target, ["classes", "cells"])
        panel.predict.set_outputs([*own_first, *(["probabilities", "uncertainty"] if target != "image" else [])])
        if target != self._target:
            self._target = target
            panel.predict.output_combo.choose(own_first[0])
        self.set_output(panel.predict.output_combo.choice())

    def set_output(self, output: Any) -> None:
        """Show another kind of result."""
        session = self._c.session
        session.predict = session.predict.model_copy(update={"output": output})
        if self._c.panel is not None:
            settings = self._c.panel.predict.cells
            settings.setVisible(self._gives_cells())
            knows = session.model is not None and session.model.model.card.target == "cells"
            settings.refuse({} if knows else {"threshold": NO_THRESHOLD})
            self._refuse_settings()
        self.forget_view()
        self.look()

    def _refuse_settings(self) -> None:
        """Grey out what would change nothing with this output."""
        panel, spec = self._c.panel, self._c.session.predict
        if panel is None:
            return
        why = {}
        if spec.output != "uncertainty":
            why["uncertainty"] = NO_UNCERTAINTY
        if why or spec.uncertainty != "dropout":
            why["samples"] = NO_SAMPLES
        panel.predict.more.refuse(why)

    def set_spec(self, spec: PredictSpec) -> None:
        """Predict with other settings; what is shown, where it is computed and cells are chosen elsewhere."""
        session = self._c.session
        kept = {name: getattr(session.predict, name) for name in ("output", "device", "cells")}
        session.predict = spec.model_copy(update=kept)
        self._refuse_settings()
        self.forget_view()

    def set_cells(self, spec: CellsSpec) -> None:
        """Tell cells apart in another way; those that are shown follow soon, without the network."""
        self._c.session.predict = self._c.session.predict.model_copy(update={"cells": spec})
        self.forget_view()
        self.tell_apart_soon()

    def _gives_cells(self) -> bool:
        session = self._c.session
        return session.model is not None and is_cells(session.model, session.predict.output)

    def set_live(self, live: bool) -> None:
        """Follow the view, or not."""
        self.live = live
        watch = self._c.watch
        if watch is not None:
            watch.enabled = live
        self.look()

    def forget_view(self) -> None:
        """The next look predicts even where the view has not moved, and wherever it was before."""
        self._known.forget()

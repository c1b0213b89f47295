from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from napari_annotrain._napari import engine
from napari_annotrain.session import Trained, why_not_compare, why_not_predict

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

_FILES = "Models (*.safetensors)"


class ModelsFlow:
    """Which model predicts: an earlier one, one that comes with the program, one from a file."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller

    def choose(self, chosen: Any) -> None:
        """Predict with an earlier model, or with a shipped one by its name; what is seen is predicted at once."""
        c = self._c
        if chosen is None or chosen is c.session.model:
            return
        if isinstance(chosen, str):
            self.use(Trained(chosen, engine.load().load_model(chosen)))
            c.say(f"{chosen} predicts now, and training would start from it.")
        else:
            c.session.go_back(chosen)
            c.train.choose_base()
            c.predict.show_outputs()
            c.say(f"{chosen.name} predicts now, and training would go on from it.")
        if c.image is not None:
            c.predict.after_training()
        c.refresh()

    def save(self) -> None:
        """Ask for a file and save the model that predicts."""
        model = self._c.session.model
        if model is None or self._c.panel is None:
            return
        path, _ = QFileDialog.getSaveFileName(self._c.panel, "Save model", f"{model.name}.safetensors", _FILES)
        if path:
            target = Path(path) if Path(path).suffix else Path(path + ".safetensors")
            engine.load().save_model(model.model, target)
            self._c.say(f"Saved {model.name} as {target.name}.")

    def open(self) -> None:
        """Ask for a file and predict with the model in it."""
        if self._c.panel is None:
            return
        path, _ = QFileDialog.getOpenFileName(self._c.panel, "Open model", "", _FILES)
        if path:
            self.use(Trained(Path(path).stem, engine.load().load_model(path)))

    def use(self, trained: Trained) -> None:
        """Predict with a model that came from elsewhere."""
        c = self._c
        c.session.keep(trained)
        names = getattr(trained.model.card, "class_names", None)
        if names and trained.model.card.target == "classes":
            c.session.name_classes(names)
        c.train.choose_base()
        c.predict.show_outputs()
        c.say(f"{trained.name} is open: press What I see.")
        c.refresh()

    def show(self, running: str) -> None:
        """Offer the models of the session, newest first, and those that come with the program."""
        c = self._c
        if c.panel is None:
            return
        models: list[tuple[str, Any]] = [(one.in_words(), one) for one in c.session.models[::-1]]
        taken = {one.name for one in c.session.models}
        models += [(f"{name} · comes with Annotrain", name) for name in c.train.bases if name not in taken]
        c.panel.models.set_models(models, c.session.model)
        facts = c.facts()
        no_model = "" if facts.trained else "There is no model yet."
        no_changes = "" if c.changes.on else why_not_compare(facts)
        c.panel.models.set_running(running, no_model, no_changes, "" if c.inside.on else why_not_predict(facts))
        c.inside.follow()
        model = c.session.model
        words = f"{model.in_words()} predicts" if model is not None else "none yet"
        c.panel.set_summary("Models", words)

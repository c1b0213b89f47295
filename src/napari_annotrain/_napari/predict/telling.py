from typing import TYPE_CHECKING

from napari_annotrain._napari.predict.progress import Progress
from napari_annotrain._napari.runs.events import Advanced
from napari_annotrain.events import Event

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class Telling:
    """Tells in the panel how far a prediction is: the bar, the summary, and the status line where it `speaks`."""

    def __init__(self, controller: "Controller", progress: Progress, speaks: bool = False) -> None:
        self._c = controller
        self._progress, self._speaks = progress, speaks
        self._measuring = self._status = ""  # what the status line says while it measures, and what it said before

    def begin(self) -> None:
        """Empty the bar."""
        if self._c.panel is not None:
            self._c.panel.predict.set_progress(0, 1, "")

    def take(self, event: Event) -> None:
        """Tell of one event, which the progress has read."""
        self._say_measuring()
        words = self._progress.saying(event) if self._speaks else ""
        if words:
            self._c.say(words)
        if isinstance(event, Advanced):
            self._show_progress()

    def end(self, stopped: bool, cancelled: bool) -> None:
        """Say what came of it."""
        if self._progress.failed:
            self._c.say(self._progress.failed_words(), problem=True)
        elif self._speaks or cancelled:
            self._c.say(self._progress.closing_words(stopped))
        self._show_end(not stopped and not self._progress.failed)

    def _say_measuring(self) -> None:
        """Say so while the intensity range is measured, and afterwards what the status line said before."""
        name, status = self._progress.measuring, self._c.session.status
        if name:
            self._status, self._measuring = status, f"Measuring the intensity range of {name} ..."
            self._c.say(self._measuring)
        elif self._measuring and status == self._measuring:
            self._c.say(self._status)
            self._measuring = ""

    def _show_progress(self) -> None:
        panel, words = self._c.panel, self._progress.words()
        if panel is not None:
            panel.predict.set_progress(*self._progress.bar(), words)
            panel.set_summary("Predict", f"{self._progress.what}: {words}")

    def _show_end(self, complete: bool) -> None:
        panel = self._c.panel
        if panel is None:
            return
        words = "done" if complete else "failed" if self._progress.failed else "stopped"
        panel.set_summary("Predict", f"{self._progress.what}: {words}")
        bar = panel.predict.progress_bar
        done, total = (1, 1) if complete else (bar.value(), bar.maximum())
        panel.predict.set_progress(done, total, words)

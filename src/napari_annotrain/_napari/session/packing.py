from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

from napari_annotrain._napari.runs.work import exporting
from napari_annotrain._qt.job import Job
from napari_annotrain.events import Event, Failed
from napari_annotrain.session.writer import SessionWriter

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class Packing:
    """Packs a session into one zip, for others.

    Parameters
    ----------
    wait
        Waits until all that was done is on the disk.
    """

    def __init__(self, controller: "Controller", wait: Callable[[], None]) -> None:
        self._c, self._wait = controller, wait
        self._job: Job | None = None

    def start(self, writer: SessionWriter, name: str) -> None:
        """Ask for a file and write everything into it; `name` is proposed."""
        path, _ = QFileDialog.getSaveFileName(self._c.panel, "Export session", f"{name}.zip", "Archives (*.zip)")
        if not path:
            return
        self._wait()
        target = Path(path if path.endswith(".zip") else path + ".zip")
        self._job = Job(lambda: exporting(writer, target), "annotrain-exporting")
        self._job.happened.connect(self._c.guarded(lambda event: self._exported(event, target)))
        self._c.say(f"Writing {target.name} ...")
        self._job.start()

    def close(self, seconds: float) -> None:
        """Wait at most so long for what is being written, and tell of it no more."""
        if self._job is not None:
            self._job.mute()
            self._job.join(seconds)
            self._job = None

    def _exported(self, event: Event, target: Path) -> None:
        if isinstance(event, Failed):
            self._c.say(event.sentence, problem=True)
        else:
            self._c.say(f"Wrote {target.name}: annotations, models, settings, and a paragraph for your methods.")

from typing import TYPE_CHECKING

from napari_annotrain._napari.runs.events import Ready
from napari_annotrain._napari.runs.work import warm_up
from napari_annotrain._qt.job import Job
from napari_annotrain.events import Event, Failed

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


class Loading:
    """The engine and torch, which are loaded in a thread when the first panel opens.

    Attributes
    ----------
    done
        Whether they are there.
    problem
        Why they are not, in a sentence; else empty.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self.done = False
        self.problem = ""
        self._job: Job | None = None

    def start(self) -> None:
        """Load what is not loaded yet."""
        if not self.done:
            self._job = Job(warm_up, "annotrain-loading")
            self._job.happened.connect(self._take)
            self._job.start()

    def close(self, seconds: float) -> None:
        """Tell nothing any more, and wait for the thread."""
        if self._job is not None:
            self._job.mute()
            self._job.join(seconds)
            self._job = None

    def _take(self, event: Event) -> None:
        c = self._c
        if isinstance(event, Ready):
            self.done, self.problem = True, ""
            c.train.devices, c.train.bases = event.devices, event.bases
            c.train.why_no_gpu = event.why_no_gpu
            c.train.show_settings()
            c.train.choose_base()  # what was chosen to learn before could not be given one
        elif isinstance(event, Failed):
            self.problem = event.sentence
            c.say(event.sentence, problem=True)
        c.refresh()

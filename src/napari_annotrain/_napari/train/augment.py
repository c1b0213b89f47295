from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from napari_annotrain._napari.runs.work import augmentation
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.lane import Lane, Run
from napari_annotrain._qt.palette import BACKGROUND, CLASSES
from napari_annotrain._qt.samples_window import SamplesWindow
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Done, Event, Failed
from napari_annotrain.session import why_not_weigh

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Rest after the last change of a setting.
SOON_MS = 150


class AugmentFlow:
    """A window with what training makes of an annotated place, which follows the settings."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._lane = Lane()
        self.window: SamplesWindow | None = None
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(controller.guarded(self.look))
        self._found: Any = None
        self._failed = ""
        controller.session.events.train.connect(self.soon)
        controller.session.events.target.connect(self.soon)

    @property
    def busy(self) -> bool:
        """Whether pictures are being computed, or are about to be."""
        return self._lane.busy or self._soon.isActive()

    def set_on(self, on: bool) -> None:
        """Open the window, or close it."""
        if not on:
            self._soon.stop()
            if self.window is not None:
                self.window.hide()
            return
        reason = why_not_weigh(self._c.facts())
        if reason:
            raise AnnotrainError(reason)
        if self.window is None and self._c.panel is not None:
            self.window = SamplesWindow(self._c.panel)
            self.window.closed.connect(self._closed)
        if self.window is not None:
            self.window.show()
        self.look()

    def close(self, seconds: float) -> None:
        """Stop, and wait at most so long."""
        self._soon.stop()
        self._lane.close(seconds)
        window, self.window = self.window, None
        if window is not None:
            window.hide()
            window.deleteLater()

    def soon(self, *_: object) -> None:
        """Draw anew, once nothing has been changed for a moment."""
        if self.window is not None and self.window.isVisible():
            self._soon.start()

    def look(self) -> None:
        """Draw what is annotated in the plane in view, or else anywhere."""
        c = self._c
        if c.image is None or self.window is None:
            return
        painted = c.roster.annotated(c.image, c.tallies.painted_planes)
        if painted is None:
            raise AnnotrainError(why_not_weigh(c.facts()))
        region = region_of(c.roster.viewer, c.image, c.roster.axes(c.image), whole=True)
        plane = None if region is None else (region[0].start, region[1].start)
        target, spec = c.session.target, c.session.train
        colours = [_rgb(BACKGROUND), *(_rgb(colour) for colour in CLASSES)]
        self._lane.start(
            Run(
                lambda: augmentation(painted, target, spec, plane, colours),
                self._begin,
                c.guarded(self._on_event),
                c.guarded(self._on_end),
                "annotrain-augmentation",
            )
        )

    def _begin(self) -> None:
        self._found, self._failed = None, ""

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Done):
            self._found = event.result
        elif isinstance(event, Failed):
            self._failed = event.sentence

    def _on_end(self, stopped: bool) -> None:
        if stopped or self.window is None:  # newer settings wait
            return
        if self._failed:
            self.window.say(self._failed, warns=True)
        elif self._found is not None:
            self.window.show_pictures(self._found.images, self._found.in_words(), self._found.warns)

    def _closed(self) -> None:
        if self._c.panel is not None:
            self._c.panel.train.augmentation_button.setChecked(False)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

import napari_annotrain
from napari_annotrain._napari import engine
from napari_annotrain._napari.session import kept_images
from napari_annotrain._napari.session.kept_images import KeptImage
from napari_annotrain._napari.session.mirror import Mirror
from napari_annotrain._napari.viewer.layers import label_axes
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import Trained
from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.listing import new_place
from napari_annotrain.session.sheet import Rows
from napari_annotrain.session.state import ModelState, SessionState, settings_of
from napari_annotrain.session.writer import SessionWriter

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: So long after a change everything but strokes is looked through for what to write.
SOON_MS = 300
log = logging.getLogger("napari_annotrain")
#: Longest wait for the disk before another session is opened.
WAIT_SECONDS = 20.0
#: Longest wait for the disk when the window closes.
CLOSING_SECONDS = 30.0


class _Relay(QObject):
    """Brings what the writing thread says to the main thread."""

    told = Signal(str)

    def tell(self, sentence: str) -> None:
        with suppress(RuntimeError):  # the window is closing
            self.told.emit(sentence)


class SessionKeeping:
    """Keeps what is done in the window in a session folder.

    A session begins by itself with the first stroke, region or model. Strokes go from the layers' tallies to the disk
    (`Mirror`); everything else is looked through after every change and written where it differs.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._writer: SessionWriter | None = None
        self._path: Path | None = None  # of the session of this viewer, open or not
        self._kept: list[KeptImage] = []
        self._files: WeakKeyDictionary[Trained, str] = WeakKeyDictionary()
        self._unread: dict[str, ModelState] = {}  # models that are in the folder and not in the memory (yet)
        self._saved = SessionState()
        self._problem = ""
        self._base = ""  # what training went on from, until the models of an opened session are read
        self._relay = _Relay()
        self._relay.told.connect(self._told)
        self._timer = QTimer(self._relay)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(controller.guarded(self._look))

    def attach(self) -> None:
        """Go on with the session of this viewer, if it has one."""
        if self._path is not None:
            try:
                self._open_writer(SessionFolder.open(self._path))
            except AnnotrainError as error:
                self._begin_anew()
                self._c.say(f"{error} What you do from now on goes to a new session.", problem=True)
            else:
                self._files = WeakKeyDictionary(
                    {one: file for one, file in self._files.items() if self._folder.model_path(file).exists()}
                )
        self.soon()

    def _begin_anew(self) -> None:
        """Forget the session folder, and nothing that is in the window."""
        self._path, self._saved = None, SessionState()
        self._files.clear()
        self._unread.clear()
        for one in self._kept:
            one.state, one.mirror = one.state.model_copy(update={"sheet": ""}), None

    def detach(self) -> None:
        """Write everything, then let another window open the session."""
        with suppress(RuntimeError):  # Qt may have gone before us
            self._timer.stop()
        try:
            if self._c.roster.viewer is not None:
                self._keep()
        except Exception as error:  # a disk that refuses: what is being kept is still closed in order
            log.error("What was new could not be kept.", exc_info=error)
        if self._writer is None:
            return
        try:
            self._finish()
        finally:
            for one in self._kept:
                one.mirror = None
            writer, self._writer = self._writer, None
            writer.close(CLOSING_SECONDS)

    def _finish(self) -> None:
        """Send what was painted to the writer, and follow it no longer."""
        for one in self._kept:
            if one.mirror is None:
                continue
            try:
                one.mirror.finish()
                one.mirror.close()
            except (RuntimeError, TypeError):  # Qt has taken the tally before us
                log.debug("A layer is followed no longer.", exc_info=True)
            except Exception as error:  # data that can no longer be read: the others are kept all the same
                log.error("What was painted could not be read.", exc_info=error)

    def _wait(self) -> None:
        """Wait until all that was done is on the disk.

        Raises
        ------
        AnnotrainError
            It cannot be written at the moment.
        """
        if self._writer is None:
            return
        self._keep()
        for one in self._kept:
            if one.mirror is not None:
                one.mirror.finish()
        if not self._writer.wait(WAIT_SECONDS):
            raise AnnotrainError("Your work cannot be written at the moment: make room on the disk first.")

    def begin(self) -> None:
        """Follow what is painted from the first stroke on: the window may close before there is time to look."""
        if self._c.panel is not None:
            self._keep()
            self.show()

    def knows(self, image: Image) -> bool:
        """Whether an image belongs to the session."""
        return any(one.image is not None and one.image() is image for one in self._kept)

    def soon(self) -> None:
        """Something may have changed."""
        if self._c.panel is not None and not self._timer.isActive():
            self._timer.start(SOON_MS)

    def _look(self) -> None:
        if self._c.panel is not None:
            self._keep()
            self.show()

    def _keep(self) -> None:
        """Begin, if there is something to keep; follow the annotations that are in the window, and write the rest."""
        if self._writer is None and self._has_begun():
            image = self._c.image.name if self._c.image is not None else ""
            self._path = new_place(image, datetime.now())
            self._open_writer(SessionFolder.create(self._path))
        if self._writer is not None:
            self._take_in()
            self._save()

    def _has_begun(self) -> bool:
        """Whether somebody would miss anything of it."""
        roster = self._c.roster
        if self._c.session.models or any(self._regions(image) for image in roster.images()):
            return True
        painted = (roster.annotation(image) for image, _ in roster.candidates())
        return any(labels is not None and self._c.tallies.of(labels).changed for labels in painted)

    def _regions(self, image: Image) -> bool:
        shapes = self._c.roster.regions(image)
        return shapes is not None and bool(len(shapes.data))

    def _open_writer(self, folder: SessionFolder) -> None:
        self._writer, self._saved = SessionWriter(folder, self._relay.tell), folder.state

    def _take_in(self) -> None:
        """Follow the annotations that are in the window now."""
        for image in self._c.roster.images():
            try:
                self._take_in_image(image)
            except AnnotrainError as error:
                self._c.say(str(error), problem=True)

    def _take_in_image(self, image: Image) -> None:
        roster = self._c.roster
        labels = roster.annotation(image)
        own = [one for one in self._kept if one.image is not None and one.image() is image]
        if labels is None:
            if not own and (self._regions(image) or self._c.image_target.takes(image)):
                self._kept.append(KeptImage(kept_images.describe(image), ref(image)))
            return
        found = next((one for one in self._kept if one.labels is labels and not one.superseded), None)
        if found is None:
            found = next((one for one in own if not one.state.sheet and one.labels is None), None)
        if found is None:
            found = KeptImage(kept_images.describe(image), ref(image))
            self._kept.append(found)
        elif found.image is None or found.image() is not image:  # it was removed and opened again
            found.image = ref(image)
        if found.mirror is None:
            self._follow(found, labels)
        elif not found.mirror.fits():  # the old pixels stay until the new ones are on the disk
            found.superseded = True
            found.mirror.close()
            found.mirror = None
            new = KeptImage(found.state.model_copy(update={"sheet": ""}), found.image)
            self._kept.append(new)
            self._follow(new, labels)

    def _follow(self, one: KeptImage, labels: Labels) -> None:
        """Keep what is painted on a layer, in the sheet of its image as long as that fits."""
        folder, tally = self._folder, self._c.tallies.of(labels)
        sheet, wanted = one.state.sheet, (tuple(labels.data.shape), labels.data.dtype)
        on_disk = folder.read_sheet(sheet) if sheet else None
        if on_disk is None or (on_disk.shape, on_disk.dtype) != wanted:
            sheet = folder.new_sheet(*wanted)
            on_disk = folder.read_sheet(sheet)
        image = one.image() if one.image is not None else None
        axes = label_axes(image, self._c.roster.axes(image)) if image is not None else one.state.sheet_axes
        update = {"sheet": sheet, "annotation": labels.name, "sheet_axes": axes}
        one.state, one.labels = one.state.model_copy(update=update), labels
        one.mirror = Mirror(labels, tally, sheet, on_disk, self._put)
        tally.waits = self._is_full
        tally.look_again()

    @property
    def _folder(self) -> SessionFolder:
        assert self._writer is not None
        return self._writer.folder

    def _is_full(self) -> bool:
        return self._writer is not None and self._writer.full

    def _put(self, batch: Iterable[Rows]) -> None:
        if self._writer is not None:
            self._writer.put(batch)

    def _save(self) -> None:
        """Write everything but strokes, if it has changed."""
        assert self._writer is not None
        for trained in self._c.session.models:
            if trained not in self._files:
                self._files[trained] = self._writer.folder.new_model()
                self._writer.add_model(self._files[trained], _saving(trained))
        self._drop_superseded()
        state = self._state()
        if state != self._saved:
            self._saved = state.model_copy(update={"changed": datetime.now().isoformat(timespec="seconds")})
            self._writer.save(self._saved)

    def _drop_superseded(self) -> None:
        """Forget pixels of another type once all of a layer is on the disk as it is now."""
        assert self._writer is not None
        for old in [one for one in self._kept if one.superseded]:
            if old.labels is not None and not self._c.tallies.of(old.labels).counting and self._writer.wait(0):
                self._kept.remove(old)

    def _state(self) -> SessionState:
        session, roster = self._c.session, self._c.roster
        ticked = {id(image): on for image, on in roster.candidates()}
        for one in self._kept:
            layer = one.layer(roster.viewer)
            one.state = one.now(roster, ticked.get(id(layer), one.state.trained_on))
        read = [
            ModelState(file=self._files[one], name=one.name, score=one.score, made=one.time) for one in session.models
        ]
        chosen = self._files.get(session.model, "") if session.model is not None else ""
        return SessionState(
            made_by=napari_annotrain.__version__,
            changed=self._saved.changed,
            images=tuple(one.state for one in self._kept),
            settings=settings_of(session) | ({"base": self._base} if self._base else {}),
            models=(*read, *self._unread.values()),
            model=self._saved.model if self._saved.model in self._unread else chosen,
        )

    def _told(self, sentence: str) -> None:
        """What the writing thread says: why it cannot write, or "" when it can again."""
        self._problem = sentence
        if sentence:
            self._c.say(sentence, problem=True)
        self.show()

    def show(self) -> None:
        """Say in the panel where the work is kept."""
        raise NotImplementedError


def _saving(trained: Trained) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        engine.load().save_model(trained.model, path)

    return save

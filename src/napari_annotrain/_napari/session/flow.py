from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtWidgets import QFileDialog

from napari_annotrain._napari.lasting import unpredicted
from napari_annotrain._napari.runs.events import Opened
from napari_annotrain._napari.runs.work import opening
from napari_annotrain._napari.session import kept_images
from napari_annotrain._napari.session.keeping import CLOSING_SECONDS, SessionKeeping
from napari_annotrain._napari.session.kept_images import KeptImage
from napari_annotrain._napari.session.kept_predictions import show_prediction
from napari_annotrain._napari.session.packing import Packing
from napari_annotrain._qt.job import Job
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed, Note
from napari_annotrain.session import Trained
from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.listing import Found, automatic_folder, find_sessions, is_same
from napari_annotrain.session.state import SessionState, restore_settings

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

#: Larger annotations stay on the disk when a session is opened; what is painted on them stays in memory.
MOST_READ = 1 << 30


class SessionFlow(SessionKeeping):
    """Offers earlier work, and brings it back as it was."""

    def __init__(self, controller: "Controller") -> None:
        super().__init__(controller)
        self._offered: Found | None = None
        self._sought: Any = None  # what was open when earlier work was last looked for
        self._declined: set[Path] = set()
        self._opening = False
        self._job: Job | None = None  # reads models
        self._packing = Packing(controller, self._wait)
        self._had_removed = False
        self._n_opened = 0  # so many of the first models of the session came from the disk

    def attach(self) -> None:
        """Go on with the session of this viewer, if it has one."""
        super().attach()
        if self._writer is not None:
            self._open_models()

    def detach(self) -> None:
        """Write everything, then let another window open the session."""
        if self._job is not None:
            self._job.mute()
            self._job.join(CLOSING_SECONDS)
            self._job = None
        self._packing.close(CLOSING_SECONDS)
        super().detach()

    def _keep(self) -> None:
        if not self._opening:
            self._find_images()
            super()._keep()

    def _find_images(self) -> None:
        """Show what was done on images that were missing and are open by now."""
        if self._writer is None or all(one.layer(self._c.roster.viewer) is not None for one in self._kept):
            return
        known = [one.image() for one in self._kept if one.image is not None]
        new = [image for image in self._c.roster.images() if not any(image is one for one in known)]
        missing = [one for one in self._kept if one.image is None]
        if not new or not missing:
            return
        self._opening = True
        try:
            for one in missing:
                image = kept_images.matching(one.state, new)
                if image is not None:
                    self._show_on(one, image)
        finally:
            self._opening = False

    # -- earlier work -------------------------------------------------------------------------------------------

    def _find_offer(self) -> Found | None:
        """Earlier work on an image that is open, or with nothing open the latest."""
        if self._path is not None:
            return None
        images = self._c.roster.images()
        if not images and len(self._c.roster.viewer.layers):
            return None
        if self._sought == ([id(image) for image in images], self._declined):
            return self._offered
        self._sought = [id(image) for image in images], set(self._declined)
        here = [kept_images.describe(image) for image in images]
        for found in find_sessions():
            same = any(is_same(state, one) for state in found.state.images for one in here)
            if found.path not in self._declined and (same or not images):
                return found
        return None

    def reopen(self) -> None:
        """Go on with the work that is offered."""
        if self._offered is not None:
            self.open(self._offered.path)

    def decline(self) -> None:
        """Do not offer it again in this window."""
        if self._offered is not None:
            self._declined.add(self._offered.path)
        self.show()

    def choose(self) -> None:
        """Ask for a folder and go on with the session in it."""
        path = QFileDialog.getExistingDirectory(self._c.panel, "Open session", str(automatic_folder()))
        if path:
            self.open(Path(path))

    def open(self, path: Path) -> None:
        """Bring a session back: images, annotations, regions, settings and models, as they were.

        Raises
        ------
        AnnotrainError
            Something else goes on, or it cannot be opened.
        """
        c = self._c
        if c.lane.busy:
            raise AnnotrainError("Wait until the run has ended, or stop it: then open the session.")
        if path == self._path:
            raise AnnotrainError("This session is open already.")
        self._wait()
        folder = SessionFolder.open(path)
        self._leave()
        self._opening = True
        try:
            self._path = path
            self._open_writer(folder)
            restore_settings(c.session, folder.state.settings)
            self._base = c.session.base if folder.state.models else ""
            self._kept = [KeptImage(state) for state in folder.state.images]
            self._unread = {one.file: one for one in folder.state.models}
            missing = [sentence for one in self._kept if (sentence := self._show_image(one))]
        finally:
            self._opening = False
        c.train.show_settings()
        c.refresh_layers()
        self._open_models()
        again = ["Press What I see to have its labels again."] if folder.state.models else []
        said = " ".join([f"Opened the work of {Found(path, folder.state).when}.", *(missing or again)])
        c.say(said, as_long_as=unpredicted(c) if again and not missing else None)
        self.soon()

    def _leave(self) -> None:
        """Let go of the session so far, which is on the disk, and of its layers."""
        c = self._c
        self.detach()
        listed = c.roster.viewer.layers
        for one in self._kept:
            image = one.layer(c.roster.viewer)
            regions = c.roster.regions(image) if image is not None else None
            for layer in (one.labels, regions):
                if layer is not None and layer in listed:
                    listed.remove(layer)
        self._kept, self._path, self._saved = [], None, SessionState()
        self._files.clear()
        self._unread.clear()
        c.session.models, c.session.model, c.session.before, self._n_opened = (), None, None, 0

    def _show_image(self, one: KeptImage) -> str:
        """Show an image and what was done on it; a sentence where it cannot be shown."""
        viewer, roster = self._c.roster.viewer, self._c.roster
        image = kept_images.matching(one.state, roster.images())
        try:
            if image is None:
                new = kept_images.open_image(one.state, viewer)
                image = kept_images.matching(one.state, [la for la in new if la in roster.images()])
                for layer in new:
                    if isinstance(layer, Labels):  # of sample data, whose strokes are in the session
                        viewer.layers.remove(layer)
            if image is None:
                return f"{one.state.name} has changed since: what was painted on it is kept, but cannot be shown."
            self._show_on(one, image)
        except AnnotrainError as error:
            return str(error)
        return ""

    def _show_on(self, one: KeptImage, image: Image) -> None:
        """Show what was done on an image."""
        roster = self._c.roster
        one.image = ref(image)
        one.awaits_prediction = one.state.prediction is not None and bool(self._unread)
        if one.state.axes:
            roster.set_axes(image, one.state.axes)
        roster.tick(image, one.state.trained_on)
        self._show_annotation(one)
        self._pair_targets()

    def _pair_targets(self) -> None:
        """Let images be learnt to become what they were to become, as far as both are in the window."""
        roster = self._c.roster
        shown = {one.state.name: layer for one in self._kept if (layer := one.layer(roster.viewer)) is not None}
        for one in self._kept:
            image, target = shown.get(one.state.name), shown.get(one.state.target)
            if one.state.target and image is not None and target is not None and roster.target(image) is None:
                roster.pair_target(image, target)

    def _show_annotation(self, one: KeptImage) -> None:
        roster = self._c.roster
        image = one.layer(roster.viewer)
        if image is None:
            return
        if one.state.sheet and not one.state.put_away:
            on_disk = self._folder.read_sheet(one.state.sheet)
            values: Any = on_disk if on_disk.nbytes > MOST_READ else np.array(on_disk)
            labels = kept_images.annotation_layer(image, roster, one.state.annotation, values)
            roster.colour(labels, self._c.session.target == "cells")
            if one.state.current:
                roster.pair(image, labels)
            roster.viewer.add_layer(labels)
            self._follow(one, labels)
        if one.state.regions:
            kept_images.draw(one.state.regions, roster.new_regions(image))

    def _open_models(self) -> None:
        """Read the models, which takes torch, in a thread."""
        places = [(file, self._folder.model_path(file)) for file in self._unread]
        if places:
            self._job = Job(lambda: opening(places), "annotrain-opening")
            self._job.happened.connect(self._c.guarded(self._opened))
            self._job.start()

    def _opened(self, event: Event) -> None:
        c = self._c
        if isinstance(event, Failed | Note):
            c.say(event.sentence if isinstance(event, Failed) else event.text, problem=True)
        if not isinstance(event, Opened):
            return
        wanted, told = self._saved.model, self._unread.pop(event.file)
        trained, n = Trained(told.name, event.model, told.score, told.made), self._n_opened
        self._files[trained] = told.file
        c.session.models = (*c.session.models[:n], trained, *c.session.models[n:])  # before those made meanwhile
        self._n_opened += 1
        if c.session.model is None or (told.file == wanted and c.session.model in c.session.models[:n]):
            c.session.model = trained
        if self._base:  # choosing what is painted has changed it while there was no model yet
            c.session.base = self._base
        if not self._unread:
            self._base = ""
            self._show_predictions()
        c.train.count_from(told.name)
        c.train.show_settings()
        c.predict.show_outputs()
        c.refresh()

    def _show_predictions(self) -> None:
        """Show the whole predictions that lie on the disk still."""
        shown = []
        for one in self._kept:
            image, stored = one.layer(self._c.roster.viewer), one.state.prediction
            awaited, one.awaits_prediction = one.awaits_prediction, False
            if not awaited or image is None or stored is None:
                continue
            if show_prediction(self._c.roster, image, stored):
                shown.append(image.name)
        if shown:
            self._c.say(f"The prediction of {', '.join(dict.fromkeys(shown))} is shown again, from the disk.")

    def bring_back(self) -> None:
        """Show annotations again whose layers were removed."""
        for one in self._removed():
            image = one.layer(self._c.roster.viewer)
            assert image is not None
            one.state = one.state.model_copy(update={"put_away": False, "current": True})
            if one.labels is None:  # it was removed in an earlier window
                self._show_annotation(one)
                continue
            self._c.roster.pair(image, one.labels)
            self._c.roster.viewer.add_layer(one.labels)
        self._c.refresh_layers()
        self._c.say("What was removed is back as it was.")

    def _removed(self) -> list[KeptImage]:
        viewer = self._c.roster.viewer
        return [one for one in self._kept if one.state.put_away and not one.superseded and one.layer(viewer)]

    def export(self) -> None:
        """Pack the session for others."""
        if self._writer is not None and self._path is not None:
            self._packing.start(self._writer, self._path.name)

    def show(self) -> None:
        """Say in the panel where the work is kept, and offer what there is to go on with."""
        panel = self._c.panel
        if panel is None:
            return
        self._offered = self._find_offer()
        offer, saved = "", ""
        if self._offered is not None:
            names = ", ".join(dict.fromkeys(image.name for image in self._offered.state.images)) or "no image"
            offer = f"Earlier work on {names}, {self._offered.when}: {self._offered.state.words()}."
        if self._writer is not None and self._path is not None:
            saved = self._problem or f"Saved: {self._path.name}"
        panel.session.show_offer(offer)
        nothing = "" if self._writer is not None else "There is nothing to export yet: paint, or train a model."
        removed = bool(self._removed())
        panel.session.show_saved(saved, str(self._path or ""), nothing, removed)
        if removed and not self._had_removed:
            self._c.say("The annotation was removed from the window. It is kept: Bring back shows it again.")
        self._had_removed = removed

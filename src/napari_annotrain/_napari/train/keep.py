from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from napari_annotrain._napari.annotate.labels_copy import LabelsCopy, can_be_copied
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.feed import Feed, Painted, Repainted
from napari_annotrain.data.patchwork import Box, Patchwork
from napari_annotrain.data.stack import Stack

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


@dataclass
class Followed:
    """An image that is trained on, as the `index`-th, and what was painted on it since the training was told last."""

    index: int
    image: Any
    labels: Any
    told: AnnotatedImage
    boxes: list[Box] = field(default_factory=list)


class KeepFlow:
    """Keep training while I paint: what is painted reaches the training that goes on.

    The training never reads an array that is painted on: it is given copies (`LabelsCopy`), made in the main thread.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._copies: WeakKeyDictionary[Any, LabelsCopy] = WeakKeyDictionary()
        self._before: WeakKeyDictionary[Any, AnnotatedImage] = WeakKeyDictionary()  # as it was learnt last
        self._learnt: dict[Any, AnnotatedImage] = {}  # the same when the training began that goes on
        self._followed: list[Followed] = []
        self._feed = Feed()

    @property
    def on(self) -> bool:
        """Whether training goes on until Stop, with what is painted meanwhile."""
        return self._c.session.keep_training and not self._c.image_target.on

    def set_on(self, on: bool) -> None:
        """Let training go on while somebody paints, or end at its limit; a training that runs follows."""
        session = self._c.session
        session.keep_training = self._feed.endless = on
        if session.activity == "training":
            self._c.say(
                "Training goes on until you press Stop, and learns what you paint meanwhile."
                if on
                else "Training ends at its limit of time; what you paint from now on counts from the next one on."
            )
        self._c.refresh()
        self.look()

    def begin(self) -> tuple[list[AnnotatedImage], Feed]:
        """What to train on, as it is painted now, and what brings the rest."""
        c = self._c
        self._feed, self._followed, self._learnt = Feed(self.on), [], dict(self._before)
        images: list[AnnotatedImage] = []
        for image, ticked in c.roster.candidates():
            painted = c.roster.annotated(image, c.tallies.painted_planes) if ticked else None
            if painted is None:
                continue
            labels = c.roster.annotation(image)
            copy = self.copy_of(labels)
            if copy is not None:
                painted = _with_labels(painted, copy.update())
                self._count(image, labels, painted)
                self._followed.append(Followed(len(images), image, labels, painted))
            images.append(painted)
        c.corrections.hold()
        return images, self._feed

    def as_painted(self) -> list[AnnotatedImage]:
        """What to train on, as it is painted now; what is painted later is not followed."""
        found = []
        for image, ticked in self._c.roster.candidates():
            painted = self._c.roster.annotated(image, self._c.tallies.painted_planes) if ticked else None
            if painted is not None:
                copy = self.copy_of(self._c.roster.annotation(image))
                found.append(painted if copy is None else _with_labels(painted, copy.update()))
        return found

    def end(self, learnt: bool) -> None:
        """The training is over; where no model has come of it, all counts as it did before."""
        if self._followed and not learnt:
            self._before = WeakKeyDictionary(self._learnt)
        self._followed, self._learnt = [], {}
        self._c.corrections.finish(learnt)

    def close(self, learnt: bool) -> None:
        """Copy no longer."""
        self.end(learnt)
        for copy in self._copies.values():
            copy.close()
        self._copies.clear()

    def copy_of(self, labels: Any) -> LabelsCopy | None:
        """The running copy of an annotation; None where too much is painted for one."""
        copy, tally = self._copies.get(labels), self._c.tallies.of(labels)
        if copy is not None and not copy.fits:
            self._copies.pop(labels).close()
            copy = None
        if copy is None and can_be_copied(tally, labels):
            copy = self._copies[labels] = LabelsCopy(tally, labels, lambda boxes: self._painted(labels, boxes))
        return copy

    def look(self) -> None:
        """Tell the training of what was painted or drawn since it was told last."""
        if not self.on:
            return
        for one in self._followed:
            copy = self._copies.get(one.labels)
            if copy is None or not copy.fits or self._c.roster.annotation(one.image) is not one.labels:
                continue
            now = self._c.roster.annotated(one.image, self._c.tallies.painted_planes)
            if now is None or (not one.boxes and now.regions == one.told.regions):
                continue
            before, one.told = one.told, _with_labels(now, copy.patchwork.copy())
            boxes, one.boxes = _in_planes(one.told, one.boxes), []
            shown = self._c.train.shown(one.image) or self._c.predict.known_boxes(one.image)
            self._c.corrections.take(one.image, before, one.told, boxes, shown)
            self._before[one.labels] = one.told
            self._feed.put(Repainted(one.index, one.told, boxes))

    def _count(self, image: Any, labels: Any, now: AnnotatedImage) -> None:
        """Count what the model had got wrong of what was annotated since the last training."""
        before, copy = self._before.get(labels), now.labels.array
        if before is not None and before.labels.array.shape != copy.shape:
            before = None
        changed = copy.boxes() if before is None else copy.changed_since(before.labels.array)
        boxes = _in_planes(now, changed)
        self._c.corrections.take(image, before, now, boxes, self._c.predict.known_boxes(image))
        self._before[labels] = now

    def _painted(self, labels: Any, boxes: list[Box]) -> None:
        for one in self._followed:
            if one.labels is labels:
                one.boxes += boxes
        self._c.guarded(self.look)()


def _with_labels(image: AnnotatedImage, labels: Patchwork) -> AnnotatedImage:
    return replace(image, labels=Stack(labels, image.labels.axes, image.labels.name))


def _in_planes(image: AnnotatedImage, boxes: Sequence[Box]) -> tuple[Painted, ...]:
    """Boxes in the array of the annotation as boxes in the planes of its image."""
    found: list[Painted] = []
    for box in boxes:
        spans = {"T": slice(0, 1), "Z": slice(0, 1), **dict(zip(image.labels.axes, box, strict=True))}
        planes = product(range(spans["T"].start, spans["T"].stop), range(spans["Z"].start, spans["Z"].stop))
        found += [(t, z, (spans["Y"], spans["X"])) for t, z in planes]
    return tuple(found)

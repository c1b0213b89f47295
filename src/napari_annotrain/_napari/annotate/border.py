from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np

from napari_annotrain._napari.runs.events import Weighed
from napari_annotrain._napari.runs.work import border_weights
from napari_annotrain._napari.viewer.arrays import as_tzyx, empty
from napari_annotrain._napari.viewer.layers import label_axes, label_shape
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._napari.viewer.watch import ViewWatch
from napari_annotrain._qt.lane import Lane, Run
from napari_annotrain.data.annotation import AnnotatedImage, PlaneBox
from napari_annotrain.data.border_map import BorderMap
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Event, Failed
from napari_annotrain.session import what_of_weights, why_not_weigh
from napari_annotrain.specs import Target, WeightSpec

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

Plane = tuple[int, int]


class Shown(NamedTuple):
    """What a layer of border weights depends on, besides the paint: `planes` are the T and Z in view."""

    planes: tuple[range, range]
    target: Target
    spec: WeightSpec
    annotation: ReferenceType[Any]


@dataclass
class Wish:
    """An image whose border weights are wanted, and what was found of them so far.

    Attributes
    ----------
    painted
        The image with its annotation.
    planes
        Those in view that may be annotated.
    makes
        Whether the button was pressed: a layer is made where there is none yet, and w0 becomes the brightest.
    found
        The weights of the planes computed so far.
    """

    image: Any
    painted: AnnotatedImage
    planes: Sequence[Plane]
    shown: Shown
    makes: bool = False
    found: list[BorderMap] = field(default_factory=list)

    @property
    def highest(self) -> float:
        """The largest weight."""
        return max((weights.highest for weights in self.found), default=0.0)

    def words(self) -> str:
        """What was found, in a sentence."""
        annotated, n_cells = any(weights.parts for weights in self.found), sum(one.n_cells for one in self.found)
        return what_of_weights(self.shown.target, self.shown.spec, annotated, n_cells, self.highest)


@dataclass
class Drawn:
    """What a layer shows: the boxes that were written to, and what they depend on."""

    boxes: list[tuple[int, int, PlaneBox]] = field(default_factory=list)
    shown: Shown | None = None

    def draw(self, canvas: Any, found: Sequence[BorderMap]) -> bool:
        """Show these weights and no others on a (T, Z, Y, X) canvas; False where it stays empty."""
        before, self.boxes = self.boxes, []
        for t, z, box in before:
            canvas[(t, z, *box)] = 0
        for weights in found:
            for box, weight in weights.parts:
                part = canvas[(weights.t, weights.z, *box)]
                np.maximum(part, weight, out=part)  # boxes may overlap
                self.boxes.append((weights.t, weights.z, box))
        return bool(before or self.boxes)


class BorderFlow:
    """Border weights as a layer, from the button to the pixels; once there, it follows the plane and the settings.

    They have a lane of their own, so that looking at them stops neither a training nor a prediction.
    """

    def __init__(self, controller: "Controller") -> None:
        self._c = controller
        self._lane = Lane()
        self._watch: ViewWatch | None = None
        self._drawn: WeakKeyDictionary[Any, Drawn] = WeakKeyDictionary()
        self._failed = ""
        controller.session.events.train.connect(self.soon)
        controller.session.events.target.connect(self.soon)

    @property
    def busy(self) -> bool:
        """Whether weights are being computed."""
        return self._lane.busy

    def attach(self) -> None:
        """Follow the view and the settings of a panel that opens."""
        self._watch = ViewWatch(self._c.roster.viewer, self._c.guarded(self.look))
        self._watch.enabled = True
        self.soon()

    def close(self, seconds: float) -> None:
        """Stop, and wait at most so long; layers stay as they are."""
        self._lane.close(seconds)
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def start(self) -> None:
        """Show the weights of the chosen image, or bring them up to date."""
        c = self._c
        reason = why_not_weigh(c.facts())
        if reason:
            raise AnnotrainError(reason)
        wish = self._wish(c.image)
        if wish is None:
            assert c.image is not None
            raise AnnotrainError(f"Nothing of {c.image.name} is in view: press Home to see all of it.")
        wish.makes = True
        self._run([wish], about=wish)

    def soon(self, *_: object) -> None:
        """Bring what is shown up to date, once nothing has been changed for a moment."""
        if self._watch is not None:
            self._watch.soon()

    def look(self) -> None:
        """Bring the layers up to date whose plane or settings are other ones by now."""
        due, about = [], None
        for image in self._c.roster.images():
            layer = self._c.roster.borders(image)
            wish = self._wish(image) if layer is not None else None
            before = self._drawn[layer].shown if layer in self._drawn else None
            if wish is None or wish.shown == before:
                continue
            due.append(wish)
            if image is self._c.image and before is not None and wish.shown.spec != before.spec:
                about = wish
        if due and not self._lane.busy:  # else it looks again afterwards
            self._run(due, about)

    def _wish(self, image: Any) -> Wish | None:
        """What is to be computed; None where nothing is seen of the image or it has no annotation."""
        c = self._c
        region = region_of(c.roster.viewer, image, c.roster.axes(image), whole=True)
        painted = c.roster.annotated(image, c.tallies.painted_planes)
        if region is None or painted is None:
            return None
        t, z = (range(part.start, part.stop) for part in region[:2])
        planes = [plane for plane in product(t, z) if painted.may_be_annotated(*plane)]
        session, annotation = c.session, c.roster.annotation(image)
        return Wish(image, painted, planes, Shown((t, z), session.target, session.train.weights, ref(annotation)))

    # -- the run ------------------------------------------------------------------------------------------------

    def _run(self, wishes: Sequence[Wish], about: Wish | None) -> None:
        c = self._c
        target, spec = c.session.target, c.session.train.weights
        pieces = [(wish.painted, wish.planes) for wish in wishes]
        self._lane.start(
            Run(
                lambda: border_weights(pieces, target, spec),
                c.guarded(lambda: self._begin(about)),
                c.guarded(lambda event: self._on_event(event, wishes)),
                c.guarded(lambda stopped: self._on_end(stopped, wishes, about)),
                "annotrain-weights",
            )
        )

    def _begin(self, about: Wish | None) -> None:
        self._failed = ""
        if about is not None:
            self._c.say("Computing the border weights ...")

    def _on_event(self, event: Event, wishes: Sequence[Wish]) -> None:
        if isinstance(event, Failed):
            self._failed = event.sentence
        if isinstance(event, Weighed):
            wishes[event.piece].found.append(event.weights)

    def _on_end(self, stopped: bool, wishes: Sequence[Wish], about: Wish | None) -> None:
        if stopped:  # a newer one waits
            return
        for wish in wishes:
            self._show(wish)
        if self._failed:
            self._c.say(self._failed, problem=True)
        elif about is not None:
            self._c.say(about.words())
        self.look()

    def _show(self, wish: Wish) -> None:
        roster, w0 = self._c.roster, wish.shown.spec.border
        layer, axes = roster.borders(wish.image), roster.axes(wish.image)
        if layer is None and not (wish.makes and wish.highest > 0):
            return
        array = empty(label_shape(wish.image, axes), np.float32) if layer is None else layer.data
        drawn = self._drawn.get(layer, Drawn()) if layer is not None else Drawn()
        changed = drawn.draw(as_tzyx(array, label_axes(wish.image, axes)), wish.found)
        drawn.shown = wish.shown
        if layer is None:
            self._drawn[roster.show_borders(wish.image, array, w0)] = drawn
            return
        if wish.makes and w0 > 0:  # else brightness stays, so that another w0 is seen
            layer.contrast_limits = 0, w0
        if changed:
            layer.refresh()

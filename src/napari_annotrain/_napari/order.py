from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.focus import Focus
from napari_annotrain._napari.pieces import Piece
from napari_annotrain._napari.view import region_of
from napari_annotrain._qt.predict import IMAGES, SLICE, STACK
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import Region
from napari_annotrain.specs import PredictSpec

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller


@dataclass
class Order:
    """What one prediction computes, and where it is shown.

    Attributes
    ----------
    pieces, layers
        One each for every image.
    made
        Those of the layers that are new.
    left_out
        Which images cannot be predicted, and why, in sentences.
    image
        The first of the images.
    """

    what: str
    pieces: list[Piece] = field(default_factory=list)
    layers: list[Any] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    image: Any = None

    def still_in(self, layers: Iterable[Any]) -> "Order":
        """What of it has its layer still."""
        there = {id(layer) for layer in layers}
        pairs = [(p, la) for p, la in zip(self.pieces, self.layers, strict=True) if id(la) in there]
        return replace(self, pieces=[p for p, _ in pairs], layers=[la for _, la in pairs], made=[], left_out=[])

    def look_away(self) -> None:
        """Follow no longer where somebody looks."""
        for piece in self.pieces:
            if isinstance(piece.focus, Focus):
                piece.focus.close()


def order(controller: "Controller", what: str, model: Any, spec: PredictSpec, part: Region | None = None) -> Order:
    """Gather what to predict with a model and these settings, and make its layers; of what is seen only a `part`.

    Raises
    ------
    AnnotrainError
        The image cannot be predicted, or nothing of it is in view; of all images, none can.
    """
    chosen = [controller.image] if controller.image is not None else []
    images = controller.roster.images() if what == IMAGES else chosen
    made = Order(what, image=next(iter(images), None))
    for image in images:
        try:
            _add(controller, made, image, model, spec, part)
        except AnnotrainError as error:
            if len(images) == 1:
                raise
            made.left_out.append(f"{image.name} was left out: {error}")
    if not made.pieces:
        raise AnnotrainError(" ".join(made.left_out))
    return made


def _add(controller: "Controller", made: Order, image: Any, model: Any, spec: PredictSpec, part: Region | None) -> None:
    roster = controller.roster
    everything = made.what in (STACK, IMAGES)
    stack = roster.stack(image)
    engine.load().check_channels(model, stack)
    seen = None if everything else part or region_of(roster.viewer, image, roster.axes(image), made.what == SLICE)
    if seen is None and not everything:
        raise AnnotrainError(f"Nothing of {image.name} is in view: press Home to see all of it.")
    before = list(roster.viewer.layers)
    layer, canvas = roster.canvas(image, *engine.load().output_of(model, spec.output))
    if not any(layer is one for one in before):
        made.made.append(layer)
    made.layers.append(layer)
    focus = Focus(roster.viewer, image, roster.axes(image)) if everything else lambda: None
    made.pieces.append(Piece(stack, seen, canvas, roster.measured(image), roster.ids(layer), focus))

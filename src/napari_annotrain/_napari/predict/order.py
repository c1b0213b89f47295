from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from napari_annotrain._napari import engine
from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.predict.pieces import Piece
from napari_annotrain._napari.viewer.focus import Focus
from napari_annotrain._napari.viewer.layers import show_range
from napari_annotrain._napari.viewer.view import region_of
from napari_annotrain._qt.predict import IMAGES, SLICE, STACK, VIEW
from napari_annotrain.data.filling import place_of
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
    images
        Those of the pieces.
    image
        The first of all images.
    veiled
        Whether what is not predicted yet is shown as such.
    """

    what: str
    pieces: list[Piece] = field(default_factory=list)
    layers: list[Any] = field(default_factory=list)
    made: list[Any] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    images: list[Any] = field(default_factory=list)
    image: Any = None
    veiled: bool = False

    def still_in(self, layers: Iterable[Any]) -> "Order":
        """What of it has its layer still."""
        there = {id(layer) for layer in layers}
        kept = [i for i, layer in enumerate(self.layers) if id(layer) in there]
        return replace(
            self,
            pieces=[self.pieces[i] for i in kept],
            layers=[self.layers[i] for i in kept],
            images=[self.images[i] for i in kept],
            made=[],
            left_out=[],
            veiled=False,
        )

    def goes_on(self, model: Any, spec: PredictSpec) -> bool:
        """Whether an interrupted run has finished some of it."""
        return any(p.reached.finished(p.asked(model, spec)).pieces for p in self.pieces if p.lasting)

    def has_something(self, model: Any, spec: PredictSpec) -> bool:
        """Whether anything of it is finished, in the memory or on the disk."""
        left = (p.canvas.path for p in self.pieces if isinstance(p.canvas, Growing) and p.canvas.path is not None)
        return self.goes_on(model, spec) or any(place_of(path).exists() for path in left)

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
    made = Order(what, image=next(iter(images), None), veiled=what != VIEW)
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
    kind, dtype, channels = engine.load().output_of(model, spec.output)
    on_disk = engine.load().is_for_disk(model, stack, spec) if everything else None
    if on_disk:
        dtype = engine.load().type_stored(model, stack, spec)
    layer, canvas = roster.canvas(image, kind, dtype, channels, on_disk)
    if not any(layer is one for one in before):
        made.made.append(layer)
        if kind == "image":
            show_range(layer, model.card.target_range)
    made.layers.append(layer)
    made.images.append(image)
    focus = Focus(roster.viewer, image, roster.axes(image)) if everything else lambda: None
    known = roster.known(layer)
    # a slice of cells is one piece, done or not
    lasting = everything or (made.what == SLICE and kind != "cells")
    made.pieces.append(Piece(stack, seen, canvas, roster.measured(image), known.ids, focus, known.reached, lasting))

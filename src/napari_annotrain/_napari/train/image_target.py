from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_annotrain._napari.viewer import layers
from napari_annotrain._qt.layout import allow
from napari_annotrain.data.feed import Feed
from napari_annotrain.data.paired import PairedImage
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session import Facts

if TYPE_CHECKING:
    from napari_annotrain._napari.controller import Controller

_NOT_PAINTED = "That is for painted classes and cells: this model learns an image."


class ImageTarget:
    """The target image in the window: which layer each image should become, or that it is learnt from alone."""

    def __init__(self, controller: "Controller") -> None:
        self._c = controller

    @property
    def on(self) -> bool:
        """Whether an image is learnt, instead of what is painted."""
        return self._c.session.target == "image"

    @property
    def needs_target(self) -> bool:
        """Whether it is learnt from pairs."""
        return self._c.session.train.image.learn_from == "pair"

    def takes(self, image: Image) -> bool:
        """Whether an image is learnt from, or learnt."""
        if not self.on or not self.needs_target:
            return self.on and image is self._c.image
        roster = self._c.roster
        return roster.target(image) is not None or any(roster.target(other) is image for other in roster.images())

    def offer(self) -> None:
        """Offer the other images where annotations are offered else."""
        c = self._c
        assert c.panel is not None
        others = [(la.name, la) for la in c.roster.images() if la is not c.image] if self.needs_target else []
        own = c.roster.target(c.image) if c.image is not None else None
        c.panel.annotate.annotation_combo.set_items(others, prefer=own)

    def choose(self, layer: Image) -> None:
        """Let the present image be learnt to become this one."""
        if self._c.image is not None and layer is not self._c.image:
            self._c.roster.pair_target(self._c.image, layer)
        self._c.refresh()

    def set_learn_from(self, learn_from: Any) -> None:
        """Learn from pairs, or from images alone; settings that do not go with it are set back."""
        session = self._c.session
        more = {"learn_from": learn_from} | ({"ssim": 0.0, "vary": "turns"} if learn_from == "noise2void" else {})
        if not session.train.image.mse + session.train.image.mae:
            more |= {"mse": 1.0} if learn_from == "noise2void" else {}
        self._c.train.set_spec(session.train.model_copy(update={"image": session.train.image.model_copy(update=more)}))

    def follow(self) -> None:
        """Show what is learnt from now."""
        if self.on and self._c.panel is not None:
            self._c.offer_annotations()
        self._c.refresh()

    def facts(self, facts: Facts) -> Facts:
        """What there is to learn from, where an image is learnt: the target stands for the annotation."""
        if not self.on or self._c.image is None:
            return facts
        ready = not self.needs_target or self._c.roster.target(self._c.image) is not None
        return replace(facts, annotation=ready, others=0, painted={}, regions=0)

    def show(self) -> None:
        """Show in the panel what applies."""
        panel = self._c.panel
        assert panel is not None
        panel.annotate.set_target(self._c.session.target, self._c.session.train.image.learn_from)
        allow(panel.train.keep_check, _NOT_PAINTED if self.on else "")

    def summary(self) -> str:
        """What is learnt, in the line of the folded step."""
        if not self.needs_target:
            return f"image · {self._c.session.train.image.learn_from}"
        target = self._c.roster.target(self._c.image) if self._c.image is not None else None
        return "no target image yet" if target is None else f"image · target {target.name}"

    def begin(self) -> tuple[list[PairedImage], Feed]:
        """What to train on: every image with a target, or the present image alone.

        Raises
        ------
        AnnotrainError
            An image and its target differ in shape.
        """
        roster, found = self._c.roster, []
        if not self.needs_target:
            assert self._c.image is not None
            return [PairedImage(roster.stack(self._c.image))], Feed()
        for image in roster.images():
            target = roster.target(image)
            if target is None:
                continue
            stack, other = roster.stack(image), roster.stack(target)
            if len(other.array.shape) == len(stack.array.shape):
                other = layers.stack_of(target, stack.axes)
            found.append(PairedImage(stack, other))
        if not found:
            raise AnnotrainError("No image has a target yet: choose the target image in step 2.")
        return found, Feed()

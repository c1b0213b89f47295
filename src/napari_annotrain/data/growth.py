"""The annotation of a training that goes on while somebody paints: only what has changed is read again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.annotation import BACKGROUND, AnnotatedImage, Labels, PlaneBox
from napari_annotrain.data.area import Area
from napari_annotrain.data.areas import BLOCK, Place, group_boxes, occupied_blocks, read_group
from napari_annotrain.data.cells import CellSizes
from napari_annotrain.data.dataset import AnnotatedDataset, balanced, make_area
from napari_annotrain.data.feed import Feed, Painted, Repainted
from napari_annotrain.data.finite import are_finite
from napari_annotrain.data.validation import fingerprint, keep_validation
from napari_annotrain.data.weights import IGNORE
from napari_annotrain.specs import Target, TrainSpec

#: Rescaled labels reach this far beyond the pixels they are made of, in px.
BEYOND_PX = 2
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fresh:
    """Where an image of the dataset was painted on just now."""

    image: int
    t: int
    z: int
    box: PlaneBox


@dataclass(frozen=True)
class GrownDataset:
    """A dataset with what was painted in the meantime.

    Attributes
    ----------
    fresh
        Where it has changed.
    notes
        Sentences for the user.
    """

    dataset: AnnotatedDataset
    fresh: tuple[Fresh, ...]
    notes: tuple[str, ...] = ()

    @property
    def can_be_learnt(self) -> bool:
        """False while something is missing, because it was erased: every class must be annotated somewhere."""
        areas = self.dataset.areas
        seen = {k for area in areas for k in np.unique(area.target[~area.held_out]).tolist()}
        return seen >= set(range(len(self.dataset.classes)))


@dataclass(frozen=True)
class Growth:
    """How a training that goes on learns of what is painted.

    Attributes
    ----------
    feed
        Where it comes from.
    target, spec
        What is learnt, and the settings of the training.
    scale
        At which the network sees the images; those in the feed are at their own.
    context_px
        Training reads so many pixels around what is annotated.
    """

    feed: Feed
    target: Target
    spec: TrainSpec
    scale: float = 1.0
    context_px: int = 0

    def take(self, dataset: AnnotatedDataset) -> GrownDataset | None:
        """The dataset with what has changed since this was called last; None where nothing has."""
        news = self.feed.take()
        if not news:
            return None
        if self.scale != 1:
            news = tuple(_rescaled(one, self.scale) for one in news)
        return grow(dataset, news, self.target, self.spec, self.scale, self.context_px)


def grow(
    dataset: AnnotatedDataset,
    news: Sequence[Repainted],
    target: Target,
    spec: TrainSpec,
    scale: float = 1.0,
    context_px: int = 0,
) -> GrownDataset:
    """Read again what has changed, and leave all other areas as they are.

    The classes and the intensity ranges stay as they were. What is held out for validation stays held out; where
    nothing was, because too little was annotated, new blocks are, as soon as there is enough.

    Parameters
    ----------
    news
        Images at the scale of the dataset. Those that are not in it are left out with a note.
    """
    areas, images, fresh, notes = list(dataset.areas), list(dataset.images), [], []
    for one in news:
        if one.index not in dataset.given:
            notes.append(f"{one.image.name} is learnt from the next training on: nothing was painted on it before.")
            continue
        index = dataset.given.index(one.index)
        boxes = (*one.boxes, *_redrawn(images[index], one.image))
        for t, z in sorted({(t, z) for t, z, _ in boxes}):
            dirty = [box for t0, z0, box in boxes if (t0, z0) == (t, z)]
            fresh += [Fresh(index, t, z, box) for box in dirty]
            mine = [area for area in areas if (area.image, area.t, area.z) == (index, t, z)]
            kept, places = _read_again(one.image, (t, z), dirty, mine, target == "cells")
            if not are_finite(one.image.stack, [place for place, _ in places], context_px) and _is_float(one.image):
                notes.append(f"What was painted on {one.image.name} is not learnt: the image is not finite there.")
                continue
            others = [area for area in areas if not any(area is old for old in mine)]
            areas = others + kept + _make_areas(dataset, index, places, target, spec)
            notes += _unknown(dataset, [labels for _, labels in places], target)
        images[index] = one.image
    if not fresh:
        return GrownDataset(dataset, (), tuple(notes))
    released: tuple[str, ...] = ()
    if not dataset.has_validation:
        areas, released, too_little = keep_validation(areas, len(dataset.classes))
        notes += [] if too_little else ["Enough is annotated by now to keep some of it for validation."]
    sizes = _sizes(areas, scale) if target == "cells" else None
    grown = replace(
        dataset,
        images=tuple(images),
        areas=tuple(areas),
        sizes=sizes or dataset.sizes,
        released=tuple(sorted({*dataset.released, *released})),
        notes=(),
    )
    return GrownDataset(balanced(grown, spec), tuple(fresh), tuple(dict.fromkeys(notes)))


def _read_again(
    image: AnnotatedImage, plane: tuple[int, int], dirty: Sequence[PlaneBox], areas: Sequence[Area], cells: bool
) -> tuple[list[Area], list[tuple[Place, Labels]]]:
    """Areas of a plane that stay as they are, and the places, with their annotation, of those that do not."""
    t, z = plane
    shape = image.stack.shape[-2:]
    own = [_own_blocks(area, shape) for area in areas]
    changed = np.zeros((-(-shape[0] // BLOCK), -(-shape[1] // BLOCK)), bool)
    blocks = np.logical_or.reduce([changed, *own])
    for box in dirty:
        rows, columns = (slice(s.start // BLOCK, -(-s.stop // BLOCK)) for s in box)
        changed[rows, columns] = True
        blocks[rows, columns] = occupied_blocks(image, t, z, box)[rows, columns]
    touched = changed.copy()  # and all blocks of groups, old and new, that have a changed one
    for mask in own:
        if (mask & changed).any():
            touched |= mask
    grown = touched.copy()
    for box, inside in group_boxes(blocks, shape, touched):
        rows, columns = (slice(s.start // BLOCK, -(-s.stop // BLOCK)) for s in box)
        grown[rows, columns] |= inside[::BLOCK, ::BLOCK]
    kept = [area for area, mask in zip(areas, own, strict=True) if not (mask & grown).any()]
    groups = group_boxes(blocks, shape, grown)
    places = [((t, z, place), labels) for group in groups for place, labels in read_group(image, t, z, *group, cells)]
    return kept, places


def _own_blocks(area: Area, shape: tuple[int, int]) -> Mask:
    """Blocks of the plane in which an area has annotated pixels."""
    blocks = np.zeros((-(-shape[0] // BLOCK), -(-shape[1] // BLOCK)), bool)
    used = area.target != IGNORE
    edges = [np.maximum(np.arange(s.start // BLOCK * BLOCK, s.stop, BLOCK), s.start) - s.start for s in area.box]
    filled = np.logical_or.reduceat(np.logical_or.reduceat(used, edges[0], axis=0), edges[1], axis=1)
    first = [s.start // BLOCK for s in area.box]
    blocks[first[0] : first[0] + filled.shape[0], first[1] : first[1] + filled.shape[1]] = filled
    return blocks


def _make_areas(
    dataset: AnnotatedDataset,
    index: int,
    places: Sequence[tuple[Place, Labels]],
    target: Target,
    spec: TrainSpec,
) -> list[Area]:
    values = [value + BACKGROUND for value in dataset.classes]
    key = fingerprint(dataset.images[index].stack)
    made = [make_area(index, key, place, labels, target, values, spec, dataset.released) for place, labels in places]
    return [area for area in made if (area.target != IGNORE).any()]


def _unknown(dataset: AnnotatedDataset, labels: Sequence[Labels], target: Target) -> Iterator[str]:
    """Say so where a class is painted that the network has no output for."""
    known = {0, *(value + BACKGROUND for value in dataset.classes)}
    if target == "classes" and any(not set(np.unique(one).tolist()) <= known for one in labels):
        yield "A class that was not painted before is learnt from the next training on: press Stop, then Train."


def _redrawn(before: AnnotatedImage, after: AnnotatedImage) -> Iterator[Painted]:
    """Where complete regions have come or gone."""
    shape = after.stack.shape[-2:]
    for region in {*before.regions} ^ {*after.regions}:
        box = region.box(shape)
        if all(s.start < s.stop for s in box):
            yield region.t, region.z, box


def _sizes(areas: Sequence[Area], scale: float) -> CellSizes | None:
    """Sizes of the cells at the images' own scale."""
    counts = [area.cells_px for area in areas if area.cells_px is not None]
    own = [np.maximum(1, np.rint(px / scale**2)).astype(np.intp) for px in counts]
    return CellSizes.of_counted(own) if sum(map(len, own)) else None


def _rescaled(one: Repainted, scale: float) -> Repainted:
    image = one.image.rescaled(scale)
    shape = image.stack.shape[-2:]

    def fit(part: slice, n: int) -> slice:
        start = min(n - 1, max(0, floor(part.start * scale) - BEYOND_PX))
        return slice(start, max(start + 1, min(n, ceil(part.stop * scale) + BEYOND_PX)))

    boxes = tuple((t, z, (fit(y, shape[0]), fit(x, shape[1]))) for t, z, (y, x) in one.boxes)
    return Repainted(one.index, image, boxes)


def _is_float(image: AnnotatedImage) -> bool:
    return image.stack.dtype.kind == "f"

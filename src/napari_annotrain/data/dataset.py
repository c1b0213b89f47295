from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.data.annotation import (
    BACKGROUND,
    NOT_ANNOTATED,
    AnnotatedImage,
    Labels,
    PlaneBox,
    predicted_values,
)
from napari_annotrain.data.area import Area
from napari_annotrain.data.normalise import Normalisation, measure, merge
from napari_annotrain.data.validation import fingerprint, is_validation, keep_validation
from napari_annotrain.data.weights import (
    IGNORE,
    balance_classes,
    cell_borders,
    cell_targets,
    class_borders,
    class_targets,
)
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import Target, TrainSpec

#: Annotated places nearer than this share one area, in px.
BLOCK = 128
MOST_CLASSES = 255
#: T, Z and the box in that plane.
Place = tuple[int, int, PlaneBox]


@dataclass(frozen=True)
class _Found:
    """An image, what is annotated in it, and its intensity range."""

    image: AnnotatedImage
    places: list[tuple[Place, Labels]]
    normalisation: Normalisation


@dataclass(frozen=True)
class AnnotatedDataset:
    """Everything the user has annotated, ready for the sampler.

    Attributes
    ----------
    images
        The images with at least one annotated pixel.
    normalisations
        Intensity range of each image.
    areas
        The annotated parts.
    classes
        Predicted value of each class index, ascending.
    notes
        Sentences for the user (images skipped, no validation).
    failed
        Names of the images that could not be read; `notes` say why.
    cell_diameter_px, min_size_px
        Typical and least size of the annotated cells (target ``cells``).
    released
        Validation blocks that were trained on, now or by the model to start from.
    """

    images: tuple[AnnotatedImage, ...]
    normalisations: tuple[Normalisation, ...]
    areas: tuple[Area, ...]
    classes: tuple[int, ...]
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    cell_diameter_px: float | None = None
    min_size_px: int = 0
    released: tuple[str, ...] = ()

    @cached_property
    def n_annotated(self) -> tuple[int, ...]:
        """Annotated pixels of each class, validation included."""
        return tuple(sum(int((a.target == k).sum()) for a in self.areas) for k in range(len(self.classes)))

    @property
    def has_validation(self) -> bool:
        """True when some blocks are held out."""
        return any(area.held_out.any() for area in self.areas)


def build_dataset(
    images: Sequence[AnnotatedImage],
    target: Target,
    spec: TrainSpec,
    released: Collection[str] = (),
    skip_bad: bool = False,
) -> AnnotatedDataset:
    """Find what is annotated, turn it into targets and weights, and set the validation blocks apart.

    Images without annotation or contrast are skipped with a note.

    Parameters
    ----------
    released
        Validation blocks that the model to start from was trained on (from its card); they are trained on again.
    skip_bad
        Skip images that cannot be read, too, instead of refusing.

    Raises
    ------
    AnnotrainError
        Nothing is annotated, only one class is, the images differ in channels, or none has contrast.
    """
    found, notes, failed = _find_all(images, target, spec, skip_bad)
    _check_channels([one.image for one in found])
    labels = [labels for one in found for _, labels in one.places]
    values = _find_values(labels, target)
    keys = [fingerprint(one.image.stack) for one in found]
    areas = [
        _make_area(k, key, place, labels, target, values, spec, released)
        for k, (key, one) in enumerate(zip(keys, found, strict=True))
        for place, labels in one.places
    ]
    areas, newly_released, note = keep_validation(areas, len(values))
    notes += [note] if note else []
    diameter, least = _cell_sizes(labels) if target == "cells" else (None, 0)
    dataset = AnnotatedDataset(
        tuple(one.image for one in found),
        _share_range([one.normalisation for one in found], spec),
        tuple(areas),
        tuple(predicted_values(values)),
        tuple(notes),
        tuple(failed),
        diameter,
        least,
        tuple(sorted({*released, *newly_released})),
    )
    balance = balance_classes(dataset.n_annotated, spec.weights)
    return replace(dataset, areas=tuple(_with_balance(area, balance) for area in areas))


def _find_all(
    images: Sequence[AnnotatedImage], target: Target, spec: TrainSpec, skip_bad: bool
) -> tuple[list[_Found], list[str], list[str]]:
    """Images to learn from, notes on the others, and the names of those that could not be read."""
    found: list[_Found] = []
    notes, failed, n_constant = [], [], 0
    for image in images:
        try:
            places = list(_find_areas(image, target == "cells"))
            normalisation = measure(image.stack, spec.normalise) if places else None
        except AnnotrainError as error:
            if not skip_bad:
                raise
            notes.append(str(error))
            failed.append(image.name)
            continue
        if normalisation is None:
            notes.append(f"{image.name} was skipped: nothing is annotated in it.")
        elif normalisation.is_constant:
            notes.append(f"{image.name} was skipped: it has the same value everywhere.")
            n_constant += 1
        else:
            found.append(_Found(image, places, normalisation))
    if not found:
        raise _nothing_left(images, n_constant, notes if failed else [])
    return found, notes, failed


def _nothing_left(images: Sequence[AnnotatedImage], n_constant: int, reasons: Sequence[str]) -> AnnotrainError:
    if reasons:
        return AnnotrainError(f"None of the {len(images)} images can be trained on. {reasons[0]}")
    if n_constant:
        name = f"The image {images[0].name}" if len(images) == 1 else "Every annotated image"
        return AnnotrainError(
            f"{name} has the same value everywhere: choose an image in which something is to be seen."
        )
    return AnnotrainError("Nothing is annotated yet: paint some cells and some background first.")


def _find_areas(image: AnnotatedImage, cells: bool) -> Iterator[tuple[Place, Labels]]:
    """Boxes around neighbouring annotated blocks of every plane, with their annotation."""
    n_t, _, n_z, height, width = image.stack.shape
    for t in range(n_t):
        for z in (z for z in range(n_z) if image.may_be_annotated(t, z)):
            for box, own in _occupied_boxes(image, t, z, (height, width)):
                labels = image.plane(t, z, box, cells)
                labels[~own] = NOT_ANNOTATED
                rows, columns = np.nonzero(labels.any(1))[0], np.nonzero(labels.any(0))[0]
                if rows.size:
                    inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
                    place = tuple(
                        slice(int(b.start + i.start), int(b.start + i.stop)) for b, i in zip(box, inner, strict=True)
                    )
                    yield (t, z, (place[0], place[1])), labels[inner]


def _occupied_boxes(
    image: AnnotatedImage, t: int, z: int, shape: tuple[int, int]
) -> Iterator[tuple[PlaneBox, npt.NDArray[np.bool_]]]:
    """Box around each group of touching annotated blocks, and its pixels that lie in blocks of that group.

    . . . . . . .
    . a a . b . .    Boxes may overlap, groups do not: the pixels of c inside a's box belong to c alone.
    . a . . b . .
    . a . . . . .
    . a a a a a .
    """
    groups, _ = ndi.label(_occupied_blocks(image, t, z, shape), np.ones((3, 3)))
    for group, (rows, columns) in enumerate(ndi.find_objects(groups), 1):
        box = tuple(slice(s.start * BLOCK, min(s.stop * BLOCK, n)) for s, n in zip((rows, columns), shape, strict=True))
        own = (groups[rows, columns] == group).repeat(BLOCK, 0).repeat(BLOCK, 1)
        yield (box[0], box[1]), own[: box[0].stop - box[0].start, : box[1].stop - box[1].start]


def _occupied_blocks(image: AnnotatedImage, t: int, z: int, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    blocks = np.zeros([-(-n // BLOCK) for n in shape], bool)
    if image.dense:
        blocks[:] = True
    else:
        for row in range(blocks.shape[0]):  # a strip at a time: the annotation may be larger than memory
            strip = image.labels.read(
                t, (slice(z, z + 1), slice(row * BLOCK, min((row + 1) * BLOCK, shape[0])), slice(0, shape[1]))
            )
            used = (strip[0, 0] != NOT_ANNOTATED).any(0)
            blocks[row] = np.logical_or.reduceat(used, np.arange(0, shape[1], BLOCK))
        for region in image.regions:
            if (region.t, region.z) == (t, z):
                rows, columns = region.box(shape)
                blocks[
                    rows.start // BLOCK : -(-rows.stop // BLOCK), columns.start // BLOCK : -(-columns.stop // BLOCK)
                ] = True
    return blocks


def _find_values(labels: Iterable[Labels], target: Target) -> list[int]:
    """Annotation values that occur; for cells background and "a cell"."""
    values = sorted({int(v) for area in labels for v in np.unique(area)} - {NOT_ANNOTATED})
    cells = [v for v in values if v > BACKGROUND]
    if not cells:
        raise AnnotrainError("Only background is painted. Paint at least one cell as well.")
    if target == "cells":
        if BACKGROUND not in values:
            raise AnnotrainError("Only cells are painted. Paint some background around them as well.")
        return [BACKGROUND, BACKGROUND + 1]
    if len(values) < 2:
        raise AnnotrainError("Only one class is painted. Paint some of another one, or background, as well.")
    if len(values) > MOST_CLASSES:
        raise AnnotrainError(
            f"The annotation has {len(values)} different values: to learn separate cells choose the target cells."
        )
    return values


def _make_area(
    image: int,
    key: str,
    place: Place,
    labels: Labels,
    target: Target,
    values: Sequence[int],
    spec: TrainSpec,
    released: Collection[str],
) -> Area:
    t, z, box = place
    if target == "cells":
        goal = cell_targets(labels)
        weight = cell_borders(labels, goal, spec.weights)
    else:
        goal = class_targets(labels, values)
        weight = class_borders(goal, len(values), spec.weights)
    held_out = is_validation(key, t, z, box, spec.validation, released) & (goal != IGNORE)
    return Area(image, key, t, z, box, goal, weight, held_out)


def _with_balance(area: Area, balance: npt.NDArray[np.float32]) -> Area:
    """Add the class weights to the border weights (equation 2: w_c + w0 exp(...))."""
    weight = np.where(area.target == IGNORE, 0, area.weight + balance[np.maximum(area.target, 0)])
    return replace(area, weight=weight.astype(np.float32))


def _share_range(measured: list[Normalisation], spec: TrainSpec) -> tuple[Normalisation, ...]:
    if spec.normalise.scope == "training":
        return (merge(measured),) * len(measured)
    return tuple(measured)


def _check_channels(images: Sequence[AnnotatedImage]) -> None:
    first = images[0].stack
    for image in images:
        if image.stack.n_channels != first.n_channels:
            raise AnnotrainError(
                f"{image.name} has {image.stack.n_channels} channels but {first.name} has {first.n_channels}: "
                "train on images with the same channels."
            )


def _cell_sizes(labels: Iterable[Labels]) -> tuple[float | None, int]:
    """Median equivalent diameter of the annotated cells in px, and a least area well below the smallest ones."""
    areas = np.concatenate([np.unique(a[a > BACKGROUND], return_counts=True)[1] for a in labels])
    typical = float(np.median(areas))
    least = min(float(np.percentile(areas, 2)), typical) / 3
    return 2 * float(np.sqrt(typical / np.pi)), int(least)

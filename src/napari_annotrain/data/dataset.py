from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from napari_annotrain.data.annotation import (
    BACKGROUND,
    AnnotatedImage,
    Labels,
    predicted_values,
)
from napari_annotrain.data.area import Area
from napari_annotrain.data.areas import Place, find_areas
from napari_annotrain.data.cells import CellSizes, pixels_of_cells
from napari_annotrain.data.finite import check_finite
from napari_annotrain.data.normalise import Normalisation, measure, merge
from napari_annotrain.data.validation import fingerprint, is_validation, keep_validation
from napari_annotrain.data.weights import (
    IGNORE,
    annotated_values,
    balance_classes,
    cell_distances,
    target_and_borders,
)
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import Target, TrainSpec


@dataclass(frozen=True)
class _Found:
    """An image, its place among those given, what is annotated in it, and its intensity range."""

    given: int
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
        Names of the images that could not be used; `notes` say why.
    sizes
        Of the annotated cells; None for the target ``classes``.
    released
        Validation blocks that were trained on, now or by the model to start from.
    given
        Place of each image among those that were given.
    """

    images: tuple[AnnotatedImage, ...]
    normalisations: tuple[Normalisation, ...]
    areas: tuple[Area, ...]
    classes: tuple[int, ...]
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    sizes: CellSizes | None = None
    released: tuple[str, ...] = ()
    given: tuple[int, ...] = ()

    @cached_property
    def n_annotated(self) -> tuple[int, ...]:
        """Annotated pixels of each class, validation included."""
        return tuple(sum(int((a.target == k).sum()) for a in self.areas) for k in range(len(self.classes)))

    @property
    def distances(self) -> tuple[str, ...]:
        """Names of the distance maps beside the class of each pixel: one for cells, none for classes."""
        return () if self.areas[0].distance is None else ("cell distance",)

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
    context_px: int = 0,
) -> AnnotatedDataset:
    """Find what is annotated, turn it into targets and weights, and set the validation blocks apart.

    Images without annotation are skipped with a note.

    Parameters
    ----------
    released
        Validation blocks that the model to start from was trained on (from its card); they are trained on again.
    skip_bad
        Skip images that cannot be used (unreadable, not finite, without contrast), instead of refusing.
    context_px
        Training will read so many pixels around what is annotated.

    Raises
    ------
    AnnotrainError
        Nothing is annotated, only one class is, the images differ in channels, or one of them cannot be used.
    """
    found, notes, failed = _find_all(images, target, spec, skip_bad, context_px)
    _check_channels([one.image for one in found])
    labels = [labels for one in found for _, labels in one.places]
    values = _find_values(labels, target)
    keys = [fingerprint(one.image.stack) for one in found]
    areas = [
        make_area(k, key, place, labels, target, values, spec, released)
        for k, (key, one) in enumerate(zip(keys, found, strict=True))
        for place, labels in one.places
    ]
    areas, newly_released, note = keep_validation(areas, len(values))
    notes += [note] if note else []
    dataset = AnnotatedDataset(
        tuple(one.image for one in found),
        _share_range([one.normalisation for one in found], spec),
        tuple(areas),
        tuple(predicted_values(values)),
        tuple(notes),
        tuple(failed),
        CellSizes.of_counted(area.cells_px for area in areas) if target == "cells" else None,
        tuple(sorted({*released, *newly_released})),
        tuple(one.given for one in found),
    )
    return balanced(dataset, spec)


def balanced(dataset: AnnotatedDataset, spec: TrainSpec) -> AnnotatedDataset:
    """Weigh the classes by how much is annotated of each."""
    balance = balance_classes(dataset.n_annotated, spec.weights)
    return replace(dataset, areas=tuple(replace(area, balance=balance) for area in dataset.areas))


def _find_all(
    images: Sequence[AnnotatedImage], target: Target, spec: TrainSpec, skip_bad: bool, context_px: int
) -> tuple[list[_Found], list[str], list[str]]:
    """Images to learn from, notes on the others, and the names of those that cannot be used."""
    found: list[_Found] = []
    notes, failed = [], []
    for k, image in enumerate(images):
        try:
            one = _look_at(k, image, target, spec, context_px)
        except AnnotrainError as error:
            if not skip_bad:
                raise
            notes.append(str(error))
            failed.append(image.name)
            continue
        if one is None:
            notes.append(f"{image.name} was skipped: nothing is annotated in it.")
        else:
            found.append(one)
    if not found and failed:
        raise AnnotrainError(f"None of the {len(images)} images can be trained on; {notes[0]}")
    if not found:
        raise AnnotrainError("Nothing is annotated yet: paint some cells and some background first.")
    return found, notes, failed


def _look_at(given: int, image: AnnotatedImage, target: Target, spec: TrainSpec, context_px: int) -> _Found | None:
    """What is annotated in one image, and its intensity range; None where nothing is."""
    places = list(find_areas(image, target == "cells"))
    if not places:
        return None
    full_size = image.full_size or image.stack
    sample = full_size.overview()
    check_finite(image.stack, sample, [place for place, _ in places], context_px)
    normalisation = measure(full_size, spec.normalise, sample)
    if normalisation.is_constant:
        raise AnnotrainError(
            f"The image {image.name} has the same value everywhere: "
            "leave it out, or choose one in which something is to be seen."
        )
    return _Found(given, image, places, normalisation)


def _find_values(labels: Iterable[Labels], target: Target) -> list[int]:
    """Annotation values that occur; for cells background and "a cell"."""
    values = annotated_values(labels, target)
    cells = [v for v in values if v > BACKGROUND]
    if not cells:
        raise AnnotrainError("Only background is painted: paint at least one cell as well.")
    if target == "cells":
        if BACKGROUND not in values:
            raise AnnotrainError("Only cells are painted: paint some background around them as well.")
        return [BACKGROUND, BACKGROUND + 1]
    if len(values) < 2:
        raise AnnotrainError("Only one class is painted: paint some of another one, or background, as well.")
    return values


def make_area(
    image: int,
    key: str,
    place: Place,
    labels: Labels,
    target: Target,
    values: Sequence[int],
    spec: TrainSpec,
    released: Collection[str],
) -> Area:
    """Turn the (Y, X) annotation of a place into what is learnt there.

    Parameters
    ----------
    image, key
        Index of the image in the dataset, and its fingerprint.
    values
        Annotation values of the classes, ascending; others are not learnt.
    released
        Validation blocks that are trained on.
    """
    t, z, box = place
    goal, border = target_and_borders(labels, target, values, spec.weights)
    distance = cell_distances(labels, goal) if target == "cells" else None
    cells = pixels_of_cells(labels) if target == "cells" else None
    held_out = is_validation(key, t, z, box, spec.validation, released) & (goal != IGNORE)
    return Area(image, key, t, z, box, goal, border, np.ones(len(values), np.float32), held_out, distance, cells)


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

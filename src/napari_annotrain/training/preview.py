"""What training makes of an annotated place, to be looked at: the same deformation, drawn and applied as there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage as ndi

from napari_annotrain.data.annotation import BACKGROUND, AnnotatedImage, Labels, PlaneBox
from napari_annotrain.data.areas import areas_of_plane, find_areas
from napari_annotrain.data.gaps import count_closed, find_gaps
from napari_annotrain.data.normalise import Normalisation, measure
from napari_annotrain.data.weights import annotated_values, target_and_borders
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import Target, TrainSpec
from napari_annotrain.tiles.grid import read_mirrored
from napari_annotrain.training import augment

#: So many annotated places are looked at for one with neighbouring cells.
MOST_PLACES = 16
#: More closed gaps than this share of them are worth a warning.
FEW_CLOSED = 0.05
#: Outlines of background and of classes 1, 2, ...
COLOURS = ((138, 148, 166), (255, 159, 28), (46, 196, 241), (231, 84, 166), (246, 224, 94))
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class AugmentationPreview:
    """One annotated place, deformed again and again.

    Attributes
    ----------
    images
        (N, Y, X, 3) uint8: the first as it is, the others as training would see it; the outlines are those of what
        is annotated.
    n_gaps, n_closed
        Gaps between neighbouring cells seen in the deformed ones, and those of them that have closed
        (`data.gaps.count_closed`).
    place
        (t, z, y, x) of the middle, in px.
    """

    images: Pictures = field(repr=False)
    n_gaps: int
    n_closed: int
    place: tuple[int, int, int, int]

    @property
    def warns(self) -> bool:
        """Whether too many gaps close."""
        return self.n_closed > FEW_CLOSED * self.n_gaps

    def in_words(self) -> str:
        """What the gaps between cells suffer, in one sentence."""
        if not self.n_gaps:
            return "No two neighbouring cells are annotated here, so it cannot be measured whether gaps close."
        gaps = (
            f"{self.n_gaps:,} gap{'' if self.n_gaps == 1 else 's'} between neighbouring cells in the deformed pictures"
        )
        if self.warns:
            return (
                f"{self.n_closed:,} of {gaps} close: the cells touch along more than half of the gap. Cells would be "
                "learnt as one: lower the elastic deformation or the scale, or raise the elastic grid."
            )
        return f"Of {gaps} {self.n_closed or 'none'} close{'s' if self.n_closed <= 1 else ''}."


def preview_deformed(
    image: AnnotatedImage,
    target: Target,
    spec: TrainSpec,
    *,
    plane: tuple[int, int] | None = None,
    place: tuple[int, int, int, int] | None = None,
    n: int = 9,
    normalisation: Normalisation | None = None,
    colours: Sequence[tuple[int, int, int]] = COLOURS,
) -> AugmentationPreview:
    """Deform an annotated place as training with these settings would.

    Parameters
    ----------
    plane
        (t, z) to look for annotation in first.
    place
        (t, z, y, x) of the middle, in px; None for a gap between neighbouring cells, or else what is annotated.
    n
        Pictures, of which the first is not deformed.
    normalisation
        Intensity range of the image, where it is known.
    colours
        (red, green, blue) of the outlines of background and classes.

    Raises
    ------
    AnnotrainError
        Nothing is annotated.
    """
    place = place or _find_place(image, target, spec, plane)
    side = augment.window_size(spec.augment, spec.patch)
    t, z, *middle = place
    window = tuple(slice(c - side // 2, c - side // 2 + side) for c in middle)
    picture = _read_image(image, t, z, window, normalisation or measure(image.stack, spec.normalise))  # type: ignore[arg-type]
    classes, cells, background = _read_labels(image, t, z, window, target, spec)  # type: ignore[arg-type]
    gaps = find_gaps(cells, background)
    off = (side - spec.patch) // 2
    crop = (slice(None), slice(off, off + spec.patch), slice(off, off + spec.patch))
    maps = np.stack([classes, cells, gaps.map]).astype(np.float32)
    drawn = augment.draw(np.random.default_rng(spec.seed), spec.augment, n - 1, spec.patch)
    batch = [torch.from_numpy(a)[None].expand(n - 1, -1, -1, -1) for a in (picture, maps)]
    deformed = [a.numpy() for a in augment.apply(drawn, spec.augment, spec.patch, *batch)]
    counts = [count_closed(gaps, m[2].astype(np.int64), m[1].astype(np.int64)) for m in deformed[1]]
    shown = [(picture[crop], maps[crop]), *zip(*deformed, strict=True)]
    low, high = _shown_range(picture, spec)
    pictures = np.stack([_draw(one, labels, low, high, colours) for one, labels in shown])
    return AugmentationPreview(pictures, sum(c[0] for c in counts), sum(c[1] for c in counts), place)


def _find_place(
    image: AnnotatedImage, target: Target, spec: TrainSpec, plane: tuple[int, int] | None
) -> tuple[int, int, int, int]:
    """Where a gap counts most; where there is none, the middle of what is annotated."""
    cells = target == "cells"
    here = areas_of_plane(image, *plane, cells) if plane is not None else ()
    areas = [((*plane, box), labels) for box, labels in islice(here, MOST_PLACES)] if plane is not None else []
    areas = areas or list(islice(find_areas(image, cells), MOST_PLACES))
    if not areas:
        raise AnnotrainError("Nothing is annotated yet: paint some cells and some background first.")
    values = annotated_values([labels for _, labels in areas], target)
    found = []
    for (t, z, box), labels in areas:
        border = target_and_borders(labels, target, values, spec.weights)[1]
        y, x = np.unravel_index(int(border.argmax()), border.shape)
        if border[y, x] <= 0:
            at = np.argwhere(labels > (BACKGROUND if (labels > BACKGROUND).any() else 0))
            y, x = at[np.abs(at - at.mean(0)).sum(1).argmin()]
        found.append((float(border[y, x]), labels.size, (t, z, int(y) + box[0].start, int(x) + box[1].start)))
    return max(found)[2]


def _read_image(
    image: AnnotatedImage, t: int, z: int, window: PlaneBox, normalisation: Normalisation
) -> npt.NDArray[np.float32]:
    def read(box: PlaneBox) -> npt.NDArray[np.generic]:
        return image.stack.read(t, (slice(z, z + 1), *box))[:, 0]

    return normalisation.apply(read_mirrored(read, image.stack.shape[-2:], window))


def _read_labels(
    image: AnnotatedImage, t: int, z: int, window: PlaneBox, target: Target, spec: TrainSpec
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Index of the class + 1, ids of cells or of separate pieces of paint, and the annotated background."""
    inside = tuple(slice(max(0, s.start), min(s.stop, n)) for s, n in zip(window, image.stack.shape[-2:], strict=True))
    labels: Labels = np.zeros([s.stop - s.start for s in window], np.int32)
    to = tuple(slice(i.start - w.start, i.stop - w.start) for i, w in zip(inside, window, strict=True))
    labels[to] = image.plane(t, z, (inside[0], inside[1]), target == "cells")
    values = annotated_values([labels], target)
    goal, _ = target_and_borders(labels, target, values, spec.weights)
    if target == "cells":
        cells = np.unique(labels * (goal == 1), return_inverse=True)[1].reshape(labels.shape)
        return goal.astype(np.int64) + 1, cells, goal == 0
    cells = np.zeros(labels.shape, np.int64)
    for value in [value for value in values if value > BACKGROUND]:
        pieces, n_before = ndi.label(labels == value)[0], int(cells.max())
        cells = np.where(pieces > 0, pieces + n_before, cells)
    return labels.astype(np.int64), cells, labels == BACKGROUND


def _shown_range(picture: npt.NDArray[np.float32], spec: TrainSpec) -> tuple[float, float]:
    """Intensities that are drawn black and white."""
    if spec.normalise.mode in ("percentile", "minmax"):
        return 0.0, 1.0
    low, high = np.percentile(picture, (1, 99.8))
    return float(low), max(float(high), float(low) + 1e-6)


def _draw(
    picture: npt.NDArray[np.float32],
    maps: npt.NDArray[np.float32],
    low: float,
    high: float,
    colours: Sequence[tuple[int, int, int]],
) -> Pictures:
    """(C, Y, X) intensities in grey, or the first channels in colour, with the outlines of what is annotated."""
    grey = np.clip((picture - low) / (high - low), 0, 1) * 255
    shown = np.repeat(grey[:1], 3, 0) if len(grey) == 1 else np.zeros((3, *grey.shape[1:]))
    if len(grey) > 1:
        shown[: len(grey)] = grey[:3]
    made = np.ascontiguousarray(np.moveaxis(shown, 0, -1)).astype(np.uint8)
    classes, cells = maps[0].astype(np.int64), maps[1].astype(np.int64)
    for index in np.unique(classes[classes > 0]):
        own = np.where(classes == index, 1 + cells, 0)
        outline = (own > 0) & (ndi.grey_erosion(own, size=3) != own)
        made[outline] = colours[min(int(index) - 1, len(colours) - 1)]
    return made

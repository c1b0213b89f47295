"""Where an image is annotated: boxes around the painted parts of every plane."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.data.annotation import NOT_ANNOTATED, AnnotatedImage, Labels, PlaneBox
from napari_annotrain.data.cells import separate

#: Annotated places nearer than this share one area, in px.
BLOCK = 128
#: T, Z and the box in that plane.
Place = tuple[int, int, PlaneBox]


def find_areas(image: AnnotatedImage, cells: bool) -> Iterator[tuple[Place, Labels]]:
    """Boxes around neighbouring annotated blocks of every plane, with their annotation (see `cells.separate`)."""
    n_t, _, n_z, _, _ = image.stack.shape
    for t in range(n_t):
        for z in range(n_z):
            for box, labels in areas_of_plane(image, t, z, cells):
                yield (t, z, box), labels


def areas_of_plane(image: AnnotatedImage, t: int, z: int, cells: bool) -> Iterator[tuple[PlaneBox, Labels]]:
    """The same in one plane."""
    if not image.may_be_annotated(t, z):
        return
    shape = image.stack.shape[-2:]
    for box, own in group_boxes(occupied_blocks(image, t, z, (slice(0, shape[0]), slice(0, shape[1]))), shape):
        yield from read_group(image, t, z, box, own, cells)


def read_group(
    image: AnnotatedImage, t: int, z: int, box: PlaneBox, own: npt.NDArray[np.bool_], cells: bool
) -> Iterator[tuple[PlaneBox, Labels]]:
    """Smallest box around what is annotated in the own pixels of a group of blocks, with it; nothing if it is empty."""
    labels = image.plane(t, z, box, cells)
    labels[~own] = NOT_ANNOTATED
    rows, columns = np.nonzero(labels.any(1))[0], np.nonzero(labels.any(0))[0]
    if rows.size:
        inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        place = tuple(slice(int(b.start + i.start), int(b.start + i.stop)) for b, i in zip(box, inner, strict=True))
        yield (place[0], place[1]), separate(labels[inner]) if cells else labels[inner]


def group_boxes(
    blocks: npt.NDArray[np.bool_], shape: tuple[int, int], only: npt.NDArray[np.bool_] | None = None
) -> Iterator[tuple[PlaneBox, npt.NDArray[np.bool_]]]:
    """Box around each group of touching annotated blocks, and its pixels that lie in blocks of that group.

    . . . . . . .
    . a a . b . .    Boxes may overlap, groups do not: the pixels of c inside a's box belong to c alone.
    . a . . b . .
    . a . . . . .
    . a a a a a .

    Given `only`, the other groups than those with one of these blocks are left out.
    """
    groups, _ = ndi.label(blocks, np.ones((3, 3)))
    wanted = None if only is None else set(np.unique(groups[only]).tolist())
    for group, (rows, columns) in enumerate(ndi.find_objects(groups), 1):
        if wanted is not None and group not in wanted:
            continue
        box = tuple(slice(s.start * BLOCK, min(s.stop * BLOCK, n)) for s, n in zip((rows, columns), shape, strict=True))
        own = (groups[rows, columns] == group).repeat(BLOCK, 0).repeat(BLOCK, 1)
        yield (box[0], box[1]), own[: box[0].stop - box[0].start, : box[1].stop - box[1].start]


def occupied_blocks(image: AnnotatedImage, t: int, z: int, box: PlaneBox) -> npt.NDArray[np.bool_]:
    """Which blocks of a plane may be annotated, where they touch a box; False for all others."""
    height, width = image.stack.shape[-2:]
    blocks = np.zeros((-(-height // BLOCK), -(-width // BLOCK)), bool)
    rows, columns = (slice(s.start // BLOCK, -(-s.stop // BLOCK)) for s in box)
    if image.dense:
        blocks[rows, columns] = True
        return blocks
    left, right = columns.start * BLOCK, min(columns.stop * BLOCK, width)
    for row in range(rows.start, rows.stop):  # a strip at a time: the annotation may be larger than memory
        top = row * BLOCK
        strip = image.labels.read(t, (slice(z, z + 1), slice(top, min(top + BLOCK, height)), slice(left, right)))
        used = (strip[0, 0] != NOT_ANNOTATED).any(0)
        blocks[row, columns] = np.logical_or.reduceat(used, np.arange(0, right - left, BLOCK))
    touched = np.zeros_like(blocks)
    touched[rows, columns] = True
    for region in image.regions:
        if (region.t, region.z) == (t, z):
            drawn = tuple(slice(s.start // BLOCK, -(-s.stop // BLOCK)) for s in region.box((height, width)))
            blocks[drawn] |= touched[drawn]
    return blocks

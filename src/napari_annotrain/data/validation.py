"""Which annotation is kept for validation: fixed blocks, chosen once by hashing, the same in every retraining."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.area import Area
from napari_annotrain.data.stack import Stack

#: Side of a validation block, in px, counted from the image's origin.
BLOCK = 64
#: With fewer annotated blocks than this, all annotation is trained on and nothing is validated.
FEWEST_BLOCKS = 24
FEWEST_HELD_OUT = 3
#: Side of the square in the middle of the first plane by which an image is known again, in px.
FINGERPRINT = 16


def fingerprint(stack: Stack) -> str:
    """Know an image again under another name: its size and the pixels in the middle of its first plane."""
    y, x = (slice(n // 2 - min(n, FINGERPRINT) // 2, n // 2 + (min(n, FINGERPRINT) + 1) // 2) for n in stack.shape[-2:])
    middle = stack.read(0, (slice(0, 1), y, x))
    return blake2b(repr((stack.shape, middle.tolist())).encode(), digest_size=8).hexdigest()


def is_validation(
    image: str, t: int, z: int, box: tuple[slice, slice], share: float, released: Collection[str] = ()
) -> npt.NDArray[np.bool_]:
    """Pixels of a box, (Y, X), that lie in validation blocks.

    A block's fate hangs on its image, plane and position alone, so painting more never moves a pixel from training
    to validation or back, and a score stays comparable between retrainings.

    Parameters
    ----------
    image
        Fingerprint of the image.
    box
        (Y, X) slices in the image.
    share
        Of the blocks, 0 to 1.
    released
        Names of blocks that the model to start from has been trained on (see `keep_validation`); never chosen.
    """
    rows, columns = (np.arange(s.start, s.stop) // BLOCK for s in box)
    ys, xs = np.unique(rows), np.unique(columns)
    names = [[_name(image, t, z, y, x) for x in xs] for y in ys]
    blocks = np.array([[_hash(name) < share and name not in released for name in line] for line in names], bool)
    return blocks[np.ix_(rows - rows[0], columns - columns[0])]


def held_out_blocks(
    image: str, t: int, z: int, shape: tuple[int, int], share: float, released: Collection[str] = ()
) -> tuple[dict[str, tuple[int, int]], int]:
    """Validation blocks of a whole plane of this (Y, X) shape, all of which is known: (y, x) origins in px by name.

    And how many blocks the plane has.
    """
    rows, columns = (range(0, n, BLOCK) for n in shape)
    places = {_name(image, t, z, y // BLOCK, x // BLOCK): (y, x) for y in rows for x in columns}
    chosen = {name: place for name, place in places.items() if _hash(name) < share and name not in released}
    return chosen, len(places)


def keep_validation(areas: Sequence[Area], n_classes: int) -> tuple[list[Area], tuple[str, ...], str]:
    """Keep the validation blocks if the annotation is large enough for them; else train on all, and say so.

    Returns
    -------
    areas
        With `held_out` as it is, or cleared.
    released
        Names of the chosen blocks that are trained on after all. A model that starts from this training must not be
        validated on them: they go into its card.
    note
        A sentence for the user, or nothing.
    """
    held_out = [name for area in areas for name in _names(area, area.held_out)]
    n_blocks = sum(len(_names(area, area.target >= 0)) for area in areas)
    if n_blocks >= FEWEST_BLOCKS and len(held_out) >= FEWEST_HELD_OUT and _all_classes_left(areas, n_classes):
        return list(areas), (), ""
    note = "Too little is annotated to keep some of it for validation: all of it is used for training."
    cleared = [replace(area, held_out=np.zeros_like(area.held_out)) for area in areas]
    return cleared, tuple(sorted(set(held_out))), note


def _all_classes_left(areas: Sequence[Area], n_classes: int) -> bool:
    """Every class occurs in what is trained on."""
    seen = {int(k) for area in areas for k in np.unique(area.target[~area.held_out])}
    return seen >= set(range(n_classes))


def _names(area: Area, mask: npt.NDArray[np.bool_]) -> list[str]:
    """Names of the blocks in which a mask over an area has pixels."""
    first = [s.start // BLOCK for s in area.box]
    edges = [np.maximum(np.arange(s.start // BLOCK * BLOCK, s.stop, BLOCK), s.start) - s.start for s in area.box]
    filled = np.logical_or.reduceat(np.logical_or.reduceat(mask, edges[0], axis=0), edges[1], axis=1)
    return [_name(area.key, area.t, area.z, int(y), int(x)) for y, x in np.argwhere(filled) + first]


def _name(image: str, t: int, z: int, y: int, x: int) -> str:
    return f"{image}/{t}/{z}/{y}/{x}"


def _hash(text: str) -> float:
    """A number in 0 .. 1 that is the same on every computer and in every run."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64

"""Which annotation is kept for validation: fixed blocks, chosen once by hashing, the same in every retraining."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from napari_annotrain.data.area import Area

#: Side of a validation block, in px, counted from the image's origin.
BLOCK = 64
#: With fewer annotated blocks than this, all annotation is trained on and nothing is validated.
FEWEST_BLOCKS = 24
FEWEST_HELD_OUT = 3


def is_validation(image: str, t: int, z: int, box: tuple[slice, slice], share: float) -> npt.NDArray[np.bool_]:
    """Pixels of a box, (Y, X), that lie in validation blocks.

    A block's fate hangs on its image, plane and position alone, so painting more never moves a pixel from training
    to validation or back, and a score stays comparable between retrainings.
    """
    rows, columns = (np.arange(s.start, s.stop) // BLOCK for s in box)
    chosen = {(y, x): _hash(f"{image}/{t}/{z}/{y}/{x}") < share for y in np.unique(rows) for x in np.unique(columns)}
    blocks = np.array([[chosen[y, x] for x in np.unique(columns)] for y in np.unique(rows)], bool)
    return blocks[np.ix_(rows - rows[0], columns - columns[0])]


def keep_validation(areas: Sequence[Area], n_classes: int) -> tuple[list[Area], str]:
    """Keep the validation blocks if the annotation is large enough for them; else train on all, and say so."""
    n_held_out = sum(_count_blocks(area, area.held_out) for area in areas)
    n_blocks = sum(_count_blocks(area, area.target >= 0) for area in areas)
    if n_blocks >= FEWEST_BLOCKS and n_held_out >= FEWEST_HELD_OUT and _all_classes(areas, n_classes):
        return list(areas), ""
    note = "Too little is annotated to keep some of it for validation: all of it is used for training."
    return [replace(area, held_out=np.zeros_like(area.held_out)) for area in areas], note


def _all_classes(areas: Sequence[Area], n_classes: int) -> bool:
    """Every class occurs both in what is trained on and in what is held out."""
    for held_out in (True, False):
        seen = {int(k) for area in areas for k in np.unique(area.target[area.held_out == held_out])}
        if not seen >= set(range(n_classes)):
            return False
    return True


def _count_blocks(area: Area, mask: npt.NDArray[np.bool_]) -> int:
    rows, columns = np.nonzero(mask)
    block = (rows + area.box[0].start) // BLOCK * (1 << 20) + (columns + area.box[1].start) // BLOCK
    return len(np.unique(block))


def _hash(text: str) -> float:
    """A number in 0 .. 1 that is the same on every computer and in every run."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / 2**64

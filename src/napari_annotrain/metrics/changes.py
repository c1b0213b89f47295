"""What is new in one set of labels, and what is gone, against an earlier one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_annotrain.metrics.overlaps import count_overlaps, totals

#: What the pixels of `Changes.map` say.
SAME, NEW, GONE = 0, 1, 2


@dataclass(frozen=True)
class Changes:
    """How two sets of labels of the same place differ.

    Attributes
    ----------
    map
        uint8, of their shape: SAME, NEW or GONE.
    n_new, n_gone
        Cells where cells are compared, else pixels.
    cells
        Whether cells were compared.
    """

    map: npt.NDArray[np.uint8]
    n_new: int
    n_gone: int
    cells: bool

    def in_words(self) -> str:
        """Such as "12 cells are new (green), 3 are gone (red)"."""
        if not (self.n_new or self.n_gone):
            return "Nothing has changed in what is in view"
        one, many = ("cell", "cells") if self.cells else ("pixel", "pixels")
        new = f"{self.n_new:,} {one if self.n_new == 1 else many} {'is' if self.n_new == 1 else 'are'} new (green)"
        return f"{new}, {self.n_gone:,} {'is' if self.n_gone == 1 else 'are'} gone (red)"


def compare_classes(before: npt.NDArray[np.integer], after: npt.NDArray[np.integer]) -> Changes:
    """Compare pixel by pixel; 0 is background. Of a pixel that has changed its class the new one counts."""
    differs = before != after
    changes = np.where(differs & (after != 0), NEW, np.where(differs, GONE, SAME)).astype(np.uint8)
    return Changes(changes, int((changes == NEW).sum()), int((changes == GONE).sum()), cells=False)


def compare_cells(before: npt.NDArray[np.integer], after: npt.NDArray[np.integer]) -> Changes:
    """Compare cell by cell; ids need not agree.

    A cell is the same where the intersection over union with one of the others exceeds one half, which at most one
    does: its pixels are left out, also where its outline has moved. A cell that was split is gone, and its parts are
    new; where a new cell lies over one that is gone it is seen.
    """
    ours, theirs, n, after_ids, before_ids = count_overlaps(after, before)
    after_px, before_px = totals(ours, n, len(after_ids)), totals(theirs, n, len(before_ids))
    both = (after_ids[ours] != 0) & (before_ids[theirs] != 0)
    same = both & (2 * n > after_px[ours] + before_px[theirs] - n)
    is_new, is_gone = after_ids != 0, before_ids != 0
    is_new[ours[same]] = is_gone[theirs[same]] = False
    new, gone = np.isin(after, after_ids[is_new]), np.isin(before, before_ids[is_gone])
    changes = np.where(new, NEW, np.where(gone, GONE, SAME)).astype(np.uint8)
    return Changes(changes, int(is_new.sum()), int(is_gone.sum()), cells=True)


def compare_planes(
    before: npt.NDArray[np.integer],
    after: npt.NDArray[np.integer],
    cells: bool,
    where: npt.NDArray[np.bool_] | None = None,
) -> Changes:
    """Compare (T, Z, Y, X) labels plane by plane, as cells or as classes; given `where`, only there."""
    if where is not None:
        before, after = np.where(where, before, 0), np.where(where, after, 0)
    compare = compare_cells if cells else compare_classes
    shape = after.shape
    before, after = (a.reshape(-1, *shape[-2:]) for a in (before, after))
    planes = [compare(b, a) for b, a in zip(before, after, strict=True)]
    found = np.stack([one.map for one in planes]).reshape(shape)
    return Changes(found, sum(one.n_new for one in planes), sum(one.n_gone for one in planes), cells)

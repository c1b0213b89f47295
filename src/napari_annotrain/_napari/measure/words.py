"""What the fifth step says."""

import numpy as np

from napari_annotrain.measurement import CLASSES, Table

NO_IMAGE = "Open an image and predict it; then its objects can be measured."
NO_LABELS = "Nothing to measure yet: predict cells in step 4, or add a labels layer of the size of the image."
READY = "Press Measure to get a table of every object: size, shape, brightness, position."
NO_TABLE = "There is no table yet: press Measure."
STALE = "Out of date: labels or image have changed since. Press Measure again."
BUSY, ENDING, IDLE = "It is being measured or saved.", "It ends in a moment.", "Nothing is being measured."
PREDICTING = "A prediction of these labels is going on."


def amount(table: Table) -> str:
    """Such as "1,204 cells"."""
    n = len(np.unique(table["label"]))
    if table.kind == CLASSES:
        return f"{n:,} class{'' if n == 1 else 'es'}"
    return f"{n:,} cell{'' if n == 1 else 's'}"


def found(table: Table) -> str:
    """How many objects there are, in which planes, and how many touch the border."""
    counts, words = list(table.counts().values()), amount(table)
    if len(counts) > 1:
        if table.kind != CLASSES and table.n_rows > len(np.unique(table["label"])):  # some go through several planes
            words += f", {table.n_rows:,} outlines"
        words += f" in {len(counts):,} planes"
        if table.kind != CLASSES:
            words += f" ({min(counts):,} to {max(counts):,} in each, {np.mean(counts):.3g} on average)"
    if "touches_border" in table and table["touches_border"].any():
        n = int(table["touches_border"].sum())
        words += f"; {n:,} touch{'es' if n == 1 else ''} the border of the image"
    return f"{words}."


def under_way(n: int, done: int, total: int) -> str:
    """Such as "Plane 3 of 40, 512 objects so far"."""
    return f"Plane {min(done + 1, total):,} of {total:,}, {n:,} objects so far ..."

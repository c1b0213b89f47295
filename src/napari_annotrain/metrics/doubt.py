"""Where a model is in doubt: entropy of its probabilities, gathered in blocks of a plane."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Side of a block, in px: a place to paint at, not a pixel.
BLOCK_PX = 64
#: The two likeliest classes differ by less than this where the model is in doubt (1 - margin above 0.7).
CLOSE = 0.3
Box = tuple[slice, slice]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Doubt:
    """A place where it is worth painting: one block of a plane.

    Attributes
    ----------
    t, z, box
        Where it lies: plane, rows and columns in px.
    doubt
        Mean entropy of the class probabilities, 0 to 1 (all classes equally likely).
    n_px
        Pixels where the two likeliest classes are nearly equally likely.
    near
        Whether something is painted within `BLOCK_PX` of the block (nothing is in it).
    n_planes
        Planes of the image, so that the place can be named.
    """

    t: int
    z: int
    box: Box
    doubt: float
    n_px: int
    near: bool = False
    n_planes: int = 1
    n_times: int = 1

    def __str__(self) -> str:
        place = place_in_words(self.t, self.z, self.n_times, self.n_planes)
        here = f"{place}: the model" if place else "The model"
        about = f"{here} is in doubt about {self.n_px:,} px here (probability near one half)"
        if self.n_px == 0:
            about = f"{here} is less sure here than elsewhere ({100 * self.doubt:.0f} % of the most doubt possible)"
        where = f"in this square of {BLOCK_PX} px" if self.near else f"within {BLOCK_PX} px"
        return f"{about} and nothing is painted {where}."


def place_in_words(t: int, z: int, n_times: int, n_planes: int) -> str:
    """Such as "Plane 12", counted from 0 as napari does; empty for an image of one plane."""
    words = ([f"time {t}"] if n_times > 1 else []) + ([f"plane {z}"] if n_planes > 1 else [])
    return ", ".join(words).capitalize()


def entropy(probabilities: npt.NDArray[np.floating]) -> Floats:
    """Entropy over the first axis, divided by the highest possible: 0 to 1, (K, Y, X) to (Y, X).

    Raises
    ------
    ValueError
        There is only one class.
    """
    k = len(probabilities)
    if k < 2:
        raise ValueError("Doubt needs two classes.")
    p = np.clip(probabilities.astype(np.float64), 1e-12, 1)
    return np.asarray(np.clip(-(p * np.log(p)).sum(0) / np.log(k), 0, 1))


def is_close(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Where the two likeliest classes are nearly equally likely, (K, Y, X) to (Y, X)."""
    best = np.sort(probabilities, axis=0)[-2:]
    return np.asarray(best[1] - best[0] < CLOSE)


class Blocks:
    """Sums over the blocks of one plane, of parts that come in any order and need not be aligned to them."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        n = tuple(-(-side // BLOCK_PX) for side in shape)
        self.doubt, self.close, self.seen = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64)

    def add(self, box: Box, probabilities: npt.NDArray[np.floating]) -> None:
        """Add (K, Y, X) probabilities of a box of the plane."""
        values = (entropy(probabilities), is_close(probabilities), np.ones(probabilities.shape[1:], np.int64))
        places = tuple(slice(s.start // BLOCK_PX, -(-s.stop // BLOCK_PX)) for s in box)
        for sums, part in zip((self.doubt, self.close, self.seen), values, strict=True):
            sums[places] += _by_block(part, box)

    def places(self, painted: npt.NDArray[np.bool_], t: int, z: int, n_times: int, n_planes: int) -> list[Doubt]:
        """All blocks seen in which nothing is painted (`painted`, one a block), each as a place."""
        found = []
        beside = _grown(painted)
        for y, x in np.argwhere((self.seen > 0) & ~painted):
            box = tuple(
                slice(int(i) * BLOCK_PX, min((int(i) + 1) * BLOCK_PX, n))
                for i, n in zip((y, x), self.shape, strict=True)
            )
            mean = float(self.doubt[y, x] / self.seen[y, x])
            near = bool(beside[y, x])
            found.append(Doubt(t, z, (box[0], box[1]), mean, int(self.close[y, x]), near, n_planes, n_times))
        return found


def worst_apart(places: Iterable[Doubt], most: int) -> list[Doubt]:
    """The most doubtful places, no two of them beside each other in a plane or the next one.

    Places near paint count half: the model will learn about them from there.
    """
    chosen: list[Doubt] = []
    for one in sorted(places, key=lambda d: (-_rank(d), d.t, d.z, d.box[0].start, d.box[1].start)):
        if not any(_are_beside(one, other) for other in chosen):
            chosen.append(one)
            if len(chosen) == most:
                break
    return chosen


def _rank(place: Doubt) -> float:
    return place.doubt * (0.5 if place.near else 1)


def _are_beside(one: Doubt, other: Doubt) -> bool:
    near = [abs(a.start - b.start) <= BLOCK_PX for a, b in zip(one.box, other.box, strict=True)]
    return one.t == other.t and abs(one.z - other.z) <= 1 and all(near)


def _by_block(values: npt.NDArray[Any], box: Box) -> npt.NDArray[Any]:
    sums = values
    for axis, span in enumerate(box):
        edges = [0, *range((span.start // BLOCK_PX + 1) * BLOCK_PX - span.start, span.stop - span.start, BLOCK_PX)]
        sums = np.add.reduceat(sums, edges, axis=axis, dtype=np.float64)
    return sums.astype(np.int64) if values.dtype.kind in "bi" else sums


def _grown(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    views = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.asarray(np.any(views, axis=0))

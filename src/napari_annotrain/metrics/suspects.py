"""What was painted and the model disagrees with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage as ndi

from napari_annotrain.metrics.doubt import place_in_words

Labels = npt.NDArray[np.integer]
Box = tuple[slice, slice]
#: Strokes larger than this are judged piece by piece, so that one slip is not lost in a large area, in px.
PIECE_PX = 128
#: Smaller pieces are not worth a click, in px.
LEAST_PX = 4
#: From this on the model is rather against it: it gives what was painted a probability below one half, in nats.
AGAINST = float(np.log(2))
EVERYWHERE = np.ones((3, 3), bool)


@dataclass(frozen=True, eq=False)
class Suspect:
    """A stroke or a cell that the model disagrees with.

    Attributes
    ----------
    t, z, box
        Where it lies: plane, rows and columns in px.
    value
        Annotation value.
    mask
        (Y, X) of the box: its pixels.
    disagreement
        Mean cross-entropy of the model on its pixels, in nats: minus the logarithm of the probability that it gives
        to what is painted.
    likelier
        Annotation value that the model sees there instead, on more of its pixels than any other; of cells 2 for any.
    share
        On which part of its pixels it does, 0 to 1: less than a half where it is sure on a few and in doubt elsewhere.
    """

    t: int
    z: int
    box: Box
    value: int
    mask: npt.NDArray[np.bool_] = field(repr=False)
    disagreement: float
    likelier: int
    share: float
    n_planes: int = 1
    n_times: int = 1

    @property
    def n_px(self) -> int:
        """Its pixels."""
        return int(self.mask.sum())

    @property
    def centre(self) -> tuple[int, int]:
        """(y, x) in px of the middle of its box."""
        return tuple((s.start + s.stop) // 2 for s in self.box)

    def words(self, names: Mapping[int, str], cells: bool = False) -> str:
        """Such as "Plane 3: cell 7, 140 px; the model sees background on 93 %"; names and cells by annotation value."""
        place = place_in_words(self.t, self.z, self.n_times, self.n_planes)
        sure = f"the model sees {self._seen(names, cells)} on {100 * self.share:.0f} %"
        seen = sure if self.share else f"the model is in doubt, as it may be {self._seen(names, cells)}"
        said = f"{place + ': ' if place else ''}{self._painted(names, cells)}, {self.n_px:,} px; {seen}"
        return said[0].upper() + said[1:]

    def line(self, names: Mapping[int, str], cells: bool = False) -> str:
        """The same in few words, for a list: "Plane 3 · cell · model: background (93 %)"."""
        place = place_in_words(self.t, self.z, self.n_times, self.n_planes)
        seen = f"model: {self._seen(names, cells)} ({f'{100 * self.share:.0f} %' if self.share else 'perhaps'})"
        return " · ".join(part for part in (place, self._painted(names, cells), seen) if part)

    def _painted(self, names: Mapping[int, str], cells: bool) -> str:
        return f"cell {self.value}" if cells and self.value > 1 else names.get(self.value, f"class {self.value - 1}")

    def _seen(self, names: Mapping[int, str], cells: bool) -> str:
        return "a cell" if cells and self.likelier > 1 else names.get(self.likelier, f"class {self.likelier - 1}")


def pieces(labels: Labels, cells: bool) -> Iterator[tuple[int, Box, npt.NDArray[np.bool_]]]:
    """Strokes of a plane, or of a part of it: (value, box, mask of the box) of what hangs together in one value.

    Cells are taken whole; strokes of classes, and of background, are cut into pieces of at most `PIECE_PX` a side
    where they are larger than two of these.
    """
    values, numbers = np.unique(labels, return_inverse=True)
    for value, around in zip(values, ndi.find_objects(numbers.reshape(labels.shape) + 1), strict=True):
        if value == 0:
            continue
        parts, _ = ndi.label(labels[around] == value, EVERYWHERE)
        for number, inside in enumerate(ndi.find_objects(parts), 1):
            box = tuple(slice(a.start + i.start, a.start + i.stop) for a, i in zip(around, inside, strict=True))
            mask = parts[inside] == number
            whole = (cells and value > 1) or max(mask.shape) <= 2 * PIECE_PX
            for inner in [(slice(None), slice(None))] if whole else _grid(mask.shape):
                part = mask[inner]
                if part.sum() >= LEAST_PX:
                    y, x = (
                        slice(b.start + (i.start or 0), b.start + (i.start or 0) + k)
                        for b, i, k in zip(box, inner, part.shape, strict=True)
                    )
                    yield int(value), (y, x), part


def judge(mask: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.floating], index: int) -> tuple[float, int, float]:
    """Compare (K, Y, X) probabilities with what was painted on some pixels: class `index`.

    Returns
    -------
    Mean cross-entropy in nats; of the other classes the one that is the likeliest on most of the pixels, and on which
    part of them, 0 to 1.
    """
    p = probabilities[:, mask]
    loss = float(-np.log(np.clip(p[index].astype(np.float64), 1e-7, 1)).mean())
    votes = np.bincount(p.argmax(0), minlength=len(p))
    others = np.where(np.arange(len(p)) == index, -1, votes + p.mean(1))  # of equal votes the likelier one
    likelier = int(others.argmax())
    return loss, likelier, float(votes[likelier] / votes.sum())


def _grid(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    spans = [[slice(i, min(i + PIECE_PX, n)) for i in range(0, n, PIECE_PX)] for n in shape]
    return [(y, x) for y in spans[0] for x in spans[1]]

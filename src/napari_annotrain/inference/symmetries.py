"""The eight symmetries of a square: an image may be turned and mirrored before the network, and the result back."""

from dataclasses import dataclass

import torch

from napari_annotrain.specs import Views


@dataclass(frozen=True)
class Symmetry:
    """One of the ways to turn or mirror a plane.

    Attributes
    ----------
    transposed
        Rows become columns first.
    flipped
        Axes that are mirrored then: -2 rows, -1 columns.
    """

    transposed: bool
    flipped: tuple[int, ...]

    def there(self, x: torch.Tensor) -> torch.Tensor:
        """(..., Y, X) turned, (..., X, Y) where it is transposed."""
        x = x.transpose(-2, -1) if self.transposed else x
        return x.flip(self.flipped) if self.flipped else x

    def back(self, x: torch.Tensor) -> torch.Tensor:
        """Inverse of `there`."""
        x = x.flip(self.flipped) if self.flipped else x
        return x.transpose(-2, -1) if self.transposed else x


_ALL = tuple(Symmetry(transposed, axes) for transposed in (False, True) for axes in ((), (-2,), (-1,), (-2, -1)))

#: Nothing is turned.
SAME = _ALL[0]


def symmetries(views: Views) -> tuple[Symmetry, ...]:
    """The one that changes nothing, the four of mirroring, or all eight.

    Tiles stay exact: they begin and end on the network's grid (with valid convolutions all end at the same distance
    from it), so that a turned tile pools the pixels that the turned image pools.
    """
    return _ALL[: {"none": 1, "flips": 4, "flips and turns": 8}[views]]

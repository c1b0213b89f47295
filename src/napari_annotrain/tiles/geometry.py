"""Arithmetic of the U-Net, in whole pixels: which sizes it can take, and how far it sees."""

from dataclasses import dataclass

from napari_annotrain.specs import NetSpec

#: Pixels beyond its own 2 x 2 that enlarging reads on one side, in pixels of the larger map. A transposed convolution
#: of 3 x 3 with stride 2 and a convolution after repeating read 1; halfway between two pixels, interpolation reads one
#: on each side (bilinear) or two (bicubic), at the far side of the nearest.
BEYOND = {"transposed": 0, "transposed3": 1, "nearest1": 0, "nearest3": 1, "bilinear": 1, "bicubic": 3, "unpool": 0}


@dataclass(frozen=True)
class Geometry:
    """What tiling needs to know of a network, along each spatial axis.

    Attributes
    ----------
    grid
        2 ** levels: tile origins keep to multiples of it, so that every tile pools the same groups of pixels.
    reach
        Pixels next to an edge (on the grid) whose result depends on what lies beyond it.
    before
        Pixels to read before the first one to write; at least `reach`, unless the network crops by itself.
    surplus
        A written core of n (on the grid) needs an input of n + surplus.
    crop
        Where the first written pixel lies in the network's output.
    """

    grid: int
    reach: int
    before: int
    surplus: int
    crop: int

    def round_up(self, size: int) -> int:
        """Smallest multiple of the grid that is at least `size` and at least one grid step."""
        return max(1, -(-size // self.grid)) * self.grid

    def read_size(self, core: int) -> int:
        """Input needed for a written core of this many pixels (rounded up to the grid)."""
        return self.round_up(core) + self.surplus


def geometry(net: NetSpec) -> Geometry:
    """Geometry of a network from its spec.

    The reach is followed through the network level by level. Next to an edge on the grid, a 3 x 3 convolution
    spoils one more pixel, halving by 2 x 2 pixels halves the count (rounded up), enlarging doubles it and adds what it
    reads besides (`BEYOND`), and a skip connection keeps the larger::

        depth 4, two convolutions, on the way down:  0+2   1+2   2+2   2+2  bottom 2+2
                                   on the way up:   92+2  44+2  20+2   8+2
        so 94 px are spoilt, and a margin of 96 (on the grid of 16) is exact

    A network with valid convolutions (Ronneberger et al. 2015, section 2) never sees an edge; it crops instead:
    572 -> 388, 92 px on each side.
    """
    grid: int = 2**net.levels
    if net.padding == "valid":
        lost = _valid_loss(net)
        size = _smallest_valid_input(net, grid)
        return Geometry(grid, lost, lost, size - grid, 0)
    spoilt = _reach(net)
    margin = -(-spoilt // grid) * grid
    return Geometry(grid, spoilt, margin, 2 * margin, margin)


def output_size(net: NetSpec, size: int) -> int | None:
    """Output size for an input size along one axis; None where the network cannot take it (an odd map to pool)."""
    if net.padding == "same":
        return size if size > 0 and size % 2**net.levels == 0 else None
    for _ in range(net.levels):
        size -= 2 * net.convolutions
        if size <= 0 or size % 2:
            return None
        size //= 2
    size -= 2 * _at_the_bottom(net)
    for _ in range(net.levels):
        if size <= 0:
            return None
        size = 2 * size - 2 * (BEYOND[net.up] + _on_the_way_up(net))
    return size if size > 0 else None


def margins_needed(net: NetSpec) -> list[int]:
    """Pixels around the core that each level of the expanding path must start from, top level first.

    The convolutions of a level spoil so many pixels at a cut edge, and the level above needs half of what it starts
    from, and of what enlarging reads besides (rounded up), to be right on this one. For depth 4 and two convolutions:
    2, 4, 4, 4 pixels of each level. Where nothing is read besides, all are even: they may be cut before they are
    enlarged.
    """
    margins, right, beyond = [], 0, BEYOND[net.up]
    for _ in range(net.levels):
        start = right + _on_the_way_up(net)
        if not beyond:
            start += start % 2
        margins.append(start)
        right = -(-(start + beyond) // 2)
    return margins


def _at_the_bottom(net: NetSpec) -> int:
    """Convolutions below the last halving; all of them in a network that halves nothing."""
    return net.convolutions * (1 + net.depth - net.levels)


def _on_the_way_up(net: NetSpec) -> int:
    """Convolutions of a level after it was enlarged."""
    return 0 if net.skips == "scores" else net.convolutions


def _reach(net: NetSpec) -> int:
    spoilt, skips = 0, []
    for _ in range(net.levels):
        spoilt += net.convolutions
        skips.append(spoilt)
        spoilt = -(-spoilt // 2)
    spoilt += _at_the_bottom(net)
    for skip in reversed(skips):  # what did not go through the deeper levels is never the larger, with or without skips
        spoilt = max(2 * spoilt + BEYOND[net.up], skip) + _on_the_way_up(net)
    return spoilt


def _valid_loss(net: NetSpec) -> int:
    """Pixels that valid convolutions crop from each side: those of each level, times its scale."""
    lost: int = _at_the_bottom(net) * 2**net.levels
    for level in range(net.levels):
        lost += (net.convolutions + BEYOND[net.up] + _on_the_way_up(net)) * 2**level
    return lost


def _smallest_valid_input(net: NetSpec, core: int) -> int:
    size = core + 2 * _valid_loss(net)
    while (out := output_size(net, size)) is None or out < core:
        size += 1
    return size

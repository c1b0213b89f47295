from collections.abc import Callable, Iterable, Iterator, Sequence

from napari_annotrain.tiles.grid import Tile

#: Where somebody looks: t, z, y, x in pixels; None where that is not known.
Look = tuple[int, int, float, float] | None


def nearest_first(
    planes: Sequence[tuple[int, int]],
    tiles_of: Callable[[int, int], list[Tile]],
    focus: Callable[[], Look],
    whole_planes: bool = False,
) -> Iterator[tuple[int, int, Tile]]:
    """Give the tiles of some planes, those first that somebody looks at; (t, z, tile).

    Where that is, is asked before every tile: the shown plane, outwards from what is seen of it, then the planes next
    to it. Where nobody looks, planes and tiles come in order.

    Parameters
    ----------
    tiles_of
        The tiles of a plane that are to be given; asked for once.
    whole_planes
        Finish a plane that was begun before any other.
    """
    left: dict[tuple[int, int], list[Tile] | None] = dict.fromkeys(planes)
    plane: tuple[int, int] | None = None
    while left:
        look = focus()
        if plane not in left or not whole_planes:
            plane = nearest_plane(left, look)
        assert plane is not None
        tiles = left[plane]
        if tiles is None:
            tiles = left[plane] = tiles_of(*plane)
        if tiles:
            yield *plane, tiles.pop(0 if look is None else _nearest(tiles, look))
        if not tiles:
            del left[plane]


def nearest_plane(planes: Iterable[tuple[int, int]], look: Look) -> tuple[int, int]:
    """The (t, z) that is next to where somebody looks; the first where nobody does."""
    return next(iter(planes)) if look is None else min(planes, key=lambda plane: _apart(plane, look))


def _apart(plane: tuple[int, int], look: tuple[int, int, float, float]) -> int:
    return abs(plane[0] - look[0]) + abs(plane[1] - look[1])


def _nearest(tiles: list[Tile], look: tuple[int, int, float, float]) -> int:
    """Index of the tile that is least far from a place; of several that hold it, the first."""

    def apart(index: int) -> float:
        pairs = zip(tiles[index].write, look[2:], strict=True)
        return sum((max(s.start - at, at - s.stop, 0.0) ** 2 for s, at in pairs), 0.0)

    return min(range(len(tiles)), key=apart)

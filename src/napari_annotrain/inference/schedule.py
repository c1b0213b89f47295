from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import is_out_of_memory
from napari_annotrain.events import Event, Note
from napari_annotrain.inference.predictor import Decoding, Patch, Predictor, Scores
from napari_annotrain.net.device import release_memory
from napari_annotrain.tiles.geometry import Geometry
from napari_annotrain.tiles.grid import Tile, cut

#: Plane (t, z) and tile.
Place = tuple[int, int, Tile]


def iter_scores(
    predictor: Predictor,
    stack: Stack,
    normalisation: Normalisation,
    tiles: Iterable[Place],
    core: int,
    decoding: Decoding,
) -> Iterator[Scores | Event]:
    """Predict tiles of a core's size one after the other; the next tile is read while the present one is computed.

    When memory runs out a tile is cut into quarters and the rest goes on with the smaller size, with one `Note`.
    """
    places = _Places(tiles, core, predictor.geometry)
    with ThreadPoolExecutor(1, "annotrain-reading") as reader:

        def start_reading() -> tuple[Place, Future[Patch]] | None:
            place = places.take()
            return None if place is None else (place, reader.submit(predictor.read, stack, normalisation, *place))

        under_way = start_reading()
        while under_way is not None:
            (place, reading), under_way = under_way, None
            try:
                patch = reading.result()
                under_way = start_reading()
                scores = predictor.compute(patch, decoding)
            except (RuntimeError, MemoryError) as error:
                if under_way is not None:
                    under_way[1].cancel()
                    places.put_back(under_way[0])
                places.put_back(place)
                before, after = places.halve(place[2])
                if not is_out_of_memory(error) or after == before:
                    raise
                patch = reading = under_way = None  # type: ignore[assignment] # give back what they hold
                release_memory(search=True)
                yield Note(f"Not enough memory for tiles of {before} px: went on with {after} px.")
                under_way = start_reading()
                continue
            yield scores


class _Places:
    """The tiles still to do, in order; those larger than the present size are cut when their turn comes."""

    def __init__(self, tiles: Iterable[Place], core: int, geometry: Geometry) -> None:
        self._core, self._geometry = core, geometry
        self._rest = iter(tiles)
        self._first: deque[Place] = deque()

    def take(self) -> Place | None:
        place = self._first.popleft() if self._first else next(self._rest, None)
        if place is None:
            return None
        t, z, tile = place
        now, *later = cut(tile.write, self._core, self._geometry)
        self._first.extendleft((t, z, part) for part in reversed(later))
        return t, z, now

    def put_back(self, place: Place) -> None:
        self._first.appendleft(place)

    def halve(self, tile: Tile) -> tuple[int, int]:
        """Use half of what this tile has; the sides before and after, equal where no smaller tile exists."""
        longest = max(s.stop - s.start for s in tile.write)
        before = min(self._core, self._geometry.round_up(longest))
        self._core = self._geometry.round_up(before // 2)
        return before, self._core

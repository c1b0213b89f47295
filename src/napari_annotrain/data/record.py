"""What of a long run is finished: a line on disk for each piece, written after its data."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from napari_annotrain.events import Region

#: Start and stop along T, Z, Y and X.
Piece = tuple[int, ...]


@dataclass(frozen=True)
class Finished:
    """The pieces of a result that need not be computed again.

    Attributes
    ----------
    last_id
        Largest id of a cell in them.
    """

    pieces: frozenset[Piece] = frozenset()
    last_id: int = 0

    def has(self, t: int, z: int, box: tuple[slice, slice]) -> bool:
        """Whether this part of a plane is finished, in one piece or (memory had run out) in several."""
        if piece_of((slice(t, t + 1), slice(z, z + 1), *box)) in self.pieces:
            return True
        (top, bottom), (left, right) = ((s.start, s.stop) for s in box)
        inside = [p for p in self._by_plane.get((t, z), ()) if p[0] >= top and p[1] <= bottom]
        area = sum((p[1] - p[0]) * (p[3] - p[2]) for p in inside if p[2] >= left and p[3] <= right)
        return bool(area == (bottom - top) * (right - left))

    @cached_property
    def _by_plane(self) -> dict[tuple[int, int], list[Piece]]:
        """The Y and X of the pieces of each plane."""
        found: dict[tuple[int, int], list[Piece]] = {}
        for piece in self.pieces:
            found.setdefault((piece[0], piece[2]), []).append(piece[4:])
        return found


class Record:
    """A folder's word on what run it belongs to (`run.json`), and on what is finished of it (`finished.jsonl`).

    Both survive a process that is killed at any moment: the first appears complete or not at all, of the second a torn
    last line counts as nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._about, self._lines = folder / "run.json", folder / "finished.jsonl"

    def begin(self, about: Mapping[str, Any]) -> None:
        """Say what run it is."""
        beside = self._about.with_suffix(".part")
        with beside.open("w") as file:
            file.write(json.dumps(about))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._about)

    def about(self) -> dict[str, Any] | None:
        """What run it is; None where that was never said."""
        try:
            found: dict[str, Any] = json.loads(self._about.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return found

    def add(self, region: Region, last_id: int = 0) -> None:
        """Note a piece whose data are on the disk."""
        with self._lines.open("a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell() and not self._ends_a_line():
                file.write(b"\n")
            file.write(json.dumps([*piece_of(region), last_id]).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def finished(self) -> Finished:
        """What is finished."""
        try:
            lines = self._lines.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        found = [numbers for line in lines if (numbers := _numbers(line)) is not None]
        return Finished(frozenset(tuple(n[:-1]) for n in found), max((n[-1] for n in found), default=0))

    def _ends_a_line(self) -> bool:
        with self._lines.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def piece_of(region: Region) -> Piece:
    """The numbers of a region."""
    return tuple(number for s in region for number in (s.start, s.stop))


def _numbers(line: str) -> list[int] | None:
    """The nine numbers of a line; None where it was torn."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, list) and len(found) == 9 and all(isinstance(n, int) for n in found) else None

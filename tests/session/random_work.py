"""A person's work on a session, drawn at random, in a process that a test kills.

Every action is told on a line before it begins and after it is on the disk, so that whoever kills the process knows
what must be there. The same seed gives the same work.
"""

import sys
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from napari_annotrain.session.folder import SessionFolder
from napari_annotrain.session.sheet import Rows
from napari_annotrain.session.state import DrawnRegion, ImageState, ModelState, SessionState
from napari_annotrain.session.writer import SessionWriter

SHAPE, ROWS, COLUMNS = (3, 40, 50), 16, 20
MOST_ACTIONS = 10_000


@dataclass
class Work:
    """What somebody has done so far: strokes, fills, erasing, undo and redo, regions, classes, models."""

    seed: int
    labels: np.ndarray = field(default_factory=lambda: np.zeros(SHAPE, np.uint16))
    undone: list = field(default_factory=list)
    done: list = field(default_factory=list)
    state: SessionState = field(default_factory=SessionState)
    n: int = 0

    def act(self) -> tuple[str, bool]:
        """Do the next thing; what it was, and whether it changed pixels (else the state)."""
        rng = np.random.default_rng((self.seed, self.n))
        self.n += 1
        kind = rng.choice(["paint", "fill", "erase", "undo", "redo", "region", "class", "model"], p=PROBABILITIES)
        pixels = kind in ("paint", "fill", "erase", "undo", "redo")
        getattr(self, f"_{kind}" if pixels else "_settle")(*((rng,) if pixels else (kind, rng)))
        return str(kind), pixels

    def _change(self, labels: np.ndarray) -> None:
        self.done.append(self.labels)
        self.undone.clear()
        self.labels = labels

    def _paint(self, rng: np.random.Generator) -> None:
        labels = self.labels.copy()
        z, y, x = (int(rng.integers(n)) for n in SHAPE)
        labels[z, y : y + int(rng.integers(1, 20)), x : x + int(rng.integers(1, 20))] = rng.integers(1, 9)
        self._change(labels)

    def _fill(self, rng: np.random.Generator) -> None:
        labels = self.labels.copy()
        labels[int(rng.integers(SHAPE[0]))] = rng.integers(1, 9)
        self._change(labels)

    def _erase(self, rng: np.random.Generator) -> None:
        labels = self.labels.copy()
        labels[labels == rng.integers(1, 9)] = 0
        self._change(labels)

    def _undo(self, rng: np.random.Generator) -> None:
        if self.done:
            self.undone.append(self.labels)
            self.labels = self.done.pop()

    def _redo(self, rng: np.random.Generator) -> None:
        if self.undone:
            self.done.append(self.labels)
            self.labels = self.undone.pop()

    def _settle(self, kind: str, rng: np.random.Generator) -> None:
        image = self.state.images[0] if self.state.images else ImageState(name="cells", shape=SHAPE)
        update: dict = {"images": (image,)}
        if kind == "region":
            corners = tuple(tuple(float(v) for v in rng.integers(0, 40, 3)) for _ in range(4))
            regions = (*image.regions, DrawnRegion(kind="rectangle", corners=corners))
            update["images"] = (image.model_copy(update={"regions": regions}),)
        elif kind == "class":
            update["settings"] = {**self.state.settings, f"class {int(rng.integers(5))}": int(rng.integers(100))}
        else:
            model = ModelState(file="", name=f"model {self.n}", score=float(rng.random()))
            update["models"] = (*self.state.models, model)
        self.state = self.state.model_copy(update=update)


PROBABILITIES = [0.35, 0.05, 0.1, 0.15, 0.1, 0.1, 0.1, 0.05]


def changed_rows(before: np.ndarray, after: np.ndarray, sheet: str) -> list[Rows]:
    """The parts in which two annotations differ, as the window sends them."""
    found = []
    for z, top, left in product(range(SHAPE[0]), range(0, SHAPE[1], ROWS), range(0, SHAPE[2], COLUMNS)):
        old, new = (labels[z, top : top + ROWS, left : left + COLUMNS] for labels in (before, after))
        if not np.array_equal(old, new):
            found.append(Rows(sheet, (z,), top, new.copy(), left))
    return found


def named(state: SessionState, sheet: str) -> SessionState:
    """The state with the name of the sheet in it."""
    images = state.images or (ImageState(name="cells", shape=SHAPE),)
    return state.model_copy(update={"images": (images[0].model_copy(update={"sheet": sheet}), *images[1:])})


def main(path: str, seed: str) -> None:
    folder = SessionFolder.create(Path(path))
    sheet = folder.new_sheet(SHAPE, np.uint16)
    writer = SessionWriter(folder, lambda sentence: print("refused", sentence, flush=True))
    work = Work(int(seed))
    writer.save(named(work.state, sheet))
    assert writer.wait(60)
    print("begun", flush=True)
    for _ in range(MOST_ACTIONS):
        before = work.labels
        print("doing", work.n, flush=True)
        _, pixels = work.act()
        writer.put(changed_rows(before, work.labels, sheet)) if pixels else writer.save(named(work.state, sheet))
        assert writer.wait(60)
        print("done", work.n, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Does anything pile up? A thousand short rounds of train, stop, predict and cancel in one napari window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/rounds.py [--rounds 1000] [--every 100] [--why]

The panel's own buttons are pressed. With --why, the kinds of Python objects that became more are printed; nothing is
written then.
"""

import argparse
import gc
import os
import re
import threading
from collections import Counter
from dataclasses import astuple, dataclass
from pathlib import Path

from napari_window import Window, pause, wait
from qtpy.QtWidgets import QApplication
from report import machine, table, write_part

from napari_annotrain import api
from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cells
from napari_annotrain.specs import TrainSpec

SIDE, PATCH, STEPS = 128, 64, 3


@dataclass(frozen=True)
class Held:
    """What the process holds."""

    resident_mb: float
    threads: int
    native_threads: int
    files: int
    layers: int
    windows: int
    objects: int


def held(window: Window) -> Held:
    gc.collect()
    api.release_memory()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Held(
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        threading.active_count(),
        len(os.listdir("/proc/self/task")),
        len(os.listdir("/proc/self/fd")) - 1,  # but the one that lists them
        len(window.viewer.layers),
        len(QApplication.topLevelWidgets()),
        len(gc.get_objects()),
    )


def kinds() -> Counter[str]:
    return Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())


def one_round(window: Window) -> None:
    window.press("train_button")
    wait(lambda: steps(window) >= STEPS or window.can("train_button"), 120)
    window.press("stop_button")
    window.wait_until_idle(120)
    window.press("predict_stack_button")
    window.press("cancel_button")
    window.wait_until_idle(120)


def steps(window: Window) -> int:
    """Steps of the present run, as the panel tells."""
    found = re.search(r"([\d,]+) steps", window.says("run_label"))
    return int(found[1].replace(",", "")) if found else 0


def row(done: object, now: Held) -> tuple[object, ...]:
    resident, *counts = astuple(now)
    line = (done, f"{resident:.0f}", *(f"{count:,}" for count in counts))
    print(*line, sep=" | ", flush=True)
    return line


def verdict(measured: dict[int, Held]) -> str:
    """Memory against that after the second look, when all is warm; threads and files against those after one round."""
    first, warm, *_ = measured
    last = max(measured)
    start, end = measured[first], measured[last]
    grown = end.resident_mb / measured[warm].resident_mb - 1
    words = f"Resident memory after {last:,} rounds against that after {warm:,}: {100 * grown:+.1f} %"
    for name in ("threads", "native_threads", "files", "layers", "windows"):
        more = getattr(end, name) - getattr(start, name)
        words += f"; {name.replace('_', ' ')}: {f'{more:+d}' if more else 'none more'}"
    return f"{words} than after the first round."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--every", type=int, default=100)
    parser.add_argument("--why", action="store_true")
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("two rounds at least")
    image, truth = cells((SIDE, SIDE), n_cells=6, seed=0)
    window = Window(image, "cells")
    wait(lambda: window.controller.loading.done, 120)
    window.annotate(strokes(truth, n_cells=3))
    window.controller.train.set_spec(TrainSpec(patch=PATCH))  # else the preset fast
    pause(1)
    measured: dict[int, Held] = {}
    rows, before = [row("none yet", held(window))], Counter()
    for done in range(1, given.rounds + 1):
        one_round(window)
        if done == 1 or done % given.every == 0 or done == given.rounds:
            pause(0.5)
            measured[done] = held(window)
            rows.append(row(done, measured[done]))
        if given.why and done == min(given.every, given.rounds):
            before = kinds()
    said = verdict(measured)
    if given.why:
        print(said, *(kinds() - before).most_common(40), sep="\n")
    window.viewer.close()
    head = ("rounds", "resident MB", "Python threads", "threads", "open files", "layers", "windows", "Python objects")
    if not given.why:
        write_part("rounds", f"{machine()} {said}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

"""Painting on an image too large for memory, beside painting on a small one, while every stroke goes to the disk.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/strokes.py [--strokes 200]

Each image is painted on in a process of its own: strokes with the mouse, 30 movements a second, in a window whose
session is kept. A movement's time runs from when it was due until it is on the screen. The large image is a dask array
that is made as it is read. A second after the last stroke the annotation is compared with what is on the disk.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import dask.array as da
import numpy as np
from report import machine, table, write_part

SIDES = (512, 20_000)


def large(side: int) -> da.Array:
    """Something to see everywhere, made when it is read."""
    y, x = da.arange(side, chunks=1024), da.arange(side, chunks=1024)
    return ((da.sin(y / 9.0)[:, None] * da.sin(x / 11.0)[None, :] + 1) * 100).astype(np.uint8)


def megabytes() -> float:
    """Resident size of this process but for pages of files, which the system takes back."""
    found = dict(re.findall(r"(RssAnon|RssShmem):\s+(\d+)", Path("/proc/self/status").read_text()))
    return sum(int(kb) for kb in found.values()) / 1e3


def paint(side: int, n_strokes: int) -> None:
    """Paint in a window, and print what was measured."""
    from latency import BRUSH, Hand
    from napari_window import Window, pause, wait

    window = Window(large(side), "image")
    window.press("new_annotation_button")
    layer = window.viewer.layers["image annotation"]
    layer.brush_size = BRUSH
    window.viewer.scene.camera.zoom = 1.5
    pause(3)
    done = [0]
    layer.events.paint.connect(lambda event: done.__setitem__(0, done[0] + 1))
    hand = Hand(window.viewer.window._qt_viewer.canvas.native, layer)
    hand.start()
    wait(lambda: done[0] >= n_strokes // 10, 3600)
    before = megabytes()
    wait(lambda: done[0] >= n_strokes, 3600)
    hand.stop()
    pause(1)
    keeping = window.controller.keeping
    (one,) = keeping._kept
    same = np.array_equal(keeping._writer.folder.read_sheet(one.state.sheet), layer.data)
    took = 1000 * np.array([seen - due for due, seen in hand._moves])
    found = {"p50": np.median(took), "p99": np.quantile(took, 0.99), "most": took.max(), "moves": len(took)}
    print(json.dumps(found | {"grown": megabytes() - before, "before": before, "same": bool(same)}))
    window.viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strokes", type=int, default=200)
    parser.add_argument("--side", type=int, help="paint in this process, on an image of this side")
    given = parser.parse_args()
    if given.side:
        paint(given.side, given.strokes)
        return
    found, rows = [], []
    for side in SIDES:
        with tempfile.TemporaryDirectory() as sessions:
            command = [sys.executable, __file__, "--side", str(side), "--strokes", str(given.strokes)]
            run = subprocess.run(
                command, env={**os.environ, "ANNOTRAIN_SESSIONS": sessions}, check=True, capture_output=True, text=True
            )
        one = json.loads(run.stdout.splitlines()[-1])
        found.append(one)
        kept = "every pixel" if one["same"] else "NOT ALL"
        figures = (f"{one['p50']:.0f}", f"{one['p99']:.0f}", f"{one['most']:.0f}", f"{one['grown']:+.0f} MB")
        rows.append((f"{side:,} x {side:,} px", f"{one['moves']:,}", *figures, kept))
    head = (
        "image",
        "movements",
        "median, ms",
        "99 %, ms",
        "most, ms",
        "memory, after a tenth of the strokes",
        "on disk",
    )
    more = found[1]["p99"] - found[0]["p99"]
    about = f"{machine()} {given.strokes} strokes. 99 % on the large image: {more:+.0f} ms against the small one."
    write_part("strokes", f"{about}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

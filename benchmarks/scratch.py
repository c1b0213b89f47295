"""From nothing on all training images, the same minutes of a processor core: ours beside StarDist.

    python benchmarks/scratch.py [--minutes 7 20 60] [--set dsb2018]

Both train at the same time, each on one core of its own (Linux), and are scored at those minutes of the one run;
neither knows beforehand how long it will be. Learnt from all images of the set's `train` folder, scored on all of its
`test` folder, objects below 15 px ignored. StarDist runs in `.venv-metrics` (`scripts/set_up.sh metrics`). What cannot
be run without a network connection is not compared: pre-trained Cellpose, micro-sam.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import tifffile
import torch
from few_shot import MIN_SIZE, painted
from kept import Kept, file_of
from report import REPOSITORY, data_folder, table, write_part

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.events import Checkpoint
from napari_annotrain.metrics import count_cells, pool
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS

#: One thread each.
ALONE = {"OMP_NUM_THREADS": "1"}


def train_ours(name: str, seconds: Sequence[float]) -> None:
    """Train in one run; the labels of the test images after so many seconds of training go into a folder each."""
    torch.set_num_threads(1)
    spec = PRESETS["fast"].train.model_copy(update={"seconds": max(seconds)})
    models: dict[float, Model] = {}
    for event in api.iter_training(painted(name, "all images", 0), target="cells", base="none", spec=spec):
        if isinstance(event, Checkpoint):
            models |= {s: event.model for s in seconds if event.state.seconds >= s and s not in models}
    for limit, model in models.items():
        out = file_of(f"ours-{name}-{limit:.0f}s")
        out.mkdir(parents=True, exist_ok=True)
        at.save_model(model, out.with_suffix(".safetensors"))
        for path in sorted((data_folder() / name / "test" / "images").glob("*.tif")):
            tifffile.imwrite(out / path.name, at.predict(model, tifffile.imread(path)))


def train_both(name: str, seconds: Sequence[float]) -> None:
    """Train side by side, a process each."""
    words = [f"{limit:.0f}" for limit in seconds]
    python, script = REPOSITORY / ".venv-metrics" / "bin" / "python", REPOSITORY / "benchmarks" / "stardist_fit.py"
    theirs = [str(python), str(script), str(data_folder() / name), str(file_of(f"stardist-{name}")), *words]
    mine = [sys.executable, __file__, "--set", name, "--train-ours", *words]
    cores = sorted(os.sched_getaffinity(0))[:2]
    runs = [
        subprocess.Popen(["taskset", "-c", str(core), *command], env=os.environ | ALONE)
        for core, command in zip(cores, (mine, theirs), strict=True)
    ]
    codes = [run.wait() for run in runs]
    if any(codes):
        raise SystemExit("One of the two failed: see above.")


def score(name: str, out: Path) -> list[float]:
    """AP50 and mean AP of labels in files."""
    truth = data_folder() / name / "test" / "labels"
    counts = [
        count_cells(tifffile.imread(out / path.name), tifffile.imread(path), MIN_SIZE)
        for path in sorted(truth.glob("*.tif"))
    ]
    scores = pool(counts).scores()
    return [round(scores["ap50"], 4), round(scores["map"], 4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[7, 20, 60])
    parser.add_argument("--set", default="dsb2018")
    parser.add_argument("--train-ours", type=float, nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    api.warm_up()
    if given.train_ours:
        train_ours(given.set, given.train_ours)
        return
    kept, rows = Kept("scratch"), []
    limits = [60 * minutes for minutes in given.minutes]

    def measure() -> list[list[list[float]]]:
        train_both(given.set, limits)
        whose = ("ours", "stardist")
        return [[score(given.set, file_of(f"{who}-{given.set}-{s:.0f}s")) for who in whose] for s in limits]

    found = kept.row(f"{given.set} {' '.join(f'{m:g}' for m in given.minutes)} min", measure)
    for minutes, pair in zip(given.minutes, found, strict=True):
        rows.append((f"{minutes:g}", *(f"{value:.3f}" for scores in pair for value in scores)))
    head = ("minutes of one core", "ours, AP50", "ours, mean AP", "StarDist, AP50", "StarDist, mean AP")
    words = f"{kept.measured()}\n\n{given.set}, side by side, one core each."
    write_part("scratch", f"{words}\n\n{table(head, rows)}", REPOSITORY / "docs" / "quality.md")


if __name__ == "__main__":
    main()

"""The whole loop on real images through the command line: train on `train`, score on `test`.

python benchmarks/real_data.py [--seconds 60]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import data_folder, machine, table, write_part

SETS = (
    # folder, target, what the images are
    ("isbi2012", "classes", "electron microscopy, membranes"),
    ("bbbc039", "cells", "fluorescent nuclei, U2OS"),
    ("dsb2018", "cells", "fluorescent nuclei, many sources"),
    ("t98g-phase", "cells", "phase contrast, whole cells"),
)


def annotrain(*words: object) -> str:
    command = [sys.executable, "-m", "napari_annotrain.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def measure(folder: Path, target: str, seconds: float) -> dict[str, float]:
    train, test = folder / "train", folder / "test"
    with tempfile.TemporaryDirectory() as place:
        model, out = Path(place) / "m.safetensors", Path(place) / "out"
        annotrain("train", train / "images", train / "labels", "-o", model, "--dense", "--target", target,
                  "--seconds", seconds)  # fmt: skip
        card = json.loads(annotrain("models", "show", model))
        began = time.perf_counter()
        annotrain("predict", model, test / "images", "-o", out)
        took = time.perf_counter() - began
        options = ["--as", target, "--json", *(["--min-size", 15] if target == "cells" else [])]
        scores = json.loads(annotrain("evaluate", out, test / "labels", *options))
    return {"steps": card["provenance"]["steps"], "predict": took, "n": len(scores["images"]), **scores}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    data = data_folder()
    rows = []
    for name, target, what in SETS:
        found = measure(data / name, target, seconds)
        pooled, mean = found["pooled"], found["mean"]
        if target == "classes":
            said = "  ".join(f"IoU {k}: {v:.3f}, Dice {pooled['dice'][k]:.3f}" for k, v in pooled["iou"].items() if v)
        else:
            said = (
                f"AP50 {pooled['ap50']:.3f} (mean over images {mean['ap50']:.3f}), mean AP {pooled['map']:.3f}, "
                f"SEG {pooled['seg']:.3f}"
            )
        rows.append((f"{name}: {what}", target, found["steps"], found["n"], said, f"{found['predict']:.0f} s"))
        print(*rows[-1], sep=" | ", flush=True)
    head = ("images", "target", f"steps in {seconds:.0f} s", "test images", "scores on `test`, pooled", "predict")
    write_part("real-data", f"{machine()}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

"""Membranes from a few strokes in 10 and 30 s, against a random forest on the same strokes.

    python benchmarks/forest.py [--seeds 5] [--seconds 10 30]

ISBI-2012: strokes on the first training slice (1.7 % of it), F1 of the membrane on the four test slices. The strokes
and the forest are those of `simulate.py`.
"""

import argparse
import time

import numpy as np
import tifffile
from report import data_folder, machine, table, write_part
from simulate import forest, scribbles

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.events import Step

MEMBRANE = 2


def read(folder: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    place = data_folder() / "isbi2012" / folder
    files = sorted((place / "images").glob("*.tif"))
    return [tifffile.imread(f) for f in files], [tifffile.imread(place / "labels" / f.name) for f in files]


def f1(predicted: list[np.ndarray], truth: list[np.ndarray]) -> float:
    """F1 of the membrane over all slices together; both in values of the annotation."""
    found, right = np.stack(predicted) == MEMBRANE, np.stack(truth) == MEMBRANE
    return float(2 * (found & right).sum() / (found.sum() + right.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, nargs="+", default=[10, 30])
    given = parser.parse_args()
    (image, *_), (truth, *_) = read("train")
    images, truths = read("test")
    api.warm_up()
    scores: dict[str, list[float]] = {}
    rows = []
    for seed in range(given.seeds):
        painted = scribbles(truth, seed=seed)
        began = time.perf_counter()
        predict = forest(image, painted, seed=seed)
        words = [f"{time.perf_counter() - began:.1f} s"]
        scores.setdefault("forest", []).append(f1([predict(i) for i in images], truths))
        row = [f"{scores['forest'][-1]:.3f} ({words[0]})"]
        for limit in given.seconds:
            steps: list[int] = []

            def count(event: object, steps: list[int] = steps) -> None:
                if isinstance(event, Step):
                    steps.append(event.step)

            model = at.train(image, painted, seconds=limit, seed=seed, on_event=count)
            predicted = [at.predict(model, i) + 1 for i in images]
            scores.setdefault(f"{limit:.0f} s", []).append(f1(predicted, truths))
            row.append(f"{scores[f'{limit:.0f} s'][-1]:.3f} ({steps[-1]} steps)")
        rows.append((seed, f"{(painted > 0).mean():.1%}", *row))
    rows.append(("mean", "", *(f"**{np.mean(s):.3f}** (± {np.std(s, ddof=1):.3f})" for s in scores.values())))
    head = ("seed", "painted", "random forest (time to fit)", *(f"ours, {s:.0f} s" for s in given.seconds))
    write_part("forest", f"{machine()} F1 of the membrane.\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()

"""How many cells must be painted? From nothing and from base weights that have not seen the set, beside a forest.

    python benchmarks/few_shot.py [--seconds 60] [--long] [--sets dsb2018 bbbc039 t98g-phase]

Painted on images of a set's `train` folder, scored on all of its `test` folder: AP50 of all objects together, those
below 15 px ignored. The base was trained without the set (`scripts/train_base_weights.py --share 0.1 --without SET`,
made here where it is missing). Rows are kept: an interrupted run goes on where it stopped. --long
adds 300 s on ten cells, an image and all images; --write measures nothing and writes what there is. Of several draws of
cells (--seeds) the mean is shown, and the lowest and highest AP50.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from kept import Kept, file_of
from report import REPOSITORY, data_folder, table, write_part
from simulate import few_cells, forest

import napari_annotrain as at
from napari_annotrain import api
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Done
from napari_annotrain.metrics import count_cells, pool
from napari_annotrain.objects.instances import label_cells
from napari_annotrain.specs import PRESETS

SETS = ("dsb2018", "bbbc039", "t98g-phase")
MIN_SIZE = 15
#: Which train image the cells are painted on; every one of the first has at least ten.
PAINTED_ON = {"dsb2018": 14, "bbbc039": 4, "t98g-phase": 2}
#: Also trained from for five minutes.
LONG = ("10 cells", "1 image", "all images")
AMOUNTS = ("1 cell", "3 cells", "10 cells", "1 image", "all images")

Pair = tuple[np.ndarray, np.ndarray]


def read(name: str, subset: str) -> list[Pair]:
    folder = data_folder() / name / subset
    files = sorted((folder / "images").glob("*.tif"))
    return [(tifffile.imread(f), tifffile.imread(folder / "labels" / f.name)) for f in files]


def painted(name: str, amount: str, seed: int) -> list[AnnotatedImage]:
    """What somebody has annotated of a set."""
    pairs = read(name, "train")
    if amount != "all images":
        pairs = [pairs[(PAINTED_ON[name] + seed) % len(pairs)]]
    if "cell" not in amount:
        return [AnnotatedImage(Stack.of(i, "YX"), Stack.of(t, "YX"), dense=True) for i, t in pairs]
    ((image, truth),) = pairs
    cells = few_cells(truth, int(amount.split()[0]), seed)
    return [AnnotatedImage(Stack.of(image, "YX"), Stack.of(cells, "YX"))]


def base_without(name: str) -> Path:
    """Base weights that have not seen a set."""
    path = file_of(f"cells-2d-without-{name}.safetensors")
    if not path.exists():
        script = REPOSITORY / "scripts" / "train_base_weights.py"
        options = ["--share", "0.1", "--without", name, "--out", str(path)]
        subprocess.run([sys.executable, str(script), *options], check=True)
    return path


def score(name: str, predict: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """AP50 and mean AP of all objects of the test images."""
    counts = [count_cells(predict(image), truth, MIN_SIZE) for image, truth in read(name, "test")]
    scores = pool(counts).scores()
    return [round(scores["ap50"], 4), round(scores["map"], 4)]


def ours(name: str, amount: str, base: Path | str, seconds: float, seed: int) -> list[float]:
    spec = PRESETS["fast"].train.model_copy(update={"seconds": seconds, "seed": seed})
    model = None
    for event in api.iter_training(painted(name, amount, seed), target="cells", base=base, spec=spec):
        if isinstance(event, Done):
            model = event.result
    return score(name, lambda image: at.predict(model, image))


def forests(name: str, amount: str, seed: int) -> list[float]:
    """The forest on the same paint: inside, or background; touching cells are parted as ours are."""
    (image,) = painted(name, amount, seed)
    annotation = image.plane(0, 0, tuple(slice(0, n) for n in image.stack.shape[-2:]), cells=True)
    predict = forest(_grey(image.stack.array), np.minimum(annotation, 2), seed)
    return score(name, lambda other: label_cells(predict(_grey(other)) == 2))


def _grey(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (1, 99.8))
    return ((image - low) / max(high - low, 1e-6)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--amounts", nargs="+", default=AMOUNTS)
    parser.add_argument("--starts", nargs="+", default=("base", "none"), choices=("base", "none"))
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    kept, rows = Kept("few_shot", not given.write), []
    api.warm_up()
    for name in given.sets:
        base = base_without(name) if not given.write else file_of(f"cells-2d-without-{name}.safetensors")
        zero = kept.row(f"{name} zero-shot", lambda n=name, b=base: score(n, lambda i: at.predict(b, i)))
        rows.append((name, "nothing", "", _words([zero]), "", ""))
        for amount in given.amounts:
            limits = [given.seconds] + [300.0] * (given.long and amount in LONG)
            for limit in limits:
                cells = [amount, f"{limit:.0f} s"]
                for kind, start in (("base", base), ("none", "none")):
                    left_out = kind not in given.starts
                    found = [
                        kept.row(
                            f"{name} {amount} {Path(start).stem} {limit:.0f} s seed {seed}",
                            lambda n=name, a=amount, b=start, s=limit, k=seed: ours(n, a, b, s, k),
                        )
                        for seed in range(given.seeds)
                        if not left_out
                    ]
                    cells.append(_words(found))
                trees = [
                    kept.row(f"{name} {amount} forest seed {seed}", lambda n=name, a=amount, k=seed: forests(n, a, k))
                    for seed in range(given.seeds)
                    if amount != "all images" and limit == given.seconds  # a forest takes a moment, whatever the limit
                ]
                if not any((*cells[2:], *trees)):
                    continue
                rows.append((name, *cells, _words(trees)))
    head = ("set", "painted", "training", "from a base that has not seen the set", "from nothing", "random forest")
    words = f"{kept.measured()}\n\nAP50 / mean AP on all test images; one draw of cells where no other number is said."
    write_part("few-shot", f"{words}\n\n{table(head, rows)}", REPOSITORY / "docs" / "quality.md")


def _words(measured: list[list[float] | None]) -> str:
    found = [values for values in measured if values is not None]
    if not found:
        return ""
    mean = " / ".join(f"{np.mean(values):.3f}" for values in zip(*found, strict=True))
    ap50 = [ap for ap, _ in found]
    return mean if len(found) == 1 else f"{mean} ({len(found)} draws, {min(ap50):.3f} to {max(ap50):.3f})"


if __name__ == "__main__":
    main()

"""From nothing on all training images, the same minutes on the same cores: ours beside StarDist.

    python benchmarks/scratch.py [--minutes 7] [--set dsb2018]

Trained on all images of the set's `train` folder, scored on all of its `test` folder, objects below 15 px ignored.
StarDist runs in `.venv-metrics` (`scripts/set_up.sh metrics`). What cannot be run without a network connection is not
compared: pre-trained Cellpose, micro-sam.
"""

import argparse
import subprocess

import tifffile
from few_shot import MIN_SIZE, ours
from kept import Kept, file_of
from report import REPOSITORY, data_folder, table, write_part

from napari_annotrain import api
from napari_annotrain.metrics import count_cells, pool


def stardist(name: str, seconds: float) -> list[float]:
    out = file_of(f"stardist-{name}-{seconds:.0f}s")
    python, script = REPOSITORY / ".venv-metrics" / "bin" / "python", REPOSITORY / "benchmarks" / "stardist_fit.py"
    subprocess.run([str(python), str(script), str(data_folder() / name), str(seconds), str(out)], check=True)
    truth = data_folder() / name / "test" / "labels"
    counts = [
        count_cells(tifffile.imread(path), tifffile.imread(truth / path.name), MIN_SIZE)
        for path in sorted(out.glob("*.tif"))
    ]
    scores = pool(counts).scores()
    return [round(scores["ap50"], 4), round(scores["map"], 4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[7])
    parser.add_argument("--set", default="dsb2018")
    given = parser.parse_args()
    kept, rows = Kept("scratch"), []
    api.warm_up()
    for minutes in given.minutes:
        limit = 60 * minutes
        found = (
            kept.row(f"{given.set} ours {minutes:g} min", lambda s=limit: ours(given.set, "all images", "none", s, 0)),
            kept.row(f"{given.set} stardist {minutes:g} min", lambda s=limit: stardist(given.set, s)),
        )
        rows.append((f"{minutes:g}", *(f"{value:.3f}" for pair in found for value in pair)))
    head = ("minutes", "ours, AP50", "ours, mean AP", "StarDist, AP50", "StarDist, mean AP")
    write_part("scratch", f"{kept.measured()}\n\n{table(head, rows)}", REPOSITORY / "docs" / "quality.md")


if __name__ == "__main__":
    main()

"""Elastic deformation and skip connections on and off, with 1, 3 and 10 training images.

    python scripts/family/few_slices.py

Draws what `benchmarks/family.py` has measured (membranes of ISBI-2012): means of the seeds, lines from the smallest to
the largest.
"""

import json
import re

import numpy as np
from figure import REPOSITORY, pyplot, save

MEASURED = REPOSITORY / "benchmarks" / "measured" / "family.json"
#: Of the kept scores of a row.
SCORES = ("Dice of the membrane", "adapted Rand error")


def main() -> None:
    found: dict[str, dict[int, list[list[float]]]] = {}
    for key, row in json.loads(MEASURED.read_text()).items():
        name, n_slices = re.match(r"(.*), (\d+) slices", key).groups()
        found.setdefault(name, {}).setdefault(int(n_slices), []).append(row["result"])
    plt = pyplot()
    figure, axes = plt.subplots(1, len(SCORES), figsize=(6.4, 2.4), layout="constrained")
    for k, (title, ax) in enumerate(zip(SCORES, axes, strict=True)):
        for shift, (name, by_slices) in zip((0.95, 1, 1.05), found.items(), strict=True):
            scores = {n: np.array(rows)[:, k] for n, rows in sorted(by_slices.items())}
            means = np.array([one.mean() for one in scores.values()])
            ends = np.abs([[one.min() for one in scores.values()], [one.max() for one in scores.values()]] - means)
            ax.errorbar(np.array(list(scores)) * shift, means, ends, marker="o", markersize=3, capsize=2, label=name)
        ax.set_xscale("log")
        ax.set_xticks([1, 3, 10], ["1", "3", "10"])
        ax.minorticks_off()
        ax.set_xlabel("training images")
        ax.set_title(title)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    save(figure, "few_slices")


if __name__ == "__main__":
    main()

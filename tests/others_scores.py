"""Scores of label images by StarDist and py-ctcmetrics, for `test_metrics_agree`; runs in `.venv-metrics`.

.venv-metrics/bin/python tests/others_scores.py FOLDER

Reads FOLDER/true_*.npy, found_*.npy and the folders FOLDER/ctc/01_RES, 01_GT; prints one JSON object.
"""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import tifffile
from ctc_metrics.metrics import seg
from ctc_metrics.scripts.evaluate import evaluate_sequence
from ctc_metrics.utils.representations import match
from stardist.matching import matching, matching_dataset

THRESHOLDS = [k / 20 for k in range(10, 20)]
KEYS = ("accuracy", "f1", "panoptic_quality")


def table(each_threshold):
    return {key: [float(getattr(one, key)) for one in each_threshold] for key in KEYS}


def seg_of(folder, true, found):
    for name, labels in (("true", true), ("found", found)):
        tifffile.imwrite(folder / f"{name}.tif", labels.astype(np.uint16))
    labels_ref, _, _, _, ious = match(str(folder / "true.tif"), str(folder / "found.tif"))
    return seg([labels_ref], [ious])


def main(folder):
    true, found = ([np.load(path) for path in sorted(folder.glob(f"{side}_*.npy"))] for side in ("true", "found"))
    scores = {
        "images": [
            table(matching(t, f, THRESHOLDS)) | {"seg": seg_of(folder, t, f)} for t, f in zip(true, found, strict=True)
        ],
        "pooled": table(matching_dataset(true, found, THRESHOLDS, show_progress=False)),
        "mean": table(matching_dataset(true, found, THRESHOLDS, by_image=True, show_progress=False)),
        "ctc": evaluate_sequence(str(folder / "ctc/01_RES"), str(folder / "ctc/01_GT"), ["SEG"], threads=1)["SEG"],
    }
    return json.dumps(scores)


if __name__ == "__main__":
    with redirect_stdout(sys.stderr):
        answer = main(Path(sys.argv[1]))
    print(answer)

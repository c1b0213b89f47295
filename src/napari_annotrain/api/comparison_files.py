"""A comparison on the disk: a model of each candidate, the table, and the table with the curves."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from napari_annotrain.api.candidates import Candidate, file_stems
from napari_annotrain.api.comparison import COLUMNS, Comparison
from napari_annotrain.data.places import beside, check_place, check_way
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.store.models import SUFFIX, check_model_path, save_model

TABLE, RECORD = "compare.csv", "compare.json"


def save_comparison(found: Comparison, out: Path, finished: bool = True) -> None:
    """Write the models there are, the table, and the table with the curves; each file is complete or not there.

    Raises
    ------
    AnnotrainError
        The folder cannot be written.
    """
    stems = file_stems([one.name for one in found.contenders])
    for stem, one in zip(stems, found.contenders, strict=True):
        if one.model is not None:
            save_model(one.model, out / (stem + SUFFIX))
    rows = found.rows(lambda k: stems[k] + SUFFIX)
    with beside(out / TABLE) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    record = {
        "finished": finished,
        "verdict": found.verdict(),
        "candidates": [
            row
            | {
                "device": one.device,
                "notes": one.notes,
                "validation_pixels": one.judged_by,
                "losses": [[round(t, 3), float(f"{loss:.5g}")] for t, loss in one.losses],
                "scores": [[round(t, 3), round(score, 5)] for t, score in one.scores],
            }
            for row, one in zip(rows, found.contenders, strict=True)
        ],
    }
    with beside(out / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")


def check_folder(out: Path, candidates: Sequence[Candidate]) -> None:
    """Refuse a place that cannot be written to, before anything is trained.

    Raises
    ------
    AnnotrainError
        There is something in the way.
    """
    if out.exists() and not out.is_dir():
        raise AnnotrainError(f"{out} is a file: choose a folder for what is compared.")
    for stem in file_stems([one.name for one in candidates]):
        check_model_path(out / (stem + SUFFIX))
    for name in (TABLE, RECORD):
        check_place(out / name)
        check_way(out / name, store=False, overwrite=True)

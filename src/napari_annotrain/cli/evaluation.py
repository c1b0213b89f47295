import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from napari_annotrain.errors import PartlyDone
from napari_annotrain.events import Event, Note


def evaluate(
    prediction: str,
    truth: str,
    *,
    as_: Annotated[Literal["classes", "cells", "image"], Parameter(name="--as")],
    min_size: int = 0,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Compare predicted labels or images with ground truth.

    Parameters
    ----------
    prediction
        Label or image file or folder.
    truth
        Label or image file or folder; of labels 0 is background.
    as_
        classes: pixels; cells: objects; image: PSNR (dB), SSIM, MAE and MSE.
    min_size
        Objects of fewer pixels are ignored on both sides.
    json_
        Print one JSON object.
    """
    from napari_annotrain.api.evaluation import evaluate as compare

    def warn(event: Event) -> None:
        if isinstance(event, Note):
            print(event.text, file=sys.stderr)

    try:
        scores = compare(Path(prediction), Path(truth), kind=as_, min_size=min_size, on_event=warn)
    except PartlyDone as partly:
        _print_scores(partly.result, json_)
        raise
    _print_scores(scores, json_)


def _print_scores(scores: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(scores, indent=1))
        return
    for name, values in [*scores["images"].items(), ("mean", scores["mean"]), ("pooled", scores["pooled"])]:
        print(f"{name}: " + "  ".join(_score_words(key, value) for key, value in values.items()))


def _score_words(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{key} " + " ".join(_score_words(str(k), v) for k, v in value.items())
    return f"{key} {value:.4f}" if isinstance(value, float) else f"{key} {value}"

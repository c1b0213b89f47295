"""The command line; knows neither Qt nor napari, and loads torch only for the verbs that need it."""

import sys
from collections.abc import Sequence

from cyclopts import App

import napari_annotrain
from napari_annotrain.cli.comparison import compare
from napari_annotrain.cli.demonstration import demo
from napari_annotrain.cli.evaluation import evaluate
from napari_annotrain.cli.measurement import measure
from napari_annotrain.cli.models import models_app
from napari_annotrain.cli.outcomes import BAD_INPUT, DONE, INTERRUPTED, tell_outcome
from napari_annotrain.cli.runs import predict, train
from napari_annotrain.cli.searches import suspects, where_next
from napari_annotrain.cli.sessions import sessions_app
from napari_annotrain.cli.tuning import tune

__all__ = ["BAD_INPUT", "DONE", "INTERRUPTED", "app", "main", "run"]

app = App(
    name="annotrain",
    help="Annotate cells, fine-tune a U-Net on this computer, segment stacks of any size.",
    version=napari_annotrain.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for verb in (train, tune, predict, compare, evaluate, measure, where_next, suspects, models_app, sessions_app, demo):
    app.command(verb)


def main(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 bad input with one sentence, 130 interrupted."""
    sys.exit(run(tokens))


def run(tokens: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(tokens) if tokens is not None else None
    return tell_outcome(lambda: app(words, exit_on_error=False, print_error=False))

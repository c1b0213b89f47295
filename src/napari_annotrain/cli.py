"""The command line; knows neither Qt nor napari, and loads torch only for the verbs that need it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter
from pydantic import ValidationError

import napari_annotrain
from napari_annotrain.errors import AnnotrainError, PartlyDone, is_out_of_memory
from napari_annotrain.events import Event, Note
from napari_annotrain.specs import CellsSpec
from napari_annotrain.terminal import Progress

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130

app = App(
    name="annotrain",
    help="Annotate cells, fine-tune a U-Net on this computer, segment stacks of any size.",
    version=napari_annotrain.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
models_app = App(name="models", help="List, show, export and import models.")
app.command(models_app)


@app.command
def train(
    images: str,
    annotations: str,
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"])],
    target: str = "classes",
    dense: bool = False,
    base: str = "none",
    preset: str = "fast",
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    axes: str | None = None,
    resume: bool = False,
) -> None:
    """Train a model on annotated images.

    Parameters
    ----------
    images
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    annotations
        Annotation file or folder; 0 is not annotated, 1 background, 2, 3, ... classes or cells.
    out
        Model file to write (.safetensors); the training state goes beside it.
    target
        classes, cells or image.
    dense
        The annotation is complete ground truth: 0 is background, n is class or cell n.
    base
        Model to start from: a file, the name of a shipped model, or none.
    preset
        fast, standard or paper.
    seconds
        Training time in seconds, reading excluded (60 if neither is given).
    steps
        Training steps; wins over seconds.
    seed
        Same seed and steps, same model.
    device
        auto, cpu, cuda or mps.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images.
    resume
        Go on from the training state beside the model.
    """
    from napari_annotrain import api

    with _telling(f"The model is in {out}."), Progress() as show:
        api.train(
            images,
            annotations,
            target=target,
            dense=dense,
            base=base,
            preset=preset,
            seconds=seconds,
            steps=steps,
            seed=seed,
            device=device,
            axes=axes,
            out=out,
            resume=resume,
            on_event=show,
        )


@app.command
def predict(
    model: str,
    input: str,  # noqa: A002 - the contract's word
    *,
    out: Annotated[str, Parameter(name=["--out", "-o"])],
    output: str | None = None,
    tile: str = "auto",
    memory: str = "2GB",
    device: str = "auto",
    precision: str = "auto",
    scheduler: str | None = None,
    axes: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    cells: Annotated[CellsSpec | None, Parameter(name="*", group="Cells")] = None,
) -> None:
    """Predict an image, a stack or a folder of them.

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    input
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    out
        Result: .tif, .png or .zarr; a folder for a folder.
    output
        classes, cells or probabilities; what the model was trained for if not given.
    tile
        Side of the tiles in px, whole, or auto (what the memory holds). The result is the same.
    memory
        Most memory the process may use, such as 2GB.
    device
        auto, cpu, cuda or mps.
    precision
        auto, float32, bfloat16 or float16.
    scheduler
        Address of a dask cluster, or local:N.
    axes
        One letter of T, C, Z, Y, X for each dimension of the input.
    resume
        Finish what an interrupted run left: an OME-Zarr, or a folder image by image.
    overwrite
        Replace an OME-Zarr that is already there.
    """
    from napari_annotrain import api

    with _telling(f"The result is in {out}."), Progress() as show:
        api.predict(
            model,
            Path(input),
            output=output,
            tile=tile,
            memory=memory,
            device=device,
            precision=precision,
            axes=axes,
            out=out,
            scheduler=scheduler,
            resume=resume,
            overwrite=overwrite,
            cells=cells,
            on_event=show,
        )


@app.command
def evaluate(
    prediction: str,
    truth: str,
    *,
    as_: Annotated[Literal["classes", "cells"], Parameter(name="--as")],
    min_size: int = 0,
    json_: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Compare predicted labels with ground truth.

    Parameters
    ----------
    prediction
        Label file or folder.
    truth
        Label file or folder; 0 is background.
    as_
        classes: pixels; cells: objects.
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


@models_app.command(name="list")
def list_models() -> None:
    """List the shipped models."""
    from napari_annotrain.store.models import load_model, shipped_models

    for name in shipped_models():
        card = load_model(name).card
        print(f"{name}: {card.target}, {card.channels} channel(s), {', '.join(card.class_names.values())}")
    if not shipped_models():
        print("No models are shipped yet: train one with annotrain train.")


@models_app.command(name="show")
def show_model(model: str, /) -> None:
    """Print the card of a model: what it predicts, what it was trained on, its settings.

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    """
    from napari_annotrain.store.models import load_model

    print(load_model(model).card.model_dump_json(indent=1))


@models_app.command(name="export")
def export_model(model: str, out: str, /) -> None:
    """Export a model to the BioImage.IO format (not there yet).

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    out
        File to write.
    """
    raise AnnotrainError("Exporting to BioImage.IO is not there yet: pass the model file on as it is.")


@models_app.command(name="import")
def import_model(model: str, /) -> None:
    """Import a model from the BioImage.IO format (not there yet).

    Parameters
    ----------
    model
        File to import.
    """
    raise AnnotrainError("Importing from BioImage.IO is not there yet: use a model file that annotrain saved.")


@app.command
def demo(*, headless: bool = False, out: str = "demo-output") -> None:
    """Run the main job on sample cells in napari: annotate, train, predict.

    Parameters
    ----------
    headless
        Use a virtual screen and leave screenshot, labels, model and scores in the folder `out`.
    out
        Folder for the results.
    """
    if find_spec("napari") is None:
        raise AnnotrainError("The demo needs napari: pip install 'napari-annotrain[all]'.")
    environment = dict(os.environ)
    command = [sys.executable, "-m", "napari_annotrain._napari.demo", out]
    if sys.platform.startswith("linux") and (headless or not _has_display()):
        headless = True
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
        environment["QT_QPA_PLATFORM"] = "xcb"
    try:
        code = subprocess.run([*command, *["--headless"] * headless], env=environment, check=False).returncode
    except FileNotFoundError:
        raise AnnotrainError("A virtual screen is needed: install xvfb (apt install xvfb), or use a display.") from None
    if code:
        raise AnnotrainError(f"The demo did not reach its end (exit code {code}); the reason stands above.")


def main(tokens: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 bad input with one sentence, 130 interrupted."""
    sys.exit(run(tokens))


def run(tokens: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        app(list(tokens) if tokens is not None else None, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _complain(_one_sentence(error))
    except AnnotrainError as error:
        return _complain(str(error))
    except (MemoryError, RuntimeError) as error:
        from napari_annotrain.api.memory import SHORT_OF_MEMORY

        if not is_out_of_memory(error):
            raise
        return _complain(SHORT_OF_MEMORY)
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "Interrupted.", file=sys.stderr)
        return INTERRUPTED
    return DONE


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return BAD_INPUT


def _one_sentence(error: CycloptsError) -> str:
    if isinstance(error.__cause__, ValidationError):
        first = error.__cause__.errors()[0]
        option = "--" + str(first["loc"][-1]).replace("_", "-")
        return f"{option} cannot be {first['input']}: {first['msg'].lower()}; see annotrain --help."
    text = " ".join(str(error).split()).replace('"', "'")
    return "; ".join([*re.split(r"[.?!] +(?=[A-Z])", text.rstrip(".?! ")), "see annotrain --help."])


@contextmanager
def _telling(where: str) -> Iterator[None]:
    """Say at the end where the result is, also when some files of a folder had to be left out."""
    try:
        yield
    except PartlyDone:
        print(where)
        raise
    print(where)


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


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    main()

import os
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_annotrain.api.failures import Failures, left_out
from napari_annotrain.api.sources import Source, is_path, one_stack
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.normalise import Normalisation, is_flat, measure
from napari_annotrain.data.pairs import by_stem, is_folder, list_images
from napari_annotrain.data.places import check_place
from napari_annotrain.data.stack import Stack, paste
from napari_annotrain.data.writing import check_writable, filling_ome_zarr, write_array
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Done, Event, Note, OnEvent, TileDone
from napari_annotrain.inference import results, seams
from napari_annotrain.inference import segment as segmenting
from napari_annotrain.inference.planes import KeptPlanes
from napari_annotrain.inference.seams import SeamCheck
from napari_annotrain.inference.segment import check_channels
from napari_annotrain.net.device import choose_device, choose_precision
from napari_annotrain.net.model import Model
from napari_annotrain.specs import CellsSpec, Device, Output, Precision, PredictSpec, check_choice, parse_memory
from napari_annotrain.store.models import load_model


def predict(
    model: Model | str | Path,
    image: Source,
    output: str | None = None,
    tile: str | int = "auto",
    memory: str | int = "2GB",
    device: str = "auto",
    precision: str = "auto",
    axes: str | None = None,
    out: str | Path | None = None,
    scheduler: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    cells: CellsSpec | None = None,
    on_event: OnEvent | None = None,
) -> Any:
    """Predict an image, a stack of any size, or a folder of them.

    Parameters
    ----------
    model
        A `Model`, the path of a model file, or the name of a shipped one.
    image
        An array, or the path of a file or a folder.
    output
        ``"classes"``, ``"cells"`` or ``"probabilities"``; None for what the model was trained for.
    tile
        Side of the written core in px, ``"whole"``, or ``"auto"``: what `memory` holds. The result is the same.
    memory
        Most memory the process may use, such as ``"2GB"``.
    device, precision
        Where and how precisely to compute; ``"auto"`` takes the fastest.
    axes
        One letter of T, C, Z, Y, X for each dimension; else read from the file or guessed from the shape.
    out
        File (``.tif``, ``.png``, ``.zarr``) to write, or folder if `image` is one.
    overwrite
        Replace an OME-Zarr that is already there.
    cells
        How cells are told apart, and how large they are (`napari_annotrain.specs.CellsSpec`); None: automatic.
    on_event
        Called with every event (`napari_annotrain.events`).

    Returns
    -------
    Labels in the order of the image's axes, without the channel; probabilities with the channel first. For a folder,
    the paths that were written. Classes and probabilities written to ``.zarr`` are streamed there tile by tile,
    plane by plane where the image is rescaled for the network. What
    is written to ``.zarr`` comes back as a zarr array, unless `image` is a numpy array: numpy in, numpy out.

    Raises
    ------
    AnnotrainError
        Bad input, in one sentence.
    PartlyDone
        Some images of a folder could not be predicted; `result` holds the paths of the others.
    """
    _refuse_later_options(scheduler, resume)
    spec = predict_spec(output, tile, memory, device, precision)
    spec = spec.model_copy(update={"cells": cells or CellsSpec()})
    choose_precision(spec.precision, choose_device(spec.device))
    if not isinstance(model, Model):
        model = load_model(model)
    results.output_of(model.card, output)
    if is_path(image) and out is not None and os.path.realpath(image) == os.path.realpath(out):
        raise AnnotrainError(f"The result would replace {image} itself: choose another place for it.")
    if is_path(image) and is_folder(image):
        return _predict_folder(model, Path(image), spec, axes, out, overwrite, on_event)
    result = _predict_one(model, one_stack(image, axes), spec, out, overwrite, on_event)
    given = image.array if isinstance(image, Stack) else image
    return np.asarray(result[...]) if isinstance(given, np.ndarray) else result


def predict_spec(
    output: str | None = None,
    tile: str | int = "auto",
    memory: str | int = "2GB",
    device: str = "auto",
    precision: str = "auto",
) -> PredictSpec:
    """Check the options of `predict` and gather them.

    Raises
    ------
    AnnotrainError
        One of them is not possible; the sentence names the possible ones.
    """
    for name, value, choices in (("device", device, Device), ("precision", precision, Precision)):
        check_choice(name, value, choices)
    if output is not None:
        check_choice("output", output, Output)
    if str(tile) not in ("auto", "whole"):
        try:
            tile = int(tile)
        except ValueError:
            tile = 0
        if tile < 1:
            raise AnnotrainError("The tile must be a positive number of pixels, auto or whole.")
    settings = {"output": output, "tile": tile, "memory": parse_memory(memory), "device": device}
    return PredictSpec.model_validate({**settings, "precision": precision})


def iter_prediction(
    model: Model,
    stack: Stack,
    *,
    spec: PredictSpec | None = None,
    region: segmenting.Region | None = None,
    normalisation: Normalisation | None = None,
    kept: KeptPlanes | None = None,
) -> Generator[Event]:
    """Predict as `predict` does, as a generator of events: `Started`, `TileDone`s, `Done`.

    Parameters
    ----------
    region
        (T, Z, Y, X) slices inside the image, in px; None for all of it. The values are those the whole image has.
    normalisation
        From `measure_normalisation`, to measure it once for several regions of an image.
    kept
        Where planes are kept, to tell cells apart again with other `spec.cells` without running the network.
    """
    if normalisation is None:
        normalisation = measure_normalisation(model, stack)
    with closing(segmenting.segment(model, stack, normalisation, spec or PredictSpec(), region, kept)) as events:
        yield from events
    yield Done(None)


def measure_normalisation(model: Model, stack: Stack) -> Normalisation:
    """Intensity range of an image for a model: measured over all its planes, or that of the training images."""
    card = model.card
    if card.normalise.scope == "training" and card.training_range:
        low, high = zip(*card.training_range, strict=True)
        return Normalisation(low, high, is_flat(stack))
    return measure(stack, card.normalise)


def check_seams(model: Model, stack: Stack, spec: PredictSpec | None = None, t: int = 0, z: int = 0) -> SeamCheck:
    """Check on an image that tiles leave no seams: four tiles around a corner against one block across it."""
    check_channels(model, stack)
    return seams.check_seams(model, stack, measure_normalisation(model, stack), spec or PredictSpec(), t, z)


def output_of(model: Model, output: str | None = None) -> tuple[str, np.dtype[Any], int]:
    """What `predict` will give: kind, type, and channels (0 for labels)."""
    return results.output_of(model.card, output)


def _predict_one(
    model: Model, stack: Stack, spec: PredictSpec, out: str | Path | None, overwrite: bool, on_event: OnEvent | None
) -> Any:
    check_channels(model, stack)
    kind, dtype, channels = output_of(model, spec.output)
    axes = "C" * bool(channels) + stack.label_axes
    shape = (channels,) * bool(channels) + stack.label_shape
    if out is not None:  # how many cells there will be, and so their type, is not known yet
        check_writable(out, overwrite, shape, axes, np.uint8 if kind == "cells" else dtype)
    to_zarr = out is not None and Path(out).suffix.lower() == ".zarr"
    if out is not None and to_zarr and kind != "cells":
        with filling_ome_zarr(Path(out), shape, dtype, axes, stack.pixel_um, overwrite) as level:
            _fill(level, axes, model, stack, spec, on_event)
        return zarr.open_array(Path(out), path="0", mode="r")
    result = np.zeros(shape, dtype)
    _fill(result, axes, model, stack, spec, on_event)
    if kind == "cells":
        result = result.astype(np.min_scalar_type(int(result.max(initial=0))))
    if out is not None:
        write_array(out, result, axes, pixel_um=stack.pixel_um, overwrite=overwrite)
    return zarr.open_array(out, path="0", mode="r") if to_zarr else result


def _fill(result: Any, axes: str, model: Model, stack: Stack, spec: PredictSpec, on_event: OnEvent | None) -> None:
    """Predict, writing every tile into the result while the next one is computed."""
    with (
        ThreadPoolExecutor(1, "annotrain-writing") as writer,
        closing(iter_prediction(model, stack, spec=spec)) as events,
    ):
        written: Future[None] | None = None
        for event in events:
            if isinstance(event, TileDone):
                if written is not None:
                    written.result()
                written = writer.submit(paste, result, axes, event.write, event.result)
            if on_event:
                on_event(event)
        if written is not None:
            written.result()


def _predict_folder(
    model: Model,
    folder: Path,
    spec: PredictSpec,
    axes: str | None,
    out: str | Path | None,
    overwrite: bool,
    on_event: OnEvent | None,
) -> list[Path]:
    if out is None:
        raise AnnotrainError("To predict a folder, say where the results go: give a folder as out.")
    tell = on_event or (lambda event: None)
    failures = Failures(lambda text: tell(Note(text)))
    written = []
    images = by_stem(list_images(folder))
    check_place(Path(out) / "any.tif")
    for name, path in images.items():
        with failures.noting(path.name):
            target = Path(out) / f"{name}.tif"
            _predict_one(model, open_stack(path, axes), spec, target, overwrite, on_event)
            written.append(target)
    if failures.names:
        sentence = left_out(failures.names, len(images), "images could not be predicted")
        raise PartlyDone(sentence, written) if written else AnnotrainError(sentence)
    return written


def _refuse_later_options(scheduler: str | None, resume: bool) -> None:
    if scheduler is not None:
        raise AnnotrainError("Prediction on a cluster (scheduler) is not there yet: leave it out to use this computer.")
    if resume:
        raise AnnotrainError("Resuming a prediction is not there yet: leave resume out to start from the beginning.")

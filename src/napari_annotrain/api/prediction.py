import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_annotrain.api.failures import Failures, left_out
from napari_annotrain.api.piecewise import iter_prediction, measure_normalisation
from napari_annotrain.api.sources import Source, is_path, one_stack
from napari_annotrain.api.streaming import Conduct, stream
from napari_annotrain.api.under_way import stored_as
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.filling import unfinished
from napari_annotrain.data.pairs import by_stem, is_folder, list_images
from napari_annotrain.data.places import check_place
from napari_annotrain.data.stack import Stack, paste
from napari_annotrain.data.writing import check_writable, write_array
from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.events import Note, OnEvent, TileDone
from napari_annotrain.inference import results, seams
from napari_annotrain.inference.distributed import check_address
from napari_annotrain.inference.seams import SeamCheck
from napari_annotrain.inference.segment import check_channels
from napari_annotrain.net.device import choose_device, choose_precision
from napari_annotrain.net.model import Model
from napari_annotrain.specs import (
    CellsSpec,
    Device,
    Output,
    Precision,
    PredictSpec,
    Uncertainty,
    Views,
    check_choice,
    parse_memory,
)
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
    augment: str = "none",
    uncertainty: str | None = None,
    samples: int = 16,
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
        ``"classes"``, ``"cells"``, ``"probabilities"``, ``"uncertainty"`` or ``"image"``; None for what the model was
        trained for.
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
    scheduler
        Address of a dask cluster (``"tcp://..."``), whose workers see the image and the place of the result, or
        ``"local:N"`` for N processes of this computer.
    resume
        Finish what an interrupted run left: an OME-Zarr piece by piece, a folder image by image; a single image of
        another type cannot be resumed.
    overwrite
        Replace an OME-Zarr that is already there, or what an interrupted run left of one.
    cells
        How cells are told apart, and how large they are (`napari_annotrain.specs.CellsSpec`); None: automatic.
    augment
        ``"none"``, ``"flips"`` or ``"flips and turns"``: mean probabilities (and distances) of the image and of its
        3 mirrored or 7 mirrored and turned views, in 4 or 8 times the time.
    uncertainty
        How uncertain the model is, in place of labels, float32: ``"entropy"`` of the probabilities, divided by the
        highest possible (0 to 1); ``"augmentation"``, the standard deviation of the probability over the views (of
        several classes the largest; 0 to 0.5); or ``"dropout"``, the same over networks drawn by dropout (Gal and
        Ghahramani 2016), for models that have it.
    samples
        How many networks are drawn by dropout.
    on_event
        Called with every event (`napari_annotrain.events`).

    Returns
    -------
    Labels in the order of the image's axes, without the channel; probabilities with the channel first; an image as
    float32 in the units of the targets, with the channel first where it has several. For a folder, the paths that were
    written. What is written to ``.zarr`` is streamed there, classes, probabilities and images tile by tile, cells plane
    by plane, as is all of an image that is rescaled for the network. It comes back as a zarr array, time and channel
    first, unless `image` is a numpy array: numpy in, numpy out.

    Raises
    ------
    AnnotrainError
        Bad input, in one sentence.
    PartlyDone
        Some images of a folder could not be predicted; `result` holds the paths of the others.
    """
    if scheduler is not None:
        check_address(scheduler)
    if resume and out is None:
        raise AnnotrainError("To resume a prediction, say which result: give out.")
    spec = predict_spec(output, tile, memory, device, precision, augment, uncertainty, samples)
    output = spec.output
    spec = spec.model_copy(update={"cells": cells or CellsSpec(), "scheduler": scheduler or ""})
    if scheduler is None:  # else it is for the workers to have it
        choose_precision(spec.precision, choose_device(spec.device))
    if not isinstance(model, Model):
        model = load_model(model)
    results.output_of(model.card, output)
    if is_path(image) and out is not None and os.path.realpath(image) == os.path.realpath(out):
        raise AnnotrainError(f"The result would replace {image} itself: choose another place for it.")
    how = Conduct(resume, overwrite, on_event)
    if is_path(image) and is_folder(image):
        return _predict_folder(model, Path(image), spec, axes, out, how)
    if resume and out is not None:
        _check_resumable(Path(out), scheduler is not None)
    stack = one_stack(image, axes)
    result = _predict_one(model, stack, spec, out, how)
    given = image.array if isinstance(image, Stack) else image
    return _as_array(result, model, stack, spec) if isinstance(given, np.ndarray) else result


def _as_array(result: Any, model: Model, stack: Stack, spec: PredictSpec) -> np.ndarray[Any, Any]:
    """A result in the memory, in the order of the image's axes, channels first."""
    if not isinstance(result, zarr.Array):
        return np.asarray(result[...])
    stored, _ = stored_as(model, stack, spec)
    wanted = "C" * ("C" in stored) + stack.label_axes
    return np.asarray(result[...]).transpose([stored.index(a) for a in wanted])


def predict_spec(
    output: str | None = None,
    tile: str | int = "auto",
    memory: str | int = "2GB",
    device: str = "auto",
    precision: str = "auto",
    augment: str = "none",
    uncertainty: str | None = None,
    samples: int = 16,
) -> PredictSpec:
    """Check the options of `predict` and gather them; an uncertainty is an output of its own.

    Raises
    ------
    AnnotrainError
        One of them is not possible; the sentence names the possible ones.
    """
    words = (("device", device, Device), ("precision", precision, Precision), ("augmentation", augment, Views))
    for name, value, choices in (*words, ("uncertainty", uncertainty or "entropy", Uncertainty)):
        check_choice(name, value, choices)
    if uncertainty is not None and output not in (None, "uncertainty"):
        raise AnnotrainError(f"Uncertainty is given in place of {output}: leave output out, or predict twice.")
    if not 2 <= samples <= 200:
        raise AnnotrainError(f"{samples} networks cannot be compared: give 2 to 200 samples.")
    output = output if uncertainty is None else "uncertainty"
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
    views = {"augment": augment, "uncertainty": uncertainty or "entropy", "samples": samples}
    return PredictSpec.model_validate({**settings, **views, "precision": precision})


def check_seams(model: Model, stack: Stack, spec: PredictSpec | None = None, t: int = 0, z: int = 0) -> SeamCheck:
    """Check on an image that tiles leave no seams: four tiles around a corner against one block across it."""
    check_channels(model, stack)
    return seams.check_seams(model, stack, measure_normalisation(model, stack), spec or PredictSpec(), t, z)


def output_of(model: Model, output: str | None = None) -> tuple[str, np.dtype[Any], int]:
    """What `predict` will give: kind, type, and channels (0 for labels)."""
    return results.output_of(model.card, output)


def _predict_one(
    model: Model,
    stack: Stack,
    spec: PredictSpec,
    out: str | Path | None,
    how: Conduct,
) -> Any:
    check_channels(model, stack)
    if out is not None and Path(out).suffix.lower() == ".zarr":
        return stream(model, stack, spec, Path(out), how)
    kind, dtype, channels = output_of(model, spec.output)
    axes = "C" * bool(channels) + stack.label_axes
    shape = (channels,) * bool(channels) + stack.label_shape
    if out is not None:  # how many cells there will be, and so their type, is not known yet
        check_writable(out, how.overwrite, shape, axes, np.uint8 if kind == "cells" else dtype)
    if not spec.scheduler:
        result = np.zeros(shape, dtype)
        _fill(result, axes, model, stack, spec, how.on_event)
    else:
        if out is None:
            raise AnnotrainError("The workers of a cluster need a place to write to that all of them see: give out.")
        blocks = _blocks_of(Path(out))
        result = _as_array(stream(model, stack, spec, blocks, how), model, stack, spec)
    if kind == "cells":
        result = result.astype(np.min_scalar_type(int(result.max(initial=0))))
    if out is not None:
        write_array(out, result, axes, pixel_um=stack.pixel_um, overwrite=how.overwrite)
        if spec.scheduler:
            shutil.rmtree(blocks)
    return result


def _blocks_of(out: Path) -> Path:
    """Where the workers of a cluster write what becomes a file when all of it is there."""
    return out.with_name(f".{out.name}.zarr")


def _check_resumable(out: Path, cluster: bool) -> None:
    """Refuse to take up a file: it is written when all of it is computed, and does not say by which run."""
    if out.suffix.lower() == ".zarr":
        return
    blocks = _blocks_of(out)
    if not cluster or (out.exists() and not blocks.exists() and unfinished(blocks) is None):
        raise AnnotrainError(
            f"There is nothing of {out} to resume: give an .ome.zarr to resume a single image, "
            "or leave out resume to compute it anew."
        )


def _fill(result: Any, axes: str, model: Model, stack: Stack, spec: PredictSpec, on_event: OnEvent | None) -> None:
    def write(event: TileDone) -> None:
        paste(result, axes, event.write, event.result)

    with closing(iter_prediction(model, stack, spec=spec, write=write)) as events:
        for event in events:
            if on_event:
                on_event(event)


def _predict_folder(
    model: Model,
    folder: Path,
    spec: PredictSpec,
    axes: str | None,
    out: str | Path | None,
    how: Conduct,
) -> list[Path]:
    if out is None:
        raise AnnotrainError("To predict a folder, say where the results go: give a folder as out.")
    tell = how.on_event or (lambda event: None)
    failures = Failures(lambda text: tell(Note(text)))
    written = []
    images = by_stem(list_images(folder))
    check_place(Path(out) / "any.tif")
    for name, path in images.items():
        with failures.noting(path.name):
            target = Path(out) / f"{name}.tif"
            if how.resume and target.is_file():  # files appear when they are complete
                tell(Note(f"{target} is there already and was left as it is."))
            else:
                _predict_one(model, open_stack(path, axes), spec, target, how)
            written.append(target)
    if failures.names:
        sentence = left_out(failures.names, len(images), "images could not be predicted")
        raise PartlyDone(sentence, written) if written else AnnotrainError(sentence)
    return written

"""The verbs that search images with a model: where to paint next, and what was painted by mistake."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from napari_annotrain.errors import AnnotrainError, PartlyDone
from napari_annotrain.terminal import Progress

Json = Annotated[bool, Parameter(name="--json", negative="")]
#: Searches one image, given its file and that of its annotation: a row for each place, by column.
Search = Callable[[Path, Path | None], list[dict[str, Any]]]


def where_next(
    model: str,
    images: str,
    annotations: str | None = None,
    /,
    *,
    most: int = 20,
    device: str = "auto",
    axes: str | None = None,
    json_: Json = False,
) -> None:
    """List the places where painting teaches a model most: it is in doubt there, and nothing is painted.

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    images
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    annotations
        What is painted so far, a file or folder; 0 is not annotated.
    most
        So many places at most, the most doubtful of all images first.
    device
        auto, cpu, cuda or mps.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images.
    json_
        Print a JSON list.
    """
    from napari_annotrain import api

    with Progress() as show:
        known = api.load_model(model)

        def search(image: Path, annotation: Path | None) -> list[dict[str, Any]]:
            found = api.where_next(known, image, annotation, most=most, device=device, axes=axes, on_event=show)
            return [_place(image, one) | {"doubt": round(one.doubt, 4), "why": str(one)} for one in found]

        rows, partly = _search_all(_pairs(images, annotations), search)
    _print(sorted(rows, key=lambda row: -row["doubt"])[:most], json_, "There is no place left that is not annotated.")
    if partly is not None:
        raise partly


def suspects(
    model: str,
    images: str,
    annotations: str,
    /,
    *,
    target: Literal["classes", "cells"] = "classes",
    most: int = 20,
    device: str = "auto",
    axes: str | None = None,
    json_: Json = False,
) -> None:
    """List what was painted and a model disagrees with most: slips of the brush, or what it has yet to learn.

    Parameters
    ----------
    model
        Model file, or the name of a shipped model.
    images
        Image file or folder (TIFF, OME-TIFF, PNG, OME-Zarr).
    annotations
        What is painted, a file or folder: 0 not annotated, 1 background, 2, 3, ... classes or cells.
    target
        What these are: classes or cells.
    most
        So many at most, the worst of all images first.
    device
        auto, cpu, cuda or mps.
    axes
        One letter of T, C, Z, Y, X for each dimension of the images.
    json_
        Print a JSON list.
    """
    from napari_annotrain import api

    with Progress() as show:
        known = api.load_model(model)
        names = {value + 1: name for value, name in known.card.class_names.items()} | {1: "background"}
        cells = target == "cells"

        def search(image: Path, annotation: Path | None) -> list[dict[str, Any]]:
            found = api.find_suspects(known, image, annotation, target, most, device, axes, show)
            return [
                _place(image, one)
                | {"value": one.value, "pixels": one.n_px, "disagreement": round(one.disagreement, 4)}
                | {"why": one.words(names, cells)}
                for one in found
            ]

        rows, partly = _search_all(_pairs(images, annotations), search)
    _print(
        sorted(rows, key=lambda row: -row["disagreement"])[:most], json_, "The model agrees with all that is painted."
    )
    if partly is not None:
        raise partly


def _place(image: Path, found: Any) -> dict[str, Any]:
    """Where a box lies: planes counted from 0, its middle in pixels."""
    y, x = ((s.start + s.stop) // 2 for s in found.box)
    return {"image": image.name, "t": found.t, "z": found.z, "y": y, "x": x}


def _pairs(images: str, annotations: str | None) -> list[tuple[Path, Path | None]]:
    from napari_annotrain.data.pairs import list_images, pair_files

    if annotations is None:
        return [(path, None) for path in list_images(images)]
    pairs, notes = pair_files(images, annotations)
    for note in notes:
        print(note, file=sys.stderr)
    return list(pairs)


def _search_all(
    pairs: Sequence[tuple[Path, Path | None]], search: Search
) -> tuple[list[dict[str, Any]], PartlyDone | None]:
    """Search images; of several, one that cannot be used is told and the others go on."""
    from napari_annotrain.api.failures import Failures, left_out

    if len(pairs) == 1:
        return search(*pairs[0]), None
    failures, rows = Failures(lambda text: print(text, file=sys.stderr)), []
    for image, annotation in pairs:
        with failures.noting(image.name):
            rows += search(image, annotation)
    if not failures.names:
        return rows, None
    sentence = left_out(failures.names, len(pairs), "images could not be searched")
    if len(failures.names) == len(pairs):
        raise AnnotrainError(sentence)
    return rows, PartlyDone(sentence, rows)


def _print(rows: Sequence[dict[str, Any]], as_json: bool, nothing: str) -> None:
    """One line for each row under the names of the columns, or a JSON list."""
    if as_json:
        print(json.dumps(list(rows), indent=1))
        return
    if not rows:
        print(nothing)
        return
    lines = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())

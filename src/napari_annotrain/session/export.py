import json
import platform
import zipfile
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from napari_annotrain.data.places import beside
from napari_annotrain.data.writing import write_array
from napari_annotrain.session.folder import MODELS, SessionFolder
from napari_annotrain.session.methods import methods

#: Whose versions are told.
PACKAGES = ("napari-annotrain", "torch", "numpy", "scikit-image", "scipy", "zarr", "tifffile")


def export_session(folder: SessionFolder, out: Path, read_card: Callable[[Path], Mapping[str, Any]]) -> None:
    """Pack a session into one zip for others: what was annotated, models, settings, versions, a methods paragraph.

    Annotations are TIFFs (0 not annotated, 1 background, 2, 3, ... classes or cells); images are named, not packed.

    Parameters
    ----------
    folder
        Open.
    read_card
        Gives the card of a model file.

    Raises
    ------
    AnnotrainError
        Something is damaged, or `out` cannot be written.
    """
    state, amounts, n_annotated = folder.state, dict[int, int](), 0
    with beside(out) as place, TemporaryDirectory() as scratch, zipfile.ZipFile(place, "w") as packed:
        for i, image in enumerate(one for one in state.images if one.sheet):
            sheet = folder.read_sheet(image.sheet)
            counts = _count(sheet)
            amounts = {value: amounts.get(value, 0) + n for value, n in (amounts | counts).items()}
            n_annotated += bool(counts)
            path = Path(scratch) / "annotation.tif"
            axes = image.sheet_axes if len(image.sheet_axes) == sheet.ndim else "TCZYX"[-sheet.ndim :]
            write_array(path, sheet, axes, {})
            packed.write(path, f"annotations/{i + 1} {_safe(image.name)}.tif")
        cards = {}
        for i, model in enumerate(state.models):
            if (path := folder.model_path(model.file)).exists():
                packed.write(path, f"{MODELS}/{i + 1} {_safe(model.name)}.safetensors")
                cards[model.file] = dict(read_card(path))
        said = methods(cards.get(state.model), n_annotated, _words(amounts, state.settings), _version(PACKAGES[0]))
        scores = {model.name: model.score for model in state.models}
        packed.writestr("settings.json", state.model_dump_json(indent=1))
        packed.writestr("scores.json", json.dumps(scores, indent=1))
        packed.writestr("versions.json", json.dumps(_versions(), indent=1))
        packed.writestr("methods.txt", said)


def _count(sheet: np.ndarray[Any, np.dtype[Any]]) -> dict[int, int]:
    """Pixels of each value but 0, a plane at a time."""
    found: dict[int, int] = {}
    for index in np.ndindex(sheet.shape[:-2]):
        plane = np.asarray(sheet[index])
        if plane.any():
            values, numbers = np.unique(plane[plane > 0], return_counts=True)
            for value, n in zip(values.tolist(), numbers.tolist(), strict=True):
                found[value] = found.get(value, 0) + n
    return found


def _words(amounts: Mapping[int, int], settings: Mapping[str, Any]) -> str:
    pixels = f"{sum(amounts.values()):,} pixels"
    if accepted := settings.get("accepted_px"):
        pixels += f", up to {accepted:,} of them predictions that were accepted and then corrected"
    if settings.get("target") == "cells":
        n = sum(value > 1 for value in amounts)
        return f"{n:,} cell{'s' * (n != 1)}, {pixels}"
    return pixels


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "system": platform.platform()} | {p: _version(p) for p in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # one that was installed under another name
        return "unknown"


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in " ._-()" else "_" for c in name)[:80]

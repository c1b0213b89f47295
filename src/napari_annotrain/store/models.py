"""Models as files: one `.safetensors` whose header carries the card; loading runs no code."""

import json
import os
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet

HEADER = "annotrain"
SUFFIX = ".safetensors"


def save_model(model: Model, path: str | Path) -> Path:
    """Write a model file; an older file of the same name is replaced only when the new one is complete.

    Raises
    ------
    AnnotrainError
        The path cannot be written.
    """
    path = Path(path)
    write_tensors(path, model.weights, {HEADER: model.card.model_dump_json()})
    return path


def load_model(name: str | Path) -> Model:
    """Read a model file, or a shipped model by its name.

    Raises
    ------
    AnnotrainError
        There is no such file or shipped model, or it is damaged, or not a model of annotrain.
    """
    path = find_model(name)
    weights, header = read_tensors(path)
    try:
        card = Card.model_validate_json(header[HEADER])
    except KeyError:
        raise AnnotrainError(f"{path.name} is not a model of annotrain: choose a file that annotrain saved.") from None
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise AnnotrainError(f"The card of the model {path.name} cannot be read ({reason}): train it again.") from None
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in UNet(card.net).state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} != expected:
        raise AnnotrainError(f"The weights of the model {path.name} do not fit its card: the file is damaged.")
    weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    return Model(card, weights)


def shipped_models() -> dict[str, Path]:
    """Base weights inside the package, by name."""
    folder = Path(str(resources.files("napari_annotrain"))) / "weights"
    return {path.stem: path for path in sorted(folder.glob("*" + SUFFIX))}


def find_model(name: str | Path) -> Path:
    """Path of a model file or of a shipped model.

    Raises
    ------
    AnnotrainError
        Neither exists; the sentence names the shipped ones.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = shipped_models()
    if str(name) in shipped:
        return shipped[str(name)]
    known = f" or one of {', '.join(shipped)}" if shipped else ""
    raise AnnotrainError(f"There is no model '{name}': give the path of a model file{known}.")


def check_model_path(path: Path) -> None:
    """Refuse, before any training, a path that no model can be written to; nothing is left behind.

    Raises
    ------
    AnnotrainError
        It is a folder, has another suffix, or the place cannot be written.
    """
    if path.suffix != SUFFIX:
        raise AnnotrainError(f"{path} is no name for a model: let it end in {SUFFIX}.")
    if path.is_dir():
        raise AnnotrainError(f"{path} is a folder: choose another name for the model.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> None:
    """Write tensors and a header beside `path`, then rename, so that no half-written file ever bears the name."""
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()}, dict(header))
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read all tensors and the header of a `.safetensors` file."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AnnotrainError(
            f"{path.name} cannot be read as a model ({error}): is it damaged or another file?"
        ) from None


def _unwritable(path: Path, error: OSError) -> AnnotrainError:
    return AnnotrainError(f"{path} cannot be written ({error.strerror or error}): choose another place.")

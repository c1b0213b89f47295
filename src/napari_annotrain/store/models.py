"""Models as files: one `.safetensors` whose header carries the card; loading runs no code."""

import os
from importlib import resources
from pathlib import Path

from napari_annotrain.data.places import check_place, check_way
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Model
from napari_annotrain.store.cards import expected_shapes, read_card
from napari_annotrain.store.tensors import open_tensors, write_tensors

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
        There is no such file or shipped model, or it is damaged, or not a model of this annotrain.
    """
    path = find_model(name)
    with open_tensors(path) as file:
        if HEADER not in file.header:
            raise AnnotrainError(f"{path.name} is not a model of annotrain: choose a file that annotrain saved.")
        card = read_card(file.header[HEADER], path.name)
        if file.shapes() != expected_shapes(card):
            raise AnnotrainError(
                f"The weights of the model {path.name} do not fit its card: copy it again or choose another one."
            )
        weights = file.read()
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
    if os.path.isfile(path):
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
    check_place(path)
    check_way(path, store=False, overwrite=True)

"""Training states as files, beside the model they belong to."""

from pathlib import Path

import torch
from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card
from napari_annotrain.specs import TrainSpec
from napari_annotrain.store.cards import expected_shapes
from napari_annotrain.store.models import SUFFIX
from napari_annotrain.store.tensors import Shapes, open_tensors, write_tensors

HEADER = "annotrain-training"


def state_path(model: Path) -> Path:
    """Where the training state of a model file lies: `cells.safetensors` -> `cells.training.safetensors`."""
    return model.with_name(model.name.removesuffix(SUFFIX) + ".training" + SUFFIX)


def save_state(tensors: dict[str, torch.Tensor], card: Card, spec: TrainSpec, model: Path) -> None:
    """Write a training state (`TrainingState.tensors`) beside a model file, replacing the older one when complete."""
    header = {HEADER: "1", "card": card.model_dump_json(), "spec": spec.model_dump_json()}
    write_tensors(state_path(model), tensors, header)


def load_state(model: Path) -> tuple[dict[str, torch.Tensor], Card, TrainSpec] | None:
    """Read the training state beside a model file, with the card and settings of that run; None if there is none.

    Raises
    ------
    AnnotrainError
        The file is there but damaged, or of another program.
    """
    path = state_path(model)
    if not path.exists():
        return None
    with open_tensors(path) as file:
        try:
            card = Card.model_validate_json(file.header["card"])
            spec = TrainSpec.model_validate_json(file.header["spec"])
        except (KeyError, ValidationError):
            raise _no_state(path) from None
        if not _is_whole(file.shapes(), card):
            raise _no_state(path)
        return file.read(), card, spec


def _no_state(path: Path) -> AnnotrainError:
    return AnnotrainError(f"{path.name} is not a training state: remove it, or train without --resume.")


def _is_whole(shapes: Shapes, card: Card) -> bool:
    """Tell whether the weights are all there; what the optimiser remembers may be missing."""
    expected = expected_shapes(card)
    groups = {
        group: {name.removeprefix(f"{group}/"): shape for name, shape in shapes.items() if name.startswith(f"{group}/")}
        for group in ("weights", "average", "best", "past")
    }
    complete = groups["weights"] == groups["average"] == expected
    complete &= all(groups[name] in ({}, expected) for name in ("best", "past"))
    return bool(expected) and complete and shapes.get("progress") == (3,)

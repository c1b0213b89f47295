"""Training states as files, beside the model they belong to."""

from pathlib import Path

import torch
from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card
from napari_annotrain.specs import TrainSpec
from napari_annotrain.store.models import SUFFIX, read_tensors, write_tensors

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
    tensors, header = read_tensors(path)
    try:
        card = Card.model_validate_json(header["card"])
        spec = TrainSpec.model_validate_json(header["spec"])
    except (KeyError, ValidationError):
        raise AnnotrainError(f"{path.name} is not a training state: remove it, or train without --resume.") from None
    return tensors, card, spec

"""Training states as files, beside the model they belong to."""

from pathlib import Path

from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card
from napari_annotrain.specs import TrainSpec
from napari_annotrain.store.models import SUFFIX, read_tensors, write_tensors
from napari_annotrain.training.state import TrainingState

HEADER = "annotrain-training"


def state_path(model: Path) -> Path:
    """Where the training state of a model file lies: `cells.safetensors` -> `cells.training.safetensors`."""
    return model.with_name(model.name.removesuffix(SUFFIX) + ".training" + SUFFIX)


def save_state(state: TrainingState, card: Card, spec: TrainSpec, model: Path) -> None:
    """Write the training state beside a model file; the older one is replaced when the new one is complete."""
    header = {HEADER: "1", "card": card.model_dump_json(), "spec": spec.model_dump_json()}
    write_tensors(state_path(model), state.tensors(), header)


def load_state(model: Path) -> tuple[TrainingState, Card, TrainSpec] | None:
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
        return TrainingState.from_tensors(tensors), card, spec
    except (KeyError, ValidationError):
        raise AnnotrainError(f"{path.name} is not a training state: remove it, or train without --resume.") from None

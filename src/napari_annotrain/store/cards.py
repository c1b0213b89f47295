"""Cards of models that came from elsewhere: read, and checked before anything is built from them."""

from typing import Any

import torch
from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Card
from napari_annotrain.net.unet import UNet
from napari_annotrain.store.tensors import Shapes

#: Largest value of a class.
MOST = 2**31 - 2


def read_card(text: str, name: str) -> Card:
    """Read the card of a model from JSON.

    Parameters
    ----------
    name
        Of the model's file, for sentences.

    Raises
    ------
    AnnotrainError
        It is damaged, contradicts itself, or describes a model that cannot be used here.
    """
    try:
        card = Card.model_validate_json(text)
    except ValidationError as error:
        raise _refusal(error.errors()[0], name) from None
    if not _is_consistent(card):
        raise AnnotrainError(f"The card of the model {name} contradicts itself: copy it again or choose another one.")
    return card


def expected_shapes(card: Card) -> Shapes:
    """Shape of every weight of the network that a card describes, by name; nothing where none can be built."""
    try:
        with torch.device("meta"):
            return {name: tuple(tensor.shape) for name, tensor in UNet(card.net).state_dict().items()}
    except (RuntimeError, TypeError, OverflowError):  # millions of millions of channels
        return {}


def _refusal(first: Any, name: str) -> AnnotrainError:
    if first["loc"] == ("net", "ndim"):
        return AnnotrainError(
            f"The model {name} sees {first['input']} dimensions at once, but only models of 2 can be used yet: "
            "choose one that works plane by plane."
        )
    if first["loc"] == ("net",) and first["type"] == "value_error":
        return AnnotrainError(f"The network of the model {name} cannot be built. {first['msg'].split(', ', 1)[1]}")
    where = ".".join(str(part) for part in first["loc"]) or "all of it"
    return AnnotrainError(
        f"The card of the model {name} cannot be read ({where}: {first['msg']}): update annotrain, or train it again."
    )


def _is_consistent(card: Card) -> bool:
    if len(card.training_range) not in (0, card.channels):
        return False
    return _gives_images(card) if card.target == "image" else _gives_labels(card)


def _gives_images(card: Card) -> bool:
    known = len(card.target_range) if card.target_range else card.channels
    fits = known == card.net.outputs and not (card.residual and card.target_range)
    return not card.classes and not card.distances and fits


def _gives_labels(card: Card) -> bool:
    classes = card.classes
    return (
        len(classes) > 0
        and not (card.target_range or card.residual)
        and len(classes) + len(card.distances) == card.net.outputs
        and len(card.distances) <= (card.target == "cells")
        and list(classes) == sorted(set(classes))
        and 0 <= classes[0] <= classes[-1] <= MOST
        and (card.target == "classes" or classes == (0, 1))
        and (card.cell_diameter_px is None or card.cell_diameter_px > 0)
        and (card.min_size_px is None or card.min_size_px >= 0)
    )

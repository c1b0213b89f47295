"""Models and images with which nothing can be done, and what is said about each."""

import json
import re

import numpy as np
import torch

from napari_annotrain.store.models import HEADER, save_model
from napari_annotrain.store.tensors import write_tensors
from tests.inference.test_segment import threshold_model

#: How a model file is spoilt, and words of the sentence about it.
MODELS = {
    "missing": "There is no model",
    "a_folder": "There is no model",
    "empty": "cannot be read as a model",
    "garbage": "cannot be read as a model",
    "a_few_bytes": "cannot be read as a model",
    "cut_off": "cannot be read as a model",
    "header_of_4_GB": "cannot be read as a model",
    "header_of_20_MB": "cannot be read as a model",
    "pickled": "cannot be read as a model",
    "weights_not_numbers": "cannot be read as a model",
    "of_another_program": "is not a model of annotrain",
    "card_cut_off": "cannot be read (all of it: Invalid JSON",
    "of_a_newer_version": "cannot be read (attention: Extra inputs",
    "of_3_dimensions": "sees 3 dimensions at once",
    "of_images": "contradicts itself",
    "weights_missing": "do not fit its card",
    "too_many_channels": "do not fit its card",
    "contradicting_card": "contradicts itself",
}


def spoil_model(how, path):
    """Write a model file that is spoilt in one of the ways of `MODELS`."""
    model = threshold_model()
    content = save_model(model, path).read_bytes()
    card = model.card.model_dump(mode="json")
    changed = {
        "of_3_dimensions": {"net": card["net"] | {"ndim": 3}},
        "too_many_channels": {"net": card["net"] | {"channels": 10**18}},
        "of_images": {"target": "image"},
        "contradicting_card": {"classes": [0, 1, 2]},
        "of_a_newer_version": {"attention": True},
    }
    header = {HEADER: json.dumps(card | changed.get(how, {}))}
    if how == "weights_not_numbers":
        model.weights["head.bias"][0] = torch.nan
    if how == "weights_missing":
        del model.weights["head.bias"]
    if how == "of_another_program":
        header = {"format": "pt"}
    if how == "card_cut_off":
        header[HEADER] = header[HEADER][:50]
    write_tensors(path, model.weights, header)
    _spoil_bytes(how, path, content)
    return path


def _spoil_bytes(how, path, content):
    raw = {
        "empty": b"",
        "garbage": b"\xff" * 100,
        "a_few_bytes": b"hello",
        "cut_off": content[:-8],
        "header_of_4_GB": (1 << 32).to_bytes(8, "little") + content[8:],
        "header_of_20_MB": (20_000_000).to_bytes(8, "little") + content[8:],
    }
    if how in raw:
        path.write_bytes(raw[how])
    if how == "header_of_20_MB":  # and so long it really is
        with path.open("r+b") as file:
            file.truncate(30_000_000)
    if how == "pickled":
        torch.save({"weights": torch.zeros(2)}, path)
    if how in ("missing", "a_folder"):
        path.unlink()
    if how == "a_folder":
        path.mkdir()


def bright_squares(shape=(50, 50), dtype="uint16"):
    """Bright squares on a dark ground, with some noise, and their classes: 1 ground, 2 square; what is small is one."""
    y, x = np.indices(shape)
    squares = (y // 4 + x // 4) % 2 == 1 if min(shape) > 4 else (y + x) % 2 == 1
    noise = np.random.default_rng(0).integers(0, 10, shape)
    image = squares if dtype == "bool" else 20 + 80 * squares + noise
    return image.astype(dtype), np.where(squares, 2, 1).astype(np.uint8)


IMAGE, LABELS = bright_squares()
#: Some of the annotation, in one corner.
STROKES = np.zeros_like(LABELS)
STROKES[:4, :8] = LABELS[:4, :8]


def with_value(value, *where, dtype=np.float32):
    """The image with one value somewhere."""
    image = IMAGE.astype(dtype)
    image[where] = value
    return image


def is_one_sentence(text):
    """No line break, no second sentence behind it, and no words of a programmer."""
    lone = "\n" not in text and text.endswith(".") and not re.search(r"[.!?] [A-Z]", text)
    return lone and not re.search(r"Traceback|Error\b|Exception", text)

"""Whole predictions on the disk come back with a session."""

from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image

from napari_annotrain._napari import engine
from napari_annotrain._napari.roster import Roster
from napari_annotrain.data.chunks import is_store
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.session.state import StoredPrediction


def stored_prediction(roster: Roster, image: Image) -> StoredPrediction | None:
    """What is shown of an image's prediction where that lies on the disk; None where it does not, or not yet."""
    layer: Any = roster.result(image)
    growing = None if layer is None else roster.known(layer).growing
    if growing is None or growing.path is None or not is_store(growing.path):
        return None
    channels = growing.shape[0] if growing.ndim == 5 else 0
    kind = str(layer.metadata.get("annotrain"))
    return StoredPrediction(path=str(growing.path), kind=kind, dtype=str(growing.dtype), channels=channels)


def show_prediction(roster: Roster, image: Image, stored: StoredPrediction) -> bool:
    """Show it again, read from the disk as it is looked at; False where it is gone, or fits the image no longer."""
    path = Path(stored.path)
    if roster.result(image) is not None or not is_store(path):
        return False
    try:
        last_id = engine.load().last_id_of(path) if stored.kind == "cells" else 0
    except (AnnotrainError, OSError, ValueError, KeyError):  # it is damaged
        return False
    layer, growing = roster.canvas(image, stored.kind, np.dtype(stored.dtype), stored.channels, True)
    growing.follow(path)
    if not growing.is_there():
        roster.take_back(layer)
        return False
    known = roster.known(layer)
    t, z, y, x = (slice(0, n) for n in growing.shape[-4:])
    known.filled.add([(t, z, y, x)])
    if last_id:
        known.ids.take_over(growing, last_id)
    layer.refresh()
    return True

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Image, Labels

from napari_annotrain._napari.annotate.cell_ids import CellIds
from napari_annotrain._napari.predict.filled import Filled
from napari_annotrain._napari.predict.growing import Growing
from napari_annotrain._napari.predict.reached import Reached
from napari_annotrain._napari.viewer.layers import IMAGES


@dataclass(eq=False)
class Result:
    """What is known of a prediction layer made here.

    Attributes
    ----------
    ids
        Of the cells in it.
    reached
        What interrupted runs have finished of it.
    growing
        What it shows where that grows on the disk; None in the memory.
    filled
        Where it holds a prediction.
    """

    ids: CellIds = field(default_factory=CellIds)
    reached: Reached = field(default_factory=Reached)
    growing: Growing | None = None
    filled: Filled = field(default_factory=Filled)


def leading(kind: str, channels: int) -> tuple[int, ...]:
    """Length of the axis in front of those of the image: the channels of an image that has several; else none."""
    return (channels,) if kind in IMAGES and channels else ()


def fits(
    layer: Any,
    known: Result,
    kind: str,
    dtype: np.dtype[Any],
    channels: int,
    shape: tuple[int, ...],
    on_disk: bool | None,
) -> bool:
    """Whether a prediction layer can show another prediction of its image."""
    wide = kind in IMAGES
    if not isinstance(layer, Image if wide else Labels) or layer.data.shape != leading(kind, channels) + shape:
        return False
    if wide and layer.metadata.get("annotrain") != kind:
        return False
    if on_disk is not None and on_disk != (known.growing is not None):
        return False
    if known.growing is not None and kind == "cells":  # whose ids have more room on the disk
        return bool(layer.metadata.get("annotrain") == kind)
    return bool(layer.data.dtype == dtype)

"""Annotate cells in napari, fine-tune a U-Net on this computer, overlay its labels on stacks of any size."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_annotrain.api import (
        compare,
        evaluate,
        feature_maps,
        find_learning_rate,
        find_suspects,
        first_filters,
        load_model,
        measure,
        measure_batches,
        predict,
        preview_augmentation,
        save_model,
        train,
        where_next,
    )

# Read by torch's OpenMP when it loads. Its threads otherwise wait for each other in so long a loop that one busy
# process beside them (a window that draws) makes a training step thirteen times longer on two cores; with this, four.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.1.0"
__all__ = [
    "compare",
    "evaluate",
    "feature_maps",
    "find_learning_rate",
    "find_suspects",
    "first_filters",
    "load_model",
    "measure",
    "measure_batches",
    "predict",
    "preview_augmentation",
    "save_model",
    "train",
    "where_next",
]


def __getattr__(name: str) -> Any:
    # torch loads when the first verb is used, not when napari looks at its plugins
    if name in __all__:
        from napari_annotrain import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

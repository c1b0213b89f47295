"""The whole program without a window: the verbs of command line, notebook and panel.

Each verb is imported when it is first used: comparing labels needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_annotrain.api.augmentation import preview_augmentation
    from napari_annotrain.api.clusters import iter_on_cluster
    from napari_annotrain.api.contest import compare, iter_comparison
    from napari_annotrain.api.devices import list_devices, warm_up
    from napari_annotrain.api.evaluation import evaluate
    from napari_annotrain.api.inside import feature_maps, first_filters, look_inside
    from napari_annotrain.api.measurement import measure
    from napari_annotrain.api.next_places import is_painted, iter_where_next, where_next
    from napari_annotrain.api.piecewise import iter_prediction, measure_normalisation
    from napari_annotrain.api.prediction import check_seams, output_of, predict
    from napari_annotrain.api.stored import find_stored, is_for_disk, last_id_of, type_stored
    from napari_annotrain.api.streaming import iter_stream
    from napari_annotrain.api.suspects import find_suspects, iter_suspects
    from napari_annotrain.api.training import base_models, iter_training, train
    from napari_annotrain.api.tuning import find_learning_rate, iter_finding, measure_batches
    from napari_annotrain.inference.planes import KeptPlanes
    from napari_annotrain.inference.segment import check_channels
    from napari_annotrain.net.cores import leave_a_core
    from napari_annotrain.net.device import release_memory
    from napari_annotrain.net.hidden_gpu import why_no_gpu
    from napari_annotrain.store.models import load_model, save_model
    from napari_annotrain.training.preview import preview_deformed

__all__ = [
    "KeptPlanes",
    "base_models",
    "check_channels",
    "check_seams",
    "compare",
    "evaluate",
    "feature_maps",
    "find_learning_rate",
    "find_stored",
    "find_suspects",
    "first_filters",
    "is_for_disk",
    "is_painted",
    "iter_comparison",
    "iter_finding",
    "iter_on_cluster",
    "iter_prediction",
    "iter_stream",
    "iter_suspects",
    "iter_training",
    "iter_where_next",
    "last_id_of",
    "leave_a_core",
    "list_devices",
    "load_model",
    "look_inside",
    "measure",
    "measure_batches",
    "measure_normalisation",
    "output_of",
    "predict",
    "preview_augmentation",
    "preview_deformed",
    "release_memory",
    "save_model",
    "train",
    "type_stored",
    "warm_up",
    "where_next",
    "why_no_gpu",
]
_HOMES = {
    "api.augmentation": ("preview_augmentation",),
    "api.contest": ("compare", "iter_comparison"),
    "api.devices": ("list_devices", "warm_up"),
    "api.evaluation": ("evaluate",),
    "api.inside": ("feature_maps", "first_filters", "look_inside"),
    "api.measurement": ("measure",),
    "api.piecewise": ("iter_prediction", "measure_normalisation"),
    "api.prediction": ("check_seams", "output_of", "predict"),
    "api.clusters": ("iter_on_cluster",),
    "api.stored": ("find_stored", "is_for_disk", "last_id_of", "type_stored"),
    "api.streaming": ("iter_stream",),
    "api.suspects": ("find_suspects", "iter_suspects"),
    "api.next_places": ("is_painted", "iter_where_next", "where_next"),
    "api.training": ("base_models", "iter_training", "train"),
    "api.tuning": ("find_learning_rate", "iter_finding", "measure_batches"),
    "inference.planes": ("KeptPlanes",),
    "inference.segment": ("check_channels",),
    "net.cores": ("leave_a_core",),
    "net.device": ("release_memory",),
    "net.hidden_gpu": ("why_no_gpu",),
    "store.models": ("load_model", "save_model"),
    "training.preview": ("preview_deformed",),
}

if not TYPE_CHECKING:  # which sees the imports above

    def __getattr__(name: str) -> Any:
        home = next((home for home, names in _HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"napari_annotrain.{home}"), name)


def __dir__() -> list[str]:
    return list(__all__)

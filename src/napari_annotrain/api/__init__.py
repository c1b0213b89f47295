"""The whole program without a window: the verbs of command line, notebook and panel."""

from napari_annotrain.api.devices import list_devices
from napari_annotrain.api.evaluation import evaluate
from napari_annotrain.api.prediction import check_seams, iter_prediction, measure_normalisation, output_of, predict
from napari_annotrain.api.training import base_models, iter_training, train
from napari_annotrain.net.device import release_memory
from napari_annotrain.store.models import load_model, save_model

__all__ = [
    "base_models",
    "check_seams",
    "evaluate",
    "iter_prediction",
    "iter_training",
    "list_devices",
    "load_model",
    "measure_normalisation",
    "output_of",
    "predict",
    "release_memory",
    "save_model",
    "train",
]

"""Every setting, described once: the form, the command line and the docs grow from these titles, units and ranges."""

from napari_annotrain.specs.device import Device, Precision
from napari_annotrain.specs.losses import ImageSpec, LearnFrom, LossSpec, WeightSpec
from napari_annotrain.specs.memory import parse_memory
from napari_annotrain.specs.network import NetChoices, NetSpec
from napari_annotrain.specs.patches import AugmentSpec, NormaliseSpec
from napari_annotrain.specs.prediction import CellsSpec, Output, PredictSpec, Uncertainty, Views
from napari_annotrain.specs.presets import PRESETS, Preset, find_preset
from napari_annotrain.specs.spec import Spec, check_choice, refusal
from napari_annotrain.specs.training import Freeze, Schedule, Target, TrainSpec

__all__ = [
    "PRESETS",
    "AugmentSpec",
    "CellsSpec",
    "Device",
    "Freeze",
    "ImageSpec",
    "LearnFrom",
    "LossSpec",
    "NetChoices",
    "NetSpec",
    "NormaliseSpec",
    "Output",
    "Precision",
    "PredictSpec",
    "Preset",
    "Schedule",
    "Spec",
    "Target",
    "TrainSpec",
    "Uncertainty",
    "Views",
    "WeightSpec",
    "check_choice",
    "find_preset",
    "parse_memory",
    "refusal",
]

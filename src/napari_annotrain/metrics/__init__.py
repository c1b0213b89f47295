"""How far a prediction and a truth agree: class by class, cell by cell, or as images.

Everything is counted first and divided last. Counts add, so one image, the mean over images and the pooled score
over all of them come from the same lines.
"""

from napari_annotrain.metrics.arithmetic import Scores
from napari_annotrain.metrics.cells import CellCounts, count_cells, score_cells
from napari_annotrain.metrics.classes import ClassCounts, count_classes, score_classes
from napari_annotrain.metrics.images import ImageCounts, count_images
from napari_annotrain.metrics.summary import pool, summarise

__all__ = [
    "CellCounts",
    "ClassCounts",
    "ImageCounts",
    "Scores",
    "count_cells",
    "count_classes",
    "count_images",
    "pool",
    "score_cells",
    "score_classes",
    "summarise",
]

"""One table of the objects of a label image: size, shape, intensity and position, plane by plane."""

from napari_annotrain.measurement.columns import Column, column, mean_columns
from napari_annotrain.measurement.planes import check_fit, iter_measurement, no_objects
from napari_annotrain.measurement.rois import iter_rois
from napari_annotrain.measurement.table import CLASSES, Kind, Table, join, write_table

__all__ = [
    "CLASSES",
    "Column",
    "Kind",
    "Table",
    "check_fit",
    "column",
    "iter_measurement",
    "iter_rois",
    "join",
    "mean_columns",
    "no_objects",
    "write_table",
]

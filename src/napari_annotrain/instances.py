import numpy as np
from skimage.measure import label


def label_cells(foreground, *, threshold=0.5, min_size=0, cell_diameter_px=None, fill_holes=True):
    return label(np.asarray(foreground) > threshold, connectivity=1).astype(np.int32)


def label_classes(classes, background=0):
    return label(classes, background=background, connectivity=1).astype(np.int32)

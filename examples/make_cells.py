"""Write images of made cells, and what a person might paint on them, into a folder.

    python examples/make_cells.py FOLDER

FOLDER/images and FOLDER/annotations hold two planes; FOLDER/stack.tif is never trained on, FOLDER/truth.tif its truth.
"""

import sys
from pathlib import Path

from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cell_stack, cells
from napari_annotrain.data.writing import write_array

folder = Path(sys.argv[1])
for seed in (0, 1):
    image, truth = cells((256, 256), n_cells=25, seed=seed)
    write_array(folder / "images" / f"plane {seed}.tif", image, "YX")
    write_array(folder / "annotations" / f"plane {seed}.tif", strokes(truth), "YX")
image, truth = cell_stack((4, 256, 256), n_cells=25, seed=2)
write_array(folder / "stack.tif", image, "ZYX")
write_array(folder / "truth.tif", truth, "ZYX")

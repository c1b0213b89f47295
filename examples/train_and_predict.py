"""Train on one plane with a few strokes, predict another one, and say how good it is.

python examples/train_and_predict.py [seconds of training]
"""

import sys

import napari_annotrain as at
from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cells

seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30

image, truth = cells(seed=0)
model = at.train(image, strokes(truth), seconds=seconds)

new_image, new_truth = cells(seed=1)
labels = at.predict(model, new_image, output="cells")

scores = at.evaluate(labels, new_truth, kind="cells")["mean"]
print(f"{labels.max()} cells found, {new_truth.max()} are there; average precision {scores['ap50']:.2f} (1 is perfect)")

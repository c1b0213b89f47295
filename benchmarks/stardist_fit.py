"""Train StarDist from nothing and write its labels after so many seconds; runs in `.venv-metrics` (see scratch.py).

.venv-metrics/bin/python benchmarks/stardist_fit.py FOLDER OUT SECONDS [SECONDS ...]

The settings are those of StarDist's own 2-D training example: 32 rays, grid 2 x 2, its augmentation (flips, right
angles, intensity), thresholds chosen on a tenth of the training images, and of all epochs so far the weights with the
lowest validation loss. Labels go to folders OUT-SECONDSs; an epoch that has begun is finished first.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tifffile
from csbdeep.utils import normalize
from stardist import fill_label_holes
from stardist.models import Config2D, StarDist2D

RNG = np.random.default_rng(0)


class KeepAt(tf.keras.callbacks.Callback):
    """Keep the best weights so far at some times, and stop after the last."""

    def __init__(self, folder: Path, seconds: list[float]) -> None:
        super().__init__()
        self.folder, self.left, self.began = folder, sorted(seconds), time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        while self.left and time.perf_counter() - self.began > self.left[0]:
            shutil.copy(self.folder / "weights_best.h5", self.folder / f"{self.left.pop(0):.0f}.h5")
        self.model.stop_training = not self.left


def read(folder: Path) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
    files = sorted((folder / "images").glob("*.tif"))
    images = [normalize(tifffile.imread(f), 1, 99.8).astype(np.float32) for f in files]
    return (
        images,
        [fill_label_holes(tifffile.imread(folder / "labels" / f.name)) for f in files],
        [f.name for f in files],
    )


def augment(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turns, flip = RNG.integers(4), RNG.integers(2)
    image, labels = np.rot90(image, turns), np.rot90(labels, turns)
    if flip:
        image, labels = image[::-1], labels[::-1]
    return image * RNG.uniform(0.6, 2) + RNG.uniform(-0.2, 0.2), labels


def main() -> None:
    folder, out, *limits = sys.argv[1:]
    seconds = [float(limit) for limit in limits]
    n_threads = int(os.environ.get("OMP_NUM_THREADS", 0))  # 0: as many as there are cores
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(n_threads)
    tf.random.set_seed(0)
    images, labels, _ = read(Path(folder) / "train")
    kept = [i for i in range(len(images)) if i % 10 == 5]
    learnt = [i for i in range(len(images)) if i % 10 != 5]
    config = Config2D(n_rays=32, grid=(2, 2), n_channel_in=1, use_gpu=False, train_patch_size=(256, 256))
    with tempfile.TemporaryDirectory() as place:
        model = StarDist2D(config, name="scratch", basedir=place)
        model.prepare_for_training()
        model.callbacks.append(KeepAt(Path(place) / "scratch", seconds))
        validation = ([images[i] for i in kept], [labels[i] for i in kept])
        some, theirs = [images[i] for i in learnt], [labels[i] for i in learnt]
        model.train(some, theirs, validation, augmenter=augment, epochs=10_000, seed=0)
        for limit in seconds:
            model.load_weights(f"{limit:.0f}.h5")
            model.optimize_thresholds(*validation)
            to = Path(f"{out}-{limit:.0f}s")
            to.mkdir(parents=True, exist_ok=True)
            for image, _, name in zip(*read(Path(folder) / "test"), strict=True):
                found, _ = model.predict_instances(image)
                tifffile.imwrite(to / name, found.astype(np.int32))


if __name__ == "__main__":
    main()

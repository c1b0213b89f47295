"""A training step: how it compares with a plain one, and what augmentation takes of it.

.venv-peers/bin/python benchmarks/training.py [--repeats 20]
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from report import machine, table, write_part

from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.dataset import build_dataset
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.synthetic import cells
from napari_annotrain.net.device import keep_freed_memory
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS
from napari_annotrain.training import augment
from napari_annotrain.training.batches import Batches
from napari_annotrain.training.loss import weighted_cross_entropy
from napari_annotrain.training.preparation import prepare
from napari_annotrain.training.sampler import Sampler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    given = parser.parse_args()
    keep_freed_memory()
    net, spec = PRESETS["fast"].net, PRESETS["fast"].train
    image, labels = cells((512, 512), seed=0)
    annotated = AnnotatedImage(Stack.of(image), Stack.of((labels > 0).astype(np.uint8)), dense=True)
    dataset = build_dataset([annotated], "classes", spec)
    learner = prepare(net, spec)
    batches = Batches(dataset, spec, spec.patch, learner.device)
    images, maps = batches.get(0)
    batches.close()
    rng = np.random.default_rng(0)
    sampler = Sampler(dataset, spec.patch, augment.window_size(spec.augment, spec.patch))
    windows = sampler.draw(rng, spec.batch)
    drawn = augment.draw(rng, spec.augment, spec.batch, spec.patch)
    raw = torch.from_numpy(windows.images), torch.from_numpy(windows.maps)

    plain = UNet(net).to(learner.device).train()
    optimiser = torch.optim.AdamW(plain.parameters(), spec.learning_rate)

    def plain_step() -> None:
        """What a tutorial does: float32, default layout, every parameter updated on its own."""
        optimiser.zero_grad()
        loss = weighted_cross_entropy(plain(images), maps[:, 0].long() - 1, maps[:, 1])
        loss.backward()
        optimiser.step()
        loss.item()

    runs: dict[str, Callable[[], object]] = {
        "our step": lambda: learner.learn(images, maps),
        "plain step": plain_step,
        "cutting 8 windows": lambda: sampler.draw(rng, spec.batch),
        "augmenting 8 windows": lambda: augment.apply(drawn, spec.augment, spec.patch, *raw),
        "drawing an augmentation": lambda: augment.draw(rng, spec.augment, spec.batch, spec.patch),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(given.repeats + 3):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if i >= 3:
                times[name].append(time.perf_counter() - began)
    ours = np.array(times["our step"])
    spent = np.sum([times[name] for name in runs if "step" not in name], axis=0)
    rows = [
        (name, f"{1000 * median(taken):.1f} ms", f"{median(ours / taken):.2f}" if "step" in name else "")
        for name, taken in times.items()
    ]
    share = median(spent / (spent + ours))
    words = (
        f"8 x 128 x 128, `fast`, {str(learner.precision).removeprefix('torch.')}; medians of {given.repeats}. Our step "
        f"takes {median(ours / times['plain step']):.2f} of a plain one; cutting and augmenting are {share:.1%} of "
        "both together (windows of the next step are cut while a step is computed; here they are counted in full)."
    )
    write_part("training", f"{machine()}\n{words}\n\n{table(('what', 'time', 'our step against it'), rows)}")


if __name__ == "__main__":
    main()

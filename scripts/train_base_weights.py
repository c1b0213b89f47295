"""Train the base weights that come with the package, from public images, and write their model file.

    python scripts/train_base_weights.py [--steps 8000] [--without dsb2018] [--out FILE]

Needs `ANNOTRAIN_DATA`. Every tenth image of a set's `train` folder is kept back, for choosing how cells are decoded;
`test` folders are not opened. With --without a set is left out: such a model has never seen it, and is for benchmarks
only. Steps, not seconds, end the training, so that the same number gives the same weights on the same computer.
"""

import argparse
import os
import time
from pathlib import Path

import torch

from napari_annotrain.api import iter_training, load_model, save_model
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.files import open_stack
from napari_annotrain.events import Checkpoint, Step, Validated
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS, AugmentSpec, NetSpec, Preset, TrainSpec
from napari_annotrain.training import sampler

#: Folder, how often each of its images counts, licence.
SETS = (
    ("dsb2018", 1, "CC0 1.0 (Data Science Bowl 2018, BBBC038; Caicedo et al. 2019, doi 10.1038/s41592-019-0612-7)"),
    ("bbbc039", 1, "CC0 1.0 (BBBC039; Caicedo et al. 2019, doi 10.1002/cyto.a.23863)"),
    ("t98g-phase", 6, "MIT, (c) 2018 Okinawa Institute of Science & Technology (doi 10.1016/j.softx.2019.02.007)"),
)
#: Of each set, every so many images are kept back.
KEPT_BACK = 10
NET = NetSpec(width=16)
#: Steps with a fifth of the learning rate, once the others are done: without them the weights wander.
SETTLE = 2000
SPEC = TrainSpec(
    seconds=None,
    steps=8000,
    patch=192,
    averaging=0.999,
    validation=0.04,
    augment=AugmentSpec(scale=1.5, contrast=0.4, brightness=0.15, gamma=1.6, noise=0.1),
)


def files(data: Path, name: str, kept_back: bool) -> list[Path]:
    found = sorted((data / name / "train" / "images").glob("*.tif"))
    return [f for i, f in enumerate(found) if (i % KEPT_BACK == KEPT_BACK // 2) == kept_back]


def read(path: Path) -> AnnotatedImage:
    truth = open_stack(path.parent.parent / "labels" / path.name)
    return AnnotatedImage(open_stack(path), truth, dense=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=SPEC.steps)
    parser.add_argument("--settle", type=int, default=SETTLE, help="steps at a fifth of the learning rate after that")
    parser.add_argument("--start", type=Path, help="a model to settle only")
    parser.add_argument("--without", choices=[name for name, *_ in SETS])
    parser.add_argument("--out", type=Path, default=Path("src/napari_annotrain/weights/cells-2d.safetensors"))
    given = parser.parse_args()
    data = Path(os.environ["ANNOTRAIN_DATA"])
    sampler.MOST_CACHED = 12_000_000_000
    PRESETS["base"] = Preset(title="base", net=NET)
    sets = [s for s in SETS if s[0] != given.without]
    images = [read(path) for name, often, _ in sets for path in files(data, name, False) for _ in range(often)]
    spec = SPEC.model_copy(update={"steps": given.steps})
    settling = SPEC.model_copy(update={"steps": given.settle, "learning_rate": SPEC.learning_rate / 5, "seed": 1})
    model = load_model(given.start) if given.start else learn(images, spec, None, given.out)
    model = learn(images, settling, model, given.out)
    save_model(publish(model, sets, images, (spec, settling)), given.out)


def learn(images: list[AnnotatedImage], spec: TrainSpec, base: Model | None, out: Path) -> Model:
    """Train, telling how it goes; what there is so far is written beside now and then."""
    began, last = time.time(), None
    for event in iter_training(images, target="cells", preset="base", base=base, spec=spec):
        match event:
            case Checkpoint():
                last = event
            case Validated(score=score, step=step):
                print(f"step {step}: validation IoU {score:.4f}", flush=True)
            case Step(step=step, loss=loss) if step % 100 == 0:
                print(f"step {step}: loss {loss:.4f}, {time.time() - began:.0f} s", flush=True)
                if last is not None and step % 500 == 0:
                    save_model(last.model, out.with_suffix(".part.safetensors"))
    assert last is not None
    return last.model


def publish(
    model: Model, sets: list[tuple[str, int, str]], images: list[AnnotatedImage], specs: tuple[TrainSpec, ...]
) -> Model:
    """In half precision, with a card that says from what it was made and says nothing of the size of cells."""
    provenance = {
        "name": "cells-2d",
        "sets": {name: licence for name, _, licence in sets},
        "images": len({image.stack.name for image in images}),
        "steps": sum(spec.steps or 0 for spec in specs),
        "made_by": "scripts/train_base_weights.py",
        "settings": [spec.model_dump(mode="json") for spec in specs],
        "versions": model.card.provenance["versions"],
    }
    unknown = {"cell_diameter_px": None, "min_size_px": None, "pixel_um": {}, "released": (), "anchor": "cells-2d"}
    card = model.card.model_copy(update={"provenance": provenance, **unknown})
    weights = {name: w.half() if w.dtype == torch.float32 else w for name, w in model.weights.items()}
    return Model(card, weights)


if __name__ == "__main__":
    main()

"""Train the base weights that come with the package, from public images, and write their model file.

    python scripts/train_base_weights.py [--share 0.1] [--without dsb2018] [--out FILE]

Needs `ANNOTRAIN_DATA`. Every tenth image of a set's `train` folder is kept back, for choosing how cells are decoded;
`test` folders are not opened. With --without a set is left out: such a model has never seen it, and is for benchmarks
only. Steps, not seconds, end the training, so that the same number gives the same weights on the same computer. On a
GPU it takes some ten minutes; on two processor cores most of a day, an hour with --share 0.1.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from scipy import ndimage as ndi

from napari_annotrain.api import iter_training, load_model, save_model
from napari_annotrain.data.annotation import AnnotatedImage
from napari_annotrain.data.files import open_stack
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import Checkpoint, Step
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS, AugmentSpec, NetSpec, Preset, TrainSpec, WeightSpec
from napari_annotrain.training import sampler

#: Folder, how often each of its images counts, licence.
SETS = (
    ("dsb2018", 1, "CC0 1.0 (Data Science Bowl 2018, BBBC038; Caicedo et al. 2019, doi 10.1038/s41592-019-0612-7)"),
    ("bbbc039", 2, "CC0 1.0 (BBBC039; Caicedo et al. 2019, doi 10.1002/cyto.a.23863)"),
    ("t98g-phase", 8, "MIT, (c) 2018 Okinawa Institute of Science & Technology (doi 10.1016/j.softx.2019.02.007)"),
)
#: Of each set, every so many images are kept back.
KEPT_BACK = 10
NET = NetSpec(width=16)
#: Images as unlike each other as any user's, and cells down to half their size; then as they are.
WIDE = AugmentSpec(scale=2.0, contrast=0.4, brightness=0.15, gamma=1.6, noise=0.1)
NARROW = AugmentSpec(elastic_px=4.0, scale=1.5, contrast=0.25, brightness=0.08, gamma=1.3, noise=0.04)


def stage(
    seed: int, steps: int, learning_rate: float, augment: AugmentSpec, border: float, batch: int = 16
) -> TrainSpec:
    return TrainSpec(
        seconds=None,
        steps=steps,
        seed=seed,
        patch=192,
        batch=batch,
        averaging=0.999,
        validation=0.0,
        learning_rate=learning_rate,
        schedule="cosine",
        augment=augment,
        weights=WeightSpec(border=border),
    )


#: Less and less border weight, which parts cells but makes gaps too wide. The shipped weights took as many steps as a
#: GPU made in 270, 130 and 150 seconds; the last stage ran on a processor.
STAGES = (
    stage(0, 6295, 2e-3, WIDE, border=10),
    stage(1, 2585, 1.5e-3, WIDE, border=4),
    stage(2, 5673, 1e-3, NARROW, border=2),
    stage(3, 500, 3e-4, NARROW, border=2, batch=8),
)
#: Fields without cells come in the last stage: before it the model sees nuclei in any haze. Side in px, how many are
#: made up; pixels an empty place of a real image lies from any cell.
EMPTY_PX, MADE_UP, FAR_PX = 128, 40, 4


def files(data: Path, name: str, kept_back: bool) -> list[Path]:
    found = sorted((data / name / "train" / "images").glob("*.tif"))
    return [f for i, f in enumerate(found) if (i % KEPT_BACK == KEPT_BACK // 2) == kept_back]


def read(path: Path) -> AnnotatedImage:
    truth = open_stack(path.parent.parent / "labels" / path.name)
    return AnnotatedImage(open_stack(path), truth, dense=True)


def empty_fields(paths: list[Path]) -> list[AnnotatedImage]:
    """Places of real images without a cell, one of each that has any, and made-up haze with noise."""
    fields = []
    for path in paths:
        image = tifffile.imread(path)
        cells = tifffile.imread(path.parent.parent / "labels" / path.name) > 0
        near = ndi.maximum_filter(cells, EMPTY_PX + 2 * FAR_PX, mode="constant", cval=1)
        free = np.argwhere(~near)
        if len(free):
            y, x = free[len(free) // 2] - EMPTY_PX // 2
            fields.append(image[y : y + EMPTY_PX, x : x + EMPTY_PX])
    rng = np.random.default_rng(0)
    for _ in range(MADE_UP):
        haze = ndi.gaussian_filter(rng.normal(size=(EMPTY_PX, EMPTY_PX)), 2 ** rng.uniform(3, 6), mode="wrap")
        field = rng.uniform(0, 1.5) * haze / haze.std() + rng.normal(size=haze.shape)
        fields.append((1000 + 20 * field).clip(0).astype(np.uint16))
    nothing = np.zeros((EMPTY_PX, EMPTY_PX), np.uint8)
    return [
        AnnotatedImage(Stack.of(field, "YX", name=f"empty {k}"), Stack.of(nothing, "YX"), dense=True)
        for k, field in enumerate(fields)
        if np.ptp(field)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps of each stage")
    parser.add_argument("--stage", type=int, default=1, help="the first stage to run, with --start")
    parser.add_argument("--start", type=Path, help="the model that the stage before ended with")
    parser.add_argument("--without", choices=[name for name, *_ in SETS])
    parser.add_argument("--out", type=Path, default=Path("src/napari_annotrain/weights/cells-2d.safetensors"))
    given = parser.parse_args()
    data = Path(os.environ["ANNOTRAIN_DATA"])
    sampler.MOST_CACHED = 12_000_000_000
    PRESETS["base"] = Preset(title="base", net=NET)
    sets = [s for s in SETS if s[0] != given.without]
    images = [read(path) for name, often, _ in sets for path in files(data, name, False) for _ in range(often)]
    empty = empty_fields([path for name, *_ in sets for path in files(data, name, False)])
    stages = [spec.model_copy(update={"steps": round((spec.steps or 0) * given.share)}) for spec in STAGES]
    model = unanchored(load_model(given.start)) if given.start else None
    for number, spec in enumerate(stages, 1):
        if number >= given.stage:
            print(f"stage {number}: {spec.steps} steps", flush=True)
            shown = images + empty if number == len(stages) else images
            model = learn(shown, spec, model, given.out)
    assert model is not None
    name = "cells-2d" + (f"-without-{given.without}" if given.without else "")
    save_model(publish(model, name, sets, images, stages, usual_diameters(data, sets)), given.out)


def usual_diameters(data: Path, sets: list[tuple[str, int, str]]) -> tuple[float, float]:
    """Smallest and largest usual diameter of cells over the sets: their 5th and 95th percentiles."""
    low, high = [], []
    for name, *_ in sets:
        areas = [
            np.unique(tifffile.imread(p), return_counts=True)[1][1:] for p in data.glob(f"{name}/train/labels/*.tif")
        ]
        few, many = 2 * np.sqrt(np.percentile(np.concatenate(areas), (5, 95)) / np.pi)
        low.append(float(few))
        high.append(float(many))
    return min(low), max(high)


def unanchored(model: Model) -> Model:
    return Model(model.card.model_copy(update={"anchor": None}), model.weights)


def learn(images: list[AnnotatedImage], spec: TrainSpec, base: Model | None, out: Path) -> Model:
    """Train, telling how it goes; what there is so far is written beside now and then."""
    began, last = time.time(), None
    for event in iter_training(images, target="cells", preset="base", base=base, spec=spec):
        match event:
            case Checkpoint():
                last = event
            case Step(step=step, loss=loss) if step % 100 == 0:
                print(f"step {step}: loss {loss:.4f}, {time.time() - began:.0f} s", flush=True)
                if last is not None and step % 500 == 0:
                    save_model(last.model, out.with_suffix(".part.safetensors"))
    assert last is not None
    return last.model


def publish(
    model: Model,
    name: str,
    sets: list[tuple[str, int, str]],
    images: list[AnnotatedImage],
    specs: list[TrainSpec],
    diameters: tuple[float, float],
) -> Model:
    """In half precision, with a card that says from what it was made, and no typical size of cells: there is none."""
    provenance = {
        "name": name,
        "sets": {name: licence for name, _, licence in sets},
        "images": len({image.stack.name for image in images}),
        "steps": sum(spec.steps or 0 for spec in specs),
        "made_by": "scripts/train_base_weights.py",
        "device": model.card.provenance["device"],
        "precision": model.card.provenance["precision"],
        "settings": [spec.model_dump(mode="json") for spec in specs],
        "versions": model.card.provenance["versions"],
    }
    unknown = {
        "cell_diameter_px": None,
        "cell_diameters_px": diameters,
        "threshold": None,
        "min_size_px": None,
        "pixel_um": {},
        "released": (),
        "anchor": name,
    }
    card = model.card.model_copy(update={"provenance": provenance, **unknown})
    weights = {name: w.half() if w.dtype == torch.float32 else w for name, w in model.weights.items()}
    return Model(card, weights)


if __name__ == "__main__":
    main()

"""Elastic and affine augmentation of 8 image and label pairs of 256 x 256 px, against other tools on the CPU.

    python benchmarks/augmentation.py [--repeats 20] [--draws 400]

The tools stand in `augmentation_peers.py`. First every tool's displacements are measured, then all are timed.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import cv2
import numpy as np
import torch
from augmentation_peers import PATCH, TOOLS, Annotrain
from report import machine, table, write_part

from napari_annotrain.training import augment

BATCH = 8
#: Where the displacements are measured: so far from the edge that no pixel comes from outside.
MIDDLE = slice(48, -48)


def displacements(tool: type, draws: int) -> np.ndarray:
    """(draws, y, x) displacements of the elastic part alone, along y and along x in turn, in px, less their mean.

    An image whose value is its own coordinate tells after the warp where each pixel came from.
    """
    elastic, (y, x) = tool(affine=False), np.indices((PATCH, PATCH))
    ramps = np.stack([y, x] * (BATCH // 2))
    data = elastic.prepare(ramps.astype(np.float32), ramps)
    found = [elastic.read(elastic(data))[0] - ramps for _ in range(draws // BATCH)]
    moved = np.concatenate(found)[:, MIDDLE, MIDDLE].astype(np.float64)
    return np.concatenate([along - along.mean(0) for along in (moved[::2], moved[1::2])])


def correlation_length(moved: np.ndarray) -> float:
    """Lag in px along y or x at which the autocorrelation of the displacements falls to 0.5."""
    before = 1.0
    for lag in range(1, moved.shape[-1] // 2 + 20):
        pairs = ((moved[:, lag:], moved[:, :-lag]), (moved[:, :, lag:], moved[:, :, :-lag]))
        powers = [sum(float(np.square(pair[k]).sum()) for pair in pairs) for k in (0, 1)]
        now = sum(float((a * b).sum()) for a, b in pairs) / np.sqrt(powers[0] * powers[1])
        if now < 0.5:
            return lag - (0.5 - now) / (before - now)
        before = now
    raise SystemExit("The displacements are too smooth for the measurement.")


def check(tool: type, images: np.ndarray, labels: np.ndarray) -> None:
    """No label is mixed, and the label goes where the image goes, whatever was drawn."""
    full = tool()
    _, warped = full.read(full(full.prepare(images, labels)))
    assert set(np.unique(warped)) <= set(np.unique(labels)), f"{tool.__name__} mixes labels"
    assert warped.shape == labels.shape, f"{tool.__name__} returns {warped.shape}"
    ramps = np.stack([*np.indices((PATCH, PATCH))] * (BATCH // 2))
    image, label = full.read(full(full.prepare(ramps.astype(np.float32), ramps)))
    apart = np.median(np.abs(image - label), axis=(1, 2)).max()
    assert apart < 1, f"{tool.__name__} takes image and label from places that are {apart:.1f} px apart"


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def race(images: np.ndarray, labels: np.ndarray, repeats: int) -> dict[type, list[float]]:
    """Milliseconds a batch: every tool once a repeat, in a new order each time, so that drift hits all alike."""
    tools = {kind: kind() for kind in TOOLS}
    data = {kind: tool.prepare(images, labels) for kind, tool in tools.items()}
    taken: dict[type, list[float]] = {kind: [] for kind in TOOLS}
    shuffle = np.random.default_rng(0)
    for repeat in range(-2, repeats):
        for k in shuffle.permutation(len(TOOLS)):
            kind = TOOLS[k]
            spent = milliseconds(lambda kind=kind: tools[kind](data[kind]))
            if repeat >= 0:  # the first two warm up
                taken[kind].append(spent)
    return taken


def split(images: np.ndarray, labels: np.ndarray, repeats: int) -> tuple[float, float]:
    """Median milliseconds of our draw and of our apply, a pair."""
    ours = Annotrain()
    pairs, drawn = ours.prepare(images, labels), ours.draw(BATCH)
    parts = (lambda: ours.draw(BATCH), lambda: augment.apply(drawn, ours.spec, PATCH, *pairs))
    taken = [[milliseconds(part) for part in parts] for _ in range(repeats + 2)][2:]
    return tuple(statistics.median(part) / BATCH for part in zip(*taken, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--draws", type=int, default=400, help="elastic fields measured for each tool")
    given = parser.parse_args()
    np.random.seed(0)  # noqa: NPY002 - batchgeneratorsv2 draws from it
    torch.manual_seed(0)
    images = np.random.default_rng(0).random((BATCH, PATCH, PATCH), np.float32)
    labels = np.stack([np.kron(np.arange(256).reshape(16, 16), np.ones((16, 16), int))] * BATCH)
    measured = {}
    for tool in TOOLS:
        check(tool, images, labels)
        moved = displacements(tool, given.draws)
        measured[tool] = float(moved.std()), correlation_length(moved)
        print("{}: sd {:.2f} px, correlation length {:.1f} px".format(tool.__name__, *measured[tool]), flush=True)
        if max(abs(a / b - 1) for a, b in zip(measured[tool], measured[Annotrain], strict=True)) > 0.1:
            raise SystemExit(f"{tool.__name__} deforms otherwise than ours: no comparison.")
    taken = race(images, labels, given.repeats)
    rows = []
    for tool in TOOLS:
        names = f"{tool.package} {version(tool.package)}", tool.name, tool.field
        deviation, smoothness = measured[tool]
        pair = statistics.median(taken[tool]) / BATCH
        ratio = statistics.median(a / b for a, b in zip(taken[tool], taken[Annotrain], strict=True))
        rows.append((*names, f"{deviation:.1f}", f"{smoothness:.0f}", f"{pair:.2f}", f"{ratio:.1f}"))
    head = ("package", "calls", "field", "sd, px", "correlation length, px", "ms a pair", "times ours")
    draw, apply = split(images, labels, given.repeats)
    write_part(
        "augmentation",
        f"{machine()} torch on {torch.get_num_threads()} threads, OpenCV on {cv2.getNumThreads()}; "
        f"median of {given.repeats} repeats, displacements over {given.draws} draws. "
        f"Ours is {draw:.2f} ms draw and {apply:.2f} ms apply a pair.\n\n{table(head, rows)}",
    )


if __name__ == "__main__":
    main()

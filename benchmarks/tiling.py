"""Overlap-tiles against the bare network and against MONAI's sliding window, side by side in one process.

    .venv-peers/bin/python benchmarks/tiling.py [--side 2048] [--repeats 5]

Everything starts from a uint16 array and ends with an array of classes. The network is `fast` from nothing: its
weights do not change the time.
"""

import argparse
import ctypes
import time
from collections.abc import Callable
from statistics import median

import monai
import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from report import machine, table, write_part

from napari_annotrain import api
from napari_annotrain.data.normalise import measure
from napari_annotrain.data.stack import Stack
from napari_annotrain.events import TileDone
from napari_annotrain.net.device import autocast, choose_device, choose_precision, keep_freed_memory
from napari_annotrain.net.fused import FusedUNet
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS, NormaliseSpec, PredictSpec

#: Sides of the image that the bare network is given, in px.
BARE_SIDES = (1024, 2048)
#: M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h, and what glibc starts with.
GLIBC_DEFAULTS = ((-1, 128 * 1024), (-4, 65536))


class Field:
    """A network, an image and the ways to predict it."""

    def __init__(self, side: int, device: str) -> None:
        self.device = choose_device(device)
        self.precision = choose_precision("auto", self.device)
        net = PRESETS["fast"].net
        torch.manual_seed(0)
        self.network = UNet(net).eval().to(self.device, memory_format=torch.channels_last)
        self.plain = UNet(net).eval().to(self.device)  # default layout
        self.plain.load_state_dict(self.network.state_dict())
        self.fused = FusedUNet(self.network, self.precision)
        self.model = Model(Card(net=net, classes=(0, 1)), {k: v.cpu() for k, v in self.network.state_dict().items()})
        rng = np.random.default_rng(0)
        self.image = rng.normal(1000, 200, (side, side)).clip(0).astype(np.uint16)

    def ours(self, **settings: object) -> np.ndarray:
        return api.predict(self.model, self.image, device=self.device.type, **settings)

    def bare(self, network: torch.nn.Module, side: int) -> Callable[[], None]:
        image = torch.randn(1, 1, side, side, device=self.device).contiguous(memory_format=torch.channels_last)

        def run() -> None:
            with torch.inference_mode(), autocast(self.device, self.precision):
                network(image)
            self.wait()

        return run

    def monai(self, network: torch.nn.Module, layout: torch.memory_format, precision: torch.dtype) -> np.ndarray:
        return self.monai_scores(network, layout, precision).argmax(1)[0].cpu().numpy()

    def monai_scores(
        self, network: torch.nn.Module, layout: torch.memory_format, precision: torch.dtype
    ) -> torch.Tensor:
        values = measure(Stack.of(self.image), NormaliseSpec()).apply(self.image[None])
        image = torch.from_numpy(values)[None].to(self.device).contiguous(memory_format=layout)
        inferer = SlidingWindowInferer((512, 512), overlap=0.5, mode="gaussian", padding_mode="reflect")

        def predict(windows: torch.Tensor) -> torch.Tensor:
            return network(windows.contiguous(memory_format=layout)).float()

        with torch.inference_mode(), autocast(self.device, precision):
            return inferer(image, predict)

    def monai_as_shipped(self) -> np.ndarray:
        """Float32, default layout, and memory as the system hands it out."""
        with DefaultAllocator():
            return self.monai(self.plain, torch.contiguous_format, torch.float32)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


class DefaultAllocator:
    """Undo `keep_freed_memory` for a while: a user of another library has it not."""

    def __enter__(self) -> None:
        self._set(GLIBC_DEFAULTS)

    def __exit__(self, *_: object) -> None:
        self._set(((-1, 2**31 - 1), (-4, 0)))

    def _set(self, values: tuple[tuple[int, int], ...]) -> None:
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            for name, value in values:
                libc.mallopt(name, value)


def alternate(a: Callable[[], object], b: Callable[[], object], repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of both, in turn."""
    pairs = [(seconds(a), seconds(b)) for _ in range(repeats)]
    return [s for s, _ in pairs], [s for _, s in pairs]


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def differences(field: Field) -> list[tuple[str, str, str]]:
    """Largest difference of any probability, and share of classes that differ, to the whole image at once."""
    stack = Stack.of(field.image)
    whole = probabilities(field, stack, PredictSpec(tile="whole", device=field.device.type))
    rows = []
    for name, tile in (("ours, tiles of 256 px", 256), ("ours, default", "auto")):
        found = probabilities(field, stack, PredictSpec(tile=tile, device=field.device.type))
        rows.append(compare(name, found, whole))
    scores = field.monai_scores(field.network, torch.channels_last, field.precision)
    found = scores.softmax(1)[0].cpu().numpy()
    return [*rows, compare("MONAI, 512 px, overlap 50 %, gaussian", found, whole)]


def compare(name: str, found: np.ndarray, whole: np.ndarray) -> tuple[str, str, str]:
    return name, f"{np.abs(found - whole).max():.1e}", f"{(found.argmax(0) != whole.argmax(0)).mean():.2%}"


def probabilities(field: Field, stack: Stack, spec: PredictSpec) -> np.ndarray:
    out = np.zeros((2, *field.image.shape), np.float32)
    spec = spec.model_copy(update={"output": "probabilities"})
    for event in api.iter_prediction(field.model, stack, spec=spec):
        if isinstance(event, TileDone):
            out[(..., *event.write[2:])] = event.result[:, 0, 0]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    keep_freed_memory()
    field = Field(given.side, given.device)
    pixels = given.side**2
    last, name = torch.channels_last, str(field.precision).removeprefix("torch.")
    others: dict[str, tuple[Callable[[], object], int]] = {
        "ours, 4 GB": (lambda: field.ours(memory="4GB"), pixels),
        f"MONAI, {name}, channels last": (lambda: field.monai(field.network, last, field.precision), pixels),
        f"MONAI with our fused network, {name}": (lambda: field.monai(field.fused, last, field.precision), pixels),
        "MONAI as shipped, float32": (field.monai_as_shipped, pixels),
    }
    for side in BARE_SIDES:
        others[f"bare forward pass, {side} px"] = (field.bare(field.network, side), side**2)
        others[f"bare fused forward pass, {side} px"] = (field.bare(field.fused, side), side**2)
    field.ours()
    rows, ratios, all_ours = [], {}, []
    for key, (run, n_pixels) in others.items():
        run()
        mine, theirs = alternate(field.ours, run, given.repeats)
        all_ours += mine
        # neighbours in time are compared, so that a machine that is disturbed disturbs both
        ratios[key] = median((t / n_pixels) / (m / pixels) for m, t in zip(mine, theirs, strict=True))
        speed = n_pixels / 1e6 / median(theirs)
        rows.append((key, f"{median(theirs) * 1000:.0f} ms", f"{speed:.2f}", f"{ratios[key]:.2f}"))
    ours = median(all_ours)
    rows.insert(0, ("ours, default (2 GB)", f"{ours * 1000:.0f} ms", f"{pixels / 1e6 / ours:.2f}", "1"))
    head = ("way", "time", "Mpx/s", "speed of ours, default, against it")
    best, best_fused = (
        min(r for key, r in ratios.items() if key.startswith(kind)) for kind in ("bare forward", "bare fused")
    )
    words = (
        f"{given.side} x {given.side}, `fast`, {name}, MONAI {monai.__version__}; medians of {given.repeats}. "
        f"End to end against the bare forward pass at its best size: {best:.2f} of the network as "
        f"trained, "
        f"{best_fused:.2f} of the fused one."
    )
    exact = table(
        ("way", "largest difference of a probability to the whole image", "classes that differ"), differences(field)
    )
    write_part("tiling", f"{machine()}\n{words}\n\n{table(head, rows)}\n\n{exact}")


if __name__ == "__main__":
    main()

"""One pixel a patch against all pixels at once, and how long the network of the paper takes.

    .venv/bin/python benchmarks/sliding_window.py [--side 256] [--repeats 3] [--device auto]

The weights are drawn, not learnt: they change neither the time nor whether both ways agree.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from report import machine, table, write_part

from napari_annotrain.net.device import choose_device, choose_precision, keep_freed_memory
from napari_annotrain.net.patch_classifier import PatchClassifier
from napari_annotrain.net.ready import make_ready
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS
from napari_annotrain.tiles.geometry import geometry

#: Side of what the network of the paper writes, in px.
WRITTEN = 512


def seconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median of some runs, after one that does not count."""
    taken = []
    for i in range(repeats + 1):
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if i:
            taken.append(time.perf_counter() - began)
    return median(taken)


def compare_ways(side: int, device: torch.device, repeats: int) -> tuple[str, str]:
    """Sliding window and one pass: their largest difference in words, and a table of their times."""
    network = PatchClassifier().eval().to(device)
    image = torch.randn(1, side, side, device=device)
    slid, dense = network.slide(image), network.everywhere(image)
    difference = (slid - dense).abs().max().item()
    times = [
        ("sliding window, a patch a pixel", seconds(lambda: network.slide(image), device, repeats)),
        ("one pass, dilated after each pooling", seconds(lambda: network.everywhere(image), device, repeats)),
    ]
    weights = sum(p.numel() for p in network.parameters())
    words = (
        f"{side} x {side} px, float32, patches of {network.patch_px} px, {weights:,} weights; medians of {repeats}. "
        f"The largest difference of a score is {difference:.1e}, of scores that spread by {slid.std().item():.1e}."
    )
    rows = [(name, f"{s * 1000:.0f} ms", f"{times[0][1] / s:.0f}") for name, s in times]
    return words, table(("way", "time", "speed-up"), rows)


def time_paper(device: torch.device, repeats: int) -> str:
    """A table of the forward pass of `paper`, as trained and made ready for prediction."""
    net = PRESETS["paper"].net
    network = UNet(net).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    read = geometry(net).read_size(WRITTEN)
    image = torch.randn(1, 1, read, read, device=device).contiguous(memory_format=torch.channels_last)
    precisions = sorted({torch.float32, choose_precision("auto", device)}, key=str, reverse=True)
    ways = [("as trained, float32", network)]
    ways += [(f"as `predict` computes it, {str(p).removeprefix('torch.')}", make_ready(network, p)) for p in precisions]
    rows = [(f"`paper`, {name}", f"{seconds(lambda n=n: n(image), device, repeats):.2f} s") for name, n in ways]
    return table((f"{WRITTEN} x {WRITTEN} px written, {read} x {read} read", "forward pass"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    device = choose_device(given.device)
    with torch.inference_mode():
        words, ways = compare_ways(given.side, device, given.repeats)
        paper = time_paper(device, given.repeats)
    write_part("sliding-window", f"{machine()}\n{words}\n\n{ways}\n\n{paper}")


if __name__ == "__main__":
    main()

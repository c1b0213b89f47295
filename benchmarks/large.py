"""Stacks from disk to disk: speed, memory, interruptions, and two workers against one.

    python benchmarks/large.py [--planes 20] [--side 2048] [--only-speed]

A uint16 OME-Zarr of made cells in, an OME-Zarr out. The bare forward pass is the network alone at its best size, in the
same process: as trained, and as prediction runs it (fused). Memory is the highest resident size of a process of its
own; so is every run that is killed.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import zarr
from report import machine, table, write_part

import napari_annotrain as at
from napari_annotrain.data.ngff import new_store
from napari_annotrain.data.synthetic import cells
from napari_annotrain.inference.distributed import serving
from napari_annotrain.net.device import autocast, choose_device, choose_precision, keep_freed_memory
from napari_annotrain.net.fused import FusedUNet
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS

BARE_SIDES = (1024, 2048)
KILLS = 5
LARGE_SIDE = 12_288
MEASURED = """
import re, sys
import napari_annotrain as at
at.predict(sys.argv[1], sys.argv[2], out=sys.argv[3], memory=sys.argv[4])
# of this process alone: ru_maxrss remembers the size of the one that started it
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
"""


#: One thread computes tiles for ten seconds; how many.
BARE = """
import time, torch
from napari_annotrain.net.device import choose_device, choose_precision, keep_freed_memory
from napari_annotrain.net.fused import FusedUNet
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS
torch.set_num_threads(1)
keep_freed_memory()
precision = choose_precision("auto", choose_device("cpu"))
network, image, n = FusedUNet(UNet(PRESETS["fast"].net).eval(), precision), torch.randn(1, 1, 704, 704), 0
with torch.inference_mode():
    for _ in range(3):
        network(image, margin=96)
    began = time.perf_counter()
    while time.perf_counter() < began + 10:
        network(image, margin=96)
        n += 1
print(n / (time.perf_counter() - began))
"""


def write_stack(path: Path, planes: int, side: int) -> None:
    """Made cells, a stretch of them shifted from plane to plane."""
    tile, _ = cells((512, 512), n_cells=90, seed=0)
    field = np.tile(tile, (-(-side // 512), -(-side // 512)))[:side, :side]
    level = new_store(path, (planes, side, side), np.dtype(np.uint16), "ZYX", {"Y": 0.5, "X": 0.5}, "made cells")
    for z in range(planes):
        level[z] = np.roll(field, 37 * z, (0, 1))


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def bare(network: torch.nn.Module, side: int, precision: torch.dtype) -> float:
    """Mpx a second of the network alone, median of five."""
    image = torch.randn(1, 1, side, side).contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode(), autocast(torch.device("cpu"), precision):
            network(image)

    run()
    return side * side / 1e6 / median(seconds(run) for _ in range(5))


def speed(folder: Path, planes: int, side: int) -> list[tuple[str, ...]]:
    """Ways from disk to disk, each between two measurements of the bare network: the machine's speed changes."""
    keep_freed_memory()
    net, precision = PRESETS["fast"].net, choose_precision("auto", choose_device("cpu"))
    torch.manual_seed(0)
    network = UNet(net).eval().to(memory_format=torch.channels_last)
    model = Model(Card(net=net, classes=(0, 1)), network.state_dict())
    fused = FusedUNet(network, precision)

    def at_best() -> tuple[float, float]:
        return tuple(max(bare(one, s, precision) for s in BARE_SIDES) for one in (network, fused))

    write_stack(folder / "small.zarr", 1, 256)
    at.predict(model, folder / "small.zarr", device="cpu")  # imports what prediction needs
    rows, before = [], at_best()
    for used, output in ((model, "classes"), ("cells-2d", "cells")):
        for gigabytes in ("2GB", "4GB"):
            how = {"output": output, "memory": gigabytes, "out": folder / f"{output}-{gigabytes}.zarr", "device": "cpu"}
            taken = seconds(lambda u=used, h=how: at.predict(u, folder / "in.zarr", **h))
            after = at_best()
            found = planes * side * side / 1e6 / taken
            shares = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
            name = f"disk to disk, {output}, `--memory {gigabytes}`"
            rows.append((name, f"{found:.2f}", *(f"{share:.2f}" for share in shares), f"{found / shares[0]:.2f}"))
            before = after
    return rows


def memory(folder: Path) -> str:
    """Highest resident size with 10 and 100 planes of 512 px."""
    peaks = []
    for planes in (10, 100):
        write_stack(folder / f"{planes}.zarr", planes, 512)
        command = [sys.executable, "-c", MEASURED, "cells-2d", str(folder / f"{planes}.zarr")]
        said = subprocess.run(
            [*command, str(folder / f"{planes}-out.zarr"), "1GB"], check=True, capture_output=True, text=True
        )
        peaks.append(int(said.stdout.splitlines()[-1]))
    write_stack(folder / "plane.zarr", 1, LARGE_SIDE)
    command = [sys.executable, "-c", MEASURED, "cells-2d", str(folder / "plane.zarr"), str(folder / "plane-out.zarr")]
    said = subprocess.run([*command, "1GB"], check=True, capture_output=True, text=True)
    plane = int(said.stdout.splitlines()[-1]) / 1e6
    few, many = (peak / 1e6 for peak in peaks)
    return (
        f"Memory, cells, 512 px, `--memory 1GB`: {few:.0f} MB with 10 planes, {many:.0f} MB with 100, "
        f"{many / few:.2f} times. One plane of {LARGE_SIDE:,} px: {plane:.0f} MB."
    )


def kills(folder: Path) -> str:
    """Kill a run again and again, resume it, and compare."""
    write_stack(folder / "killed-in.zarr", 60, 512)
    whole = at.predict("cells-2d", folder / "killed-in.zarr", out=folder / "whole.zarr", device="cpu")[...]
    out = folder / "killed.zarr"
    lines = folder / ".killed.zarr.unfinished" / "finished.jsonl"
    command = [sys.executable, "-m", "napari_annotrain.cli", "predict", "cells-2d", str(folder / "killed-in.zarr")]
    command += ["-o", str(out), "--device", "cpu", "--resume"]
    n_killed = 0
    while not out.exists():
        before = count(lines)
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while run.poll() is None and (n_killed >= KILLS or count(lines) < before + 5):
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            n_killed += 1
        run.wait()
    same = np.array_equal(zarr.open_array(out, path="0", mode="r")[...], whole)
    return f"Killed {n_killed} times and resumed: {'identical arrays' if same else 'ANOTHER RESULT'}."


def count(lines: Path) -> int:
    try:
        return lines.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def workers(folder: Path, rounds: int = 3) -> str:
    """Two workers of one thread against one, start of the processes left out, beside two bare networks against one."""
    write_stack(folder / "half.zarr", 10, 2048)
    taken: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for n, mine in taken.items():
            with serving(f"local:{n}") as address:
                for name in ("10.zarr", "half.zarr"):  # the first one warms up
                    how = {"output": "classes", "device": "cpu", "scheduler": address}
                    out = folder / f"{n}-{name}"
                    one = seconds(
                        lambda i=folder / name, o=out, h=how: at.predict("cells-2d", i, out=o, overwrite=True, **h)
                    )
                mine.append(one)
    alone, both = bare_processes(1), bare_processes(2)
    return (
        f"Two workers of one thread each against one: {min(taken[1]) / min(taken[2]):.2f} times as fast (the shortest "
        f"of {rounds} runs each, in turn). Two processes of one thread with nothing but the network: "
        f"{both / alone:.2f} times."
    )


def bare_processes(n: int) -> float:
    """Tiles that so many processes of one thread compute together in ten seconds, at best of three."""
    found = []
    for _ in range(3):
        runs = [subprocess.Popen([sys.executable, "-c", BARE], stdout=subprocess.PIPE, text=True) for _ in range(n)]
        found.append(sum(float(run.communicate()[0]) for run in runs))
    return max(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=20)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--only-speed", action="store_true", help="print the speeds, and write nothing")
    given = parser.parse_args()
    head = ("way", "Mpx/s", "bare network meanwhile, Mpx/s", "bare and fused", "against the bare network")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_stack(folder / "in.zarr", given.planes, given.side)
        rows = speed(folder, given.planes, given.side)
        if given.only_speed:
            print(table(head, rows))
            return
        lines = [memory(folder), kills(folder), workers(folder)]
    about = f"{given.planes} x {given.side} x {given.side} uint16, `fast`."
    write_part("large", "\n\n".join([f"{machine()} {about}", table(head, rows), *lines]))


if __name__ == "__main__":
    main()

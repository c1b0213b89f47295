"""What this computer computes on, and how precisely."""

import contextlib
import ctypes
import functools
import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import torch

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import Device, Precision, check_choice

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Turn ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"`` into a device that is there.

    Raises
    ------
    AnnotrainError
        The word is not known, or this computer (or this PyTorch) has no such device.
    """
    check_choice("device", name, Device)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(d for d, is_there in there.items() if is_there))
    if not there[name]:
        kind = {"cuda": "NVIDIA GPU", "mps": "Apple GPU"}[name]
        raise AnnotrainError(
            f"No {kind} that this PyTorch ({torch.__version__}) can use was found: choose auto or cpu."
        )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Turn ``"auto"`` into what the device computes fastest; a named precision is taken as it is."""
    check_choice("precision", name, Precision)
    if name != "auto":
        if name == "float16" and device.type == "cpu":
            raise AnnotrainError("float16 is not computed on the CPU: choose bfloat16 or float32.")
        return DTYPES[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _has_bfloat16() else torch.float32


def describe(device: torch.device) -> str:
    """The device in words: ``"CPU, 2 cores"`` or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    cores = torch.get_num_threads()
    return f"CPU, {cores} core{'s' * (cores != 1)}"


@contextlib.contextmanager
def autocast(device: torch.device, precision: torch.dtype) -> Iterator[None]:
    """Compute in a lower precision where that is asked for, and in all digits of float32 where not."""
    exact = _all_digits if device.type == "cuda" and precision == torch.float32 else contextlib.nullcontext()
    with exact, torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
        yield


def answer(network: torch.nn.Module, images: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
    """The (B, K, Y', X') scores of a network for (B, C, Y, X) images on its device, in a precision."""
    with autocast(images.device, precision):
        scores: torch.Tensor = network(images.contiguous(memory_format=torch.channels_last))
    return scores


class _AllDigits:
    """Keeps cuDNN from rounding float32 to TF32 (10 bits); the switch is the process's."""

    def __init__(self) -> None:
        self._lock, self._users, self._before = threading.Lock(), 0, True

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = torch.backends.cudnn.allow_tf32
                torch.backends.cudnn.allow_tf32 = False
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                torch.backends.cudnn.allow_tf32 = self._before


_all_digits = _AllDigits()


def release_memory(search: bool = False) -> None:
    """Give memory back after a run: the GPU's, and what glibc kept of the computer's (see `keep_freed_memory`).

    With `search`, what only refers to itself is looked for as well. That stops every thread for as long as half a
    second in a window full of objects: for when memory has run out.
    """
    if search:
        gc.collect()
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def free_memory(device: torch.device) -> float:
    """Bytes that can be had on a device without taking them from others; infinite where nothing tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        import psutil  # napari brings it
    except ImportError:
        return float("inf")
    return float(psutil.virtual_memory().available)


@functools.cache
def resident_memory() -> int:
    """Memory that this process occupied before its first run, in bytes; a usual size where the system does not tell.

    Asked once: later, what earlier runs freed still counts as resident though the next one uses it again.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 450_000_000
    return pages * os.sysconf("SC_PAGE_SIZE")


@functools.cache
def keep_freed_memory() -> None:
    """Ask glibc to keep what is freed, once a process.

    Large activations are otherwise mapped and unmapped for every layer, and the page faults cost more than the
    convolutions. A plugin cannot set MALLOC_* in the environment; mallopt(3) does the same from inside.
    """
    resident_memory()
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        trim, mmap_max, arena_max = -1, -4, -8  # M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX of malloc.h
        libc.mallopt(trim, 2**31 - 1)
        libc.mallopt(mmap_max, 0)
        libc.mallopt(arena_max, 1)  # what one thread has freed another one can use


@functools.cache
def _has_bfloat16() -> bool:
    """True where the processor multiplies bfloat16 in hardware (AVX512-BF16, AMX, Arm BF16); elsewhere it is slow."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"}) and not os.environ.get("ANNOTRAIN_NO_BFLOAT16")

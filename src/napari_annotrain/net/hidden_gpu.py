"""A GPU that is there but that this PyTorch cannot use, and what to do about it."""

import shutil
from pathlib import Path

import torch

#: What an NVIDIA driver puts onto Linux; on Windows its program is found on the path.
SIGNS = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidia0"))


def has_nvidia_gpu() -> bool:
    """Whether the system shows an NVIDIA GPU, without asking PyTorch."""
    return any(sign.exists() for sign in SIGNS) or shutil.which("nvidia-smi") is not None


def why_no_gpu() -> str:
    """Why an NVIDIA GPU of this computer is not used, and what to do; empty where there is none, or it is."""
    if torch.cuda.is_available() or not has_nvidia_gpu():
        return ""
    if torch.version.cuda is None:
        return (
            "This computer has an NVIDIA GPU, but the installed PyTorch is a CPU build: training runs on the CPU. "
            "Install PyTorch with CUDA into the same environment (pytorch.org, Get Started, has the command), then "
            "start napari anew."
        )
    return (
        f"This computer has an NVIDIA GPU, but the installed PyTorch, built for CUDA {torch.version.cuda}, cannot use "
        "it: training runs on the CPU. Update the NVIDIA driver, or install a PyTorch for an older CUDA "
        "(pytorch.org, Get Started), then start napari anew."
    )

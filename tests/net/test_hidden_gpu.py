import pytest
import torch

from napari_annotrain.net import hidden_gpu


@pytest.fixture
def computer(monkeypatch, tmp_path):
    """A computer with or without signs of a GPU, and with one build of PyTorch or another."""

    def make(sign="", program=None, build=None, usable=False):
        (tmp_path / "nvidia0").touch()
        monkeypatch.setattr(hidden_gpu, "SIGNS", (tmp_path / (sign or "absent"),))
        monkeypatch.setattr(hidden_gpu.shutil, "which", lambda name: program)
        monkeypatch.setattr(torch.version, "cuda", build)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
        return hidden_gpu.why_no_gpu()

    return make


def test_without_a_gpu_or_with_one_in_use_nothing_is_said(computer):
    assert computer() == ""
    assert computer(sign="nvidia0", build="12.6", usable=True) == ""


@pytest.mark.parametrize("how", [{"sign": "nvidia0"}, {"program": "C:/Windows/System32/nvidia-smi.exe"}])
def test_a_cpu_build_beside_a_gpu_is_said_with_what_to_do(computer, how):
    said = computer(**how)
    assert "has an NVIDIA GPU, but the installed PyTorch is a CPU build" in said
    assert "Install PyTorch with CUDA" in said


def test_a_driver_that_is_too_old_is_said_with_what_to_do(computer):
    said = computer(sign="nvidia0", build="12.6")
    assert "built for CUDA 12.6" in said
    assert "Update the NVIDIA driver" in said

import pytest
import torch

from napari_annotrain.errors import AnnotrainError, is_out_of_memory
from napari_annotrain.net import device


def test_auto_takes_something_that_works():
    chosen = device.choose_device("auto")
    assert torch.ones(2, device=chosen).sum().item() == 2


@pytest.mark.parametrize("name", ["tpu", "gpu", ""])
def test_an_unknown_device_is_refused_with_the_known_ones(name):
    with pytest.raises(AnnotrainError, match="auto, cpu, cuda, mps"):
        device.choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_said_in_words():
    with pytest.raises(AnnotrainError, match="No NVIDIA GPU"):
        device.choose_device("cuda")


def test_precision_is_as_asked_or_what_the_processor_has(monkeypatch):
    cpu = torch.device("cpu")
    assert device.choose_precision("bfloat16", cpu) == torch.bfloat16
    for has, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(device, "_has_bfloat16", lambda has=has: has)
        assert device.choose_precision("auto", cpu) == expected
    with pytest.raises(AnnotrainError, match="float16 is not computed on the CPU"):
        device.choose_precision("float16", cpu)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: not enough memory"), True),
        (RuntimeError("could not allocate a memory object"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_running_out_of_memory_is_told_from_other_errors(error, expected):
    assert is_out_of_memory(error) is expected


def test_the_cpu_is_described_by_its_cores():
    assert device.describe(torch.device("cpu")).startswith("CPU, ")


def test_float32_on_a_gpu_has_all_its_digits_and_others_get_their_switch_back():
    gpu, switch = torch.device("cuda"), torch.backends.cudnn
    before = switch.allow_tf32
    with device.autocast(gpu, torch.float32):
        assert not switch.allow_tf32
        with device.autocast(gpu, torch.float32):  # prediction while training goes on
            assert not switch.allow_tf32
        assert not switch.allow_tf32
    assert switch.allow_tf32 == before
    with device.autocast(torch.device("cpu"), torch.float32):
        assert switch.allow_tf32 == before

"""A batch is divided until its parts fit into the free memory."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_annotrain.specs import NetSpec
from napari_annotrain.training.parts import choose_parts

CODE = """
import torch
import sys
from napari_annotrain.net.device import keep_freed_memory
from napari_annotrain.specs import PRESETS
from napari_annotrain.training.preparation import prepare

keep_freed_memory()
net = PRESETS["fast"].net.choose({"block": sys.argv[1]})
learner = prepare(net, PRESETS["fast"].train.model_copy(update={"device": "cpu", "precision": "float32"}))
images = torch.rand(8, 1, 128, 128)
maps = torch.ones(8, 2, 128, 128)
line = lambda name: next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith(name))
before = line("VmRSS")
for _ in range(3):
    learner.learn(images, maps)
print(learner.n_weights, line("VmHWM") - before)
"""


@given(st.integers(1, 64), st.integers(16, 512), st.integers(1, 40), st.floats(0, 1e10))
def test_as_few_parts_as_fit_and_never_more_than_patches(width, patch, batch, free):
    def parts(free):
        return choose_parts(NetSpec(width=width), 1_000_000, patch, batch, torch.float32, free)

    n = parts(free)
    assert n == 1 or n // 2 < batch
    assert parts(2 * free) <= n
    assert parts(1e15) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak resident size is read from /proc")
@pytest.mark.parametrize("block", ["plain", "dense"])
def test_a_step_takes_no_more_memory_than_is_reckoned_with(block):
    done = subprocess.run([sys.executable, "-c", CODE, block], capture_output=True, text=True, check=True)
    n_weights, taken = map(int, done.stdout.split())
    least = next(free for free in range(10**7, 10**10, 10**7) if fits(block, n_weights, free))
    assert taken < least


def fits(block, n_weights, free):
    return choose_parts(NetSpec(width=16, block=block), n_weights, 128, 8, torch.float32, free) == 1

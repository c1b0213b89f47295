import subprocess
import sys

import pytest

CODE = """
import sys
import numpy as np
from napari_annotrain import api
from napari_annotrain.net.model import Card, Model
from napari_annotrain.net.unet import UNet
from napari_annotrain.specs import PRESETS

net = PRESETS["fast"].net
model = Model(Card(net=net, classes=(0, 1)), UNet(net).state_dict())
image = np.random.default_rng(0).integers(0, 1000, (2600, 2600)).astype(np.uint16)
api.predict(model, image, memory=sys.argv[1], precision="float32", device="cpu")
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak resident size is read from /proc")
def test_the_process_stays_within_the_memory_it_is_given():
    # VmHWM and not ru_maxrss, which a child inherits from the test process it was forked from
    done = subprocess.run([sys.executable, "-c", CODE, "1GB"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1_000_000_000

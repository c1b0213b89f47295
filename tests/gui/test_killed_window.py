"""A window is killed in the midst of painting; the next one goes on with all but the last second."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile

pytestmark = [
    pytest.mark.gui,
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL"),
]

PAINTER = """
import sys, time
import numpy as np, napari
from qtpy.QtCore import QTimer
from napari_annotrain._napari.controller import controller_of

viewer = napari.Viewer(show=False)
viewer.open(sys.argv[1])
_, panel = viewer.window.add_plugin_dock_widget("napari-annotrain", "Annotrain")
controller = controller_of(viewer)
controller.paint.new_annotation()
layer, strokes = controller.annotation, [0]

def stroke():
    k = strokes[0] = strokes[0] + 1
    row = k % 40
    layer.data_setitem((np.full(50, row), np.arange(50)), 2 + k % 200)
    print(k, time.time(), flush=True)

timer = QTimer()
timer.timeout.connect(stroke)
timer.start(40)
napari.run()
"""


def test_what_was_painted_a_second_before_the_kill_is_there(person, fake, tmp_path, sessions):
    image = tmp_path / "cells.tif"
    tifffile.imwrite(image, np.random.default_rng(0).integers(0, 200, (40, 50), dtype=np.uint8))
    run = subprocess.Popen([sys.executable, "-c", PAINTER, str(image)], stdout=subprocess.PIPE, text=True)
    told = [run.stdout.readline().split() for _ in range(60)]
    os.kill(run.pid, signal.SIGKILL)
    told += [line.split() for line in run.stdout.read().splitlines()]
    run.wait()
    run.stdout.close()
    assert len(told) >= 60
    last = float(told[-1][1])
    certain = max(int(k) for k, when in told if float(when) < last - 1)

    lab = person()
    lab.viewer.open(image)
    lab.open_panel()
    lab.wait(lambda: not lab.find("offer_frame").isHidden())
    lab.click("reopen_button")
    found = lab.controller.annotation.data
    values = sorted(set(np.unique(found).tolist()) - {0})
    reached = max(values) - 2
    assert certain <= reached <= int(told[-1][0])
    for row in range(40):  # each stroke whole: a row has one value, that of the last stroke on it
        newest = max((k for k in range(1, reached + 1) if k % 40 == row), default=None)
        assert np.unique(found[row]).tolist() == [0 if newest is None else 2 + newest % 200]

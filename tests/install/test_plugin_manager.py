"""Installed as users do: napari's own plugin manager brings the wheel into an environment with napari and a torch."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

NO_DISPLAY = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NO_DISPLAY, reason="needs a display: install Xvfb"),
    pytest.mark.skipif(os.name == "nt", reason="links to the packages of this environment need a POSIX system"),
]

INSTALL = """
import sys
from napari_plugin_manager.base_qt_package_installer import InstallerTools
from napari_plugin_manager.qt_package_installer import NapariInstallerQueue
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

application = QApplication([])
queue, loop, results = NapariInstallerQueue(), QEventLoop(), []
queue.processFinished.connect(results.append)
queue.allFinished.connect(lambda codes: loop.quit())
queue.install(tool=InstallerTools.PYPI, pkgs=["napari-annotrain"])
loop.exec()
print([result["exit_code"] for result in results])
"""

OPEN = """
import time
import napari
from qtpy.QtWidgets import QAbstractButton, QApplication

def look(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)

viewer = napari.Viewer()
(mine,) = (action for action in viewer.window.plugins_menu.actions() if action.text().startswith("Annotrain"))
(entry,) = (action for action in mine.menu().actions() if action.text().startswith("Annotrain"))
entry.trigger()
look(1)
(panel,) = viewer.window.dock_widgets.values()
print([panel.findChild(QAbstractButton, f"{name}_button") is not None for name in ("train", "predict_stack")])
viewer.open_sample("napari-annotrain", "cells_2d")
look(1)
print(panel.findChild(QAbstractButton, "train_button").isEnabled())
viewer.close()
"""

TORCH = """
import json, torch
from importlib.metadata import distribution
files = [str(distribution("torch").locate_file(f)) for f in ("torch/version.py", "torch/__init__.py")]
files.append(str(distribution("torch")._path / "RECORD"))
print(json.dumps([torch.__version__, torch.__file__, files]))
"""


def state_of_torch(environment):
    version, where, files = json.loads(environment.run("-c", TORCH))
    stamps = [(Path(f).stat().st_mtime_ns, hashlib.sha256(Path(f).read_bytes()).hexdigest()) for f in files]
    return version, where, stamps


def test_the_plugin_manager_installs_it_and_leaves_torch_alone(wheel, environment):
    before = state_of_torch(environment)
    assert "napari-annotrain" not in environment.run("-m", "npe2", "list")
    # by name, as a click in the list does; the wheel is the only thing that pip can find
    output = environment.run("-c", INSTALL, PIP_FIND_LINKS=str(wheel.parent))
    assert output.strip().splitlines()[-1] == "[0]"
    assert all("annotrain" in name for name in environment.installed()), "something else was installed as well"
    assert state_of_torch(environment) == before
    assert "napari-annotrain" in environment.run("-m", "npe2", "list")
    assert environment.run("-c", OPEN).split() == ["[True,", "True]", "True"]

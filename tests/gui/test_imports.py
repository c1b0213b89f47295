"""What may not be loaded: napari looks at all its plugins at every start."""

import subprocess
import sys


def loaded_by(code):
    watched = "('torch', 'napari', 'qtpy', 'napari_annotrain._qt', 'napari_annotrain._napari', 'napari_annotrain.api')"
    source = f"{code}\nimport sys; print(*[m for m in {watched} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_is_light():
    assert loaded_by("import napari_annotrain") == set()


def test_discovery_runs_none_of_our_code():
    code = "from npe2 import PluginManager as P; p = P(); p.discover(); assert 'napari-annotrain' in p._manifests"
    assert not loaded_by(code) & {"torch", "napari_annotrain._qt", "napari_annotrain._napari", "napari_annotrain.api"}


def test_the_session_needs_neither_window_nor_torch():
    assert loaded_by("import napari_annotrain.session") == set()


def test_the_panel_does_not_import_torch():
    assert "torch" not in loaded_by("import napari_annotrain._napari.widgets")

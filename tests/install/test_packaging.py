"""What users get: the files of the wheel, the metadata, the manifest that napari finds."""

import os
import re
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement

from tests.install.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BINDINGS = {"pyqt5", "pyqt6", "pyside2", "pyside6"}


def requirements(extra=None):
    texts = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return [Requirement(text) for text in texts]


def test_the_base_dependencies_are_those_of_the_design():
    expected = """numpy scipy scikit-image torch pydantic psygnal tifffile zarr dask safetensors platformdirs cyclopts
    pillow rich magicgui qtpy superqt pyqtgraph roifile"""
    assert {r.name for r in requirements()} == set(expected.split())


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_nothing_is_capped(extra):
    for requirement in requirements(extra):
        assert {s.operator for s in requirement.specifier} <= {">="}, requirement
        assert not requirement.url


def test_torch_has_no_bound_and_no_qt_binding_is_named():
    (torch,) = (r for r in requirements() if r.name == "torch")
    assert str(torch) == "torch"  # so that pip never replaces somebody's CUDA build
    assert not {r.name.lower() for r in requirements()} & {*BINDINGS, "napari"}


def test_the_entry_point_bears_the_manifest_s_name():
    (name,) = PROJECT["entry-points"]["napari.manifest"]
    manifest = (ROOT / "src/napari_annotrain/napari.yaml").read_text()
    assert f"name: {name}\n" in manifest
    assert name == PROJECT["name"]
    assert "Framework :: napari" in PROJECT["classifiers"]


def test_the_manifest_at_the_top_is_the_package_s():
    top = ROOT / "napari.yaml"
    if not top.is_symlink():  # git on Windows makes a text file of it, which holds the path
        pytest.skip("this checkout has no symbolic links")
    assert top.read_text() == (ROOT / "src/napari_annotrain/napari.yaml").read_text()


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {"napari_annotrain/napari.yaml", "napari_annotrain/py.typed"} <= set(names)
    assert {re.sub(r"-[\d.]+\.", ".", name.split("/")[0]) for name in names} == {
        "napari_annotrain",
        "napari_annotrain.dist-info",
    }


FIND = """
from npe2 import PluginManager
manager = PluginManager()
manager.discover()
manifest = manager.get_manifest("napari-annotrain")
print(manifest.display_name, [widget.display_name for widget in manifest.contributions.widgets])
"""


@pytest.mark.skipif(os.name == "nt", reason="links to the packages of this environment need a POSIX system")
@pytest.mark.parametrize("how", ["wheel", "editable"])
def test_napari_finds_the_manifest(how, wheel, environment):
    assert "napari_annotrain" not in environment.run(
        "-c", "import pkgutil; print([m.name for m in pkgutil.iter_modules()])"
    )
    what = [str(wheel)] if how == "wheel" else ["--no-build-isolation", "--editable", str(ROOT)]
    environment.run("-m", "pip", "install", "--quiet", *what)
    assert all("annotrain" in name for name in environment.installed())
    names = ["Annotrain", "Annotate", "Train", "Models", "Predict", "Measure"]
    assert environment.run("-c", FIND).strip() == f"Annotrain {names}"
    environment.run("-m", "npe2", "validate", "napari-annotrain", "--imports")


def test_help_loads_neither_torch_nor_a_window(loaded_after):
    assert not loaded_after("from napari_annotrain.cli import run; run(['--help'])")
    assert not loaded_after("from napari_annotrain.cli import run; run(['train', '--help'])")


@pytest.fixture
def loaded_after():
    import subprocess

    def loaded(code):
        heavy = "('torch', 'napari', 'qtpy', 'dask', 'zarr', 'skimage')"
        source = f"{code}\nimport sys; print(*[m for m in {heavy} if m in sys.modules], file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
        return done.stderr.split()

    return loaded

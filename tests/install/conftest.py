import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Environment:
    """A virtual environment of its own that has everything but napari-annotrain.

    Nothing is downloaded: a .pth file shows it a folder of links to the packages of this environment, all but ours.
    (The whole folder would not do: our own metadata lies in it.) What pip installs lands in its own folder, and pip
    takes the linked packages for installed ones.
    """

    def __init__(self, folder: Path):
        venv.create(folder / "env", symlinks=os.name != "nt")
        self.folder = folder
        scripts = sysconfig.get_path("scripts", "venv", {"base": str(folder / "env")})
        self.python = Path(scripts, "python")
        self.packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder / "env")}))
        links = folder / "links"
        links.mkdir()
        places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        for entry in (e for place in places for e in Path(place).iterdir()):
            ours = "annotrain" in entry.name.lower()
            if not ours and entry.name != "__pycache__" and not (links / entry.name).exists():
                (links / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
        (self.packages / "links.pth").write_text(f"{links}\n")

    def run(self, *arguments: str, **variables: str) -> str:
        """Run the environment's Python far from the user's settings and return what it prints."""
        home = {name: str(self.folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV", "COV"))}
        # an index is out of reach, and so is uv, which napari-plugin-manager would prefer
        path = os.pathsep.join([str(self.python.parent), os.defpath])
        environment = kept | home | {"PATH": path, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull} | variables
        command = [str(self.python), *arguments]
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def installed(self) -> set[str]:
        """What lies in its own folder."""
        return {path.name for path in self.packages.iterdir()} - {"links.pth", "__pycache__"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel that users get, in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def environment(tmp_path) -> Environment:
    return Environment(tmp_path)

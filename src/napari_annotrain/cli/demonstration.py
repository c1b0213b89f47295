import os
import subprocess
import sys
from importlib.util import find_spec

from napari_annotrain.errors import AnnotrainError


def demo(*, headless: bool = False, out: str = "demo-output") -> None:
    """Run the main job on sample cells in napari: annotate, train, predict.

    Parameters
    ----------
    headless
        Use a virtual screen and leave screenshot, labels, model and scores in the folder `out`.
    out
        Folder for the results.
    """
    if find_spec("napari") is None:
        raise AnnotrainError("The demo needs napari: pip install 'napari-annotrain[all]'.")
    environment = dict(os.environ)
    command = [sys.executable, "-m", "napari_annotrain._napari.demo", out]
    if sys.platform.startswith("linux") and (headless or not _has_display()):
        headless = True
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", *command]
        environment["QT_QPA_PLATFORM"] = "xcb"
    try:
        code = subprocess.run([*command, *["--headless"] * headless], env=environment, check=False).returncode
    except FileNotFoundError:
        raise AnnotrainError("A virtual screen is needed: install xvfb (apt install xvfb), or use a display.") from None
    if code:
        raise AnnotrainError(f"The demo did not reach its end (exit code {code}); the reason stands above.")


def _has_display() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))

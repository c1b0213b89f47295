"""What the plugin adds to the start of napari: importing the package, and having its manifest found.

    python benchmarks/startup.py [--times 5]

Every figure is the median over fresh processes. napari reads the manifest of each plugin when it starts and imports
the package only when something of it is used.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from report import machine, table, write_part

PACKAGE, NAME = "napari_annotrain", "napari-annotrain"
#: What may not be loaded for it.
HEAVY = ("torch", "qtpy", "PyQt6", "PySide6", "napari", "numpy")
MOST_MS = 20

#: Finds all plugins but ours, then all; in ms, how long either took in a fresh process, and ours alone thereafter.
DISCOVER = """
import json, sys, time
from importlib import metadata
from npe2 import PluginManager, PluginManifest
found, folder, path, with_ours = metadata.distributions, *sys.argv[1:3], sys.argv[3] == "with"
def all_or_others(**where):
    for distribution in found(**where):
        ours = distribution._path.name.startswith(folder)
        if with_ours or not ours:
            yield distribution
metadata.distributions = all_or_others
manager = PluginManager()
began = time.perf_counter()
manager.discover()
all_ms = 1000 * (time.perf_counter() - began)
loaded = sorted(name for name in sys.modules)
own_ms = None
if not with_ours:
    began = time.perf_counter()
    manager.register(PluginManifest.from_file(path))
    own_ms = 1000 * (time.perf_counter() - began)
there = any(manifest.name == "napari-annotrain" for manifest in manager.iter_manifests())
assert there, "the plugin is not installed"
print(json.dumps({"all": all_ms, "own": own_ms, "n": sum(1 for _ in manager.iter_manifests()), "loaded": loaded}))
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)


def import_ms() -> tuple[float, float]:
    """Time of our own modules when the package is imported, and with all they import, from -X importtime."""
    own = whole = 0.0
    for line in run("-X", "importtime", "-c", f"import {PACKAGE}").stderr.splitlines():
        self_us, all_us, module = (word.strip() for word in line.removeprefix("import time:").split("|"))
        if module.split(".")[0] == PACKAGE:
            own += int(self_us) / 1000
            whole = int(all_us) / 1000  # the last one is the package itself
    return own, whole


def loaded_by_import() -> set[str]:
    code = f"import sys; before = set(sys.modules); import {PACKAGE}; print(*(set(sys.modules) - before))"
    return set(run("-c", code).stdout.split())


def manifest() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.submodule_search_locations[0]) / "napari.yaml"


def discover(which: str) -> dict:
    return json.loads(run("-c", DISCOVER, f"{PACKAGE}-", str(manifest()), which).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    import_ms(), discover("with")  # into the page cache
    imports = [import_ms() for _ in range(times)]
    found = [(discover("with"), discover("without")) for _ in range(times)]
    own, whole = (median(values) for values in zip(*imports, strict=True))
    every, others = (median(each[i]["all"] for each in found) for i in (0, 1))
    read = median(without["own"] for _, without in found)
    loaded = loaded_by_import()
    heavy = sorted(loaded & set(HEAVY))
    because = set(found[0][0]["loaded"]) - set(found[0][1]["loaded"])
    ours = sorted(name for name in because if name.split(".")[0] in (PACKAGE, *HEAVY))
    within = "within" if own + read <= MOST_MS else "more than"
    said = (
        f"Our share, import and manifest together: {own + read:.1f} ms, {within} the {MOST_MS} ms it may take. "
        f"The import loads {', '.join(heavy) or 'none of ' + ', '.join(HEAVY)}; "
        f"discovery loads {', '.join(ours) or 'nothing of ours and none of those'} because of us."
    )
    rows = [
        (f"`import {PACKAGE}`: our modules", f"{own:.1f} ms"),
        ("the same with all that they import, nothing loaded before", f"{whole:.1f} ms"),
        ("our manifest alone: read, checked, registered", f"{read:.1f} ms"),
        (f"npe2 finds the {found[0][0]['n']} plugins of this environment, ours among them", f"{every:.0f} ms"),
        ("npe2 finds the others only", f"{others:.0f} ms"),
    ]
    write_part("startup", f"{machine()} Median of {times}. {said}\n\n{table(('what', 'time'), rows)}")


if __name__ == "__main__":
    main()

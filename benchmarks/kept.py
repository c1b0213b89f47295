"""Rows of a long benchmark, kept in a file as soon as they are measured: what was interrupted goes on."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from report import REPOSITORY, machine

#: Rows are part of the repository, so that whoever goes on has them; models made for a benchmark are not.
ROWS, MODELS = REPOSITORY / "benchmarks" / "measured", REPOSITORY / ".benchmarks"


class Kept:
    """Measured rows by name; each remembers where and when it was measured.

    Parameters
    ----------
    measure
        Whether what is not there yet is measured; it is None otherwise.
    """

    def __init__(self, name: str, measure: bool = True) -> None:
        self._measure = measure
        self._path = ROWS / f"{name}.json"
        self._rows: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}

    def row(self, key: str, measure: Callable[[], Any]) -> Any:
        """What was measured before under this name, or measure it now."""
        if key not in self._rows and not self._measure:
            return None
        if key not in self._rows:
            print(key, "...", flush=True)
            self._rows[key] = {"result": measure(), "measured": machine()}
            ROWS.mkdir(exist_ok=True)
            beside = self._path.with_suffix(".part")
            beside.write_text(json.dumps(self._rows, indent=1))
            os.replace(beside, self._path)
            print(key, self._rows[key]["result"], flush=True)
        return self._rows[key]["result"]

    def measured(self, key: str = "") -> str:
        """Where and when, one line for each machine; of all rows, or of one."""
        commits: dict[str, dict[str, None]] = {}
        for row in [self._rows[key]] if key else self._rows.values():
            when, where = row["measured"].split(": ", 1)
            date, commit = when.removeprefix("Measured ").split(" at ", 1)
            commits.setdefault(where, {})[f"{date} at {commit.removesuffix(' with local changes')}"] = None
        return "\n".join(f"Measured {', '.join(when)}: {where}" for where, when in commits.items())


def file_of(name: str) -> Path:
    """A file beside the kept rows, such as a model made for a benchmark."""
    MODELS.mkdir(exist_ok=True)
    return MODELS / name

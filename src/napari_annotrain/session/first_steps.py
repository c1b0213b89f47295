import json
import os
from pathlib import Path

from platformdirs import user_config_path

from napari_annotrain.data.places import refusing
from napari_annotrain.session.words import Facts

#: A folder for what the panel remembers, instead of the user's configuration.
ELSEWHERE = "ANNOTRAIN_SETTINGS"
_WANTED = "first_steps"


def first_steps(facts: Facts) -> tuple[bool, bool, bool]:
    """Whether cells are painted, whether background is, and whether there is a model."""
    painted = {value for value, n in (facts.painted or {}).items() if n}
    return any(value > 1 for value in painted), 1 in painted or bool(facts.regions), facts.trained


def are_first_steps_wanted() -> bool:
    """Whether this user has neither trained a model nor closed the card before."""
    return _read().get(_WANTED) is not False


def put_first_steps_away() -> None:
    """Remember that this user knows them.

    Raises
    ------
    AnnotrainError
        The user's configuration cannot be written.
    """
    path = _file()
    with refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**_read(), _WANTED: False}, indent=1) + "\n", encoding="utf-8")


def _file() -> Path:
    chosen = os.environ.get(ELSEWHERE)
    return (Path(chosen) if chosen else user_config_path("napari-annotrain", appauthor=False)) / "panel.json"


def _read() -> dict[str, object]:
    """What is remembered; nothing where the file is absent or somebody spoilt it."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

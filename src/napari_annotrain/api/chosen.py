"""Training settings that differ from those of the preset."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.specs import TrainSpec

#: In place of a learning rate: find one (`training.rates`).
AUTO = "auto"


def choose_settings(spec: TrainSpec, settings: Mapping[str, Any] | None) -> tuple[TrainSpec, bool]:
    """Take over what is set otherwise; and whether the learning rate is to be found.

    Parameters
    ----------
    settings
        By name, as in `specs.TrainSpec`; of groups such as ``loss`` what differs, as a mapping or whole.

    Raises
    ------
    AnnotrainError
        There is no such setting, or it cannot have this value.
    """
    given = dict(settings or {})
    auto = given.get("learning_rate") == AUTO
    if auto:
        del given["learning_rate"]
    try:
        return TrainSpec.model_validate(_merged(spec.model_dump(), given)), auto
    except ValidationError as error:
        raise AnnotrainError(_refusal(error)) from None


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        inner = isinstance(value, Mapping) and isinstance(old.get(name), Mapping)
        merged[name] = _merged(old[name], value) if inner else value
    return merged


def _refusal(error: ValidationError) -> str:
    first = error.errors()[0]
    words = first["msg"].removeprefix("Value error, ")
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"There is no training setting '{name}': docs/settings.md lists them."
    if first["type"] == "value_error":
        return f"{words[:1].upper()}{words[1:].rstrip('.')}."
    return f"The training setting {name} cannot be {first['input']!r}: {words[:1].lower()}{words[1:]}."

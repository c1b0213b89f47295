"""What all settings have in common."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_annotrain.errors import AnnotrainError


class Spec(BaseModel):
    """Frozen, validated settings; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def setting(
    default: Any, title: str, why: str, unit: str = "", advanced: bool = True, start: float | None = None, **limits: Any
) -> Any:
    """Describe a setting; `start` is where a form begins that sets one whose default is None."""
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "start": start}
    return Field(default, title=title, description=why, json_schema_extra=extra, **limits)


def refusal(error: ValidationError) -> str:
    """One sentence for the user, of what settings were refused for."""
    first = error.errors()[0]
    words = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return words
    return f"The setting {first['loc'][-1]} cannot be {first['input']}: {words[:1].lower()}{words[1:]}."


def check_choice(name: str, value: str, choices: Any) -> None:
    """Refuse a word that is not among the choices of a `Literal`, naming them."""
    allowed = get_args(choices)
    if value not in allowed:
        raise AnnotrainError(f"'{value}' is no {name}: choose one of {', '.join(map(str, allowed))}.")

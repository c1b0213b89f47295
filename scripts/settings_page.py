"""Write docs/settings.md from the settings themselves, so that nothing is described twice.

python scripts/settings_page.py
"""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_annotrain import specs

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
GROUPS = (
    specs.TrainSpec,
    specs.LossSpec,
    specs.AugmentSpec,
    specs.WeightSpec,
    specs.NormaliseSpec,
    specs.ImageSpec,
    specs.NetSpec,
    specs.PredictSpec,
    specs.CellsSpec,
)
HEAD = """# Settings

<!-- written by scripts/settings_page.py -->
Every setting has a value that suits most images: change one when you know why. In the panel they stand under
*More settings*; `annotrain models show MODEL` prints those a model was trained with.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, _presets(), *(_group(spec) for spec in GROUPS)])


def _presets() -> str:
    lines = ["## Presets", "", "A network and the settings that go with it: `--preset`, *Network* in the panel.", ""]
    lines += ["| Preset | What for | Differs from the tables below in |", "| --- | --- | --- |"]
    for name, preset in specs.PRESETS.items():
        own = [*_differences(preset.net, specs.NetSpec()), *_differences(preset.train, specs.TrainSpec())]
        what = preset.title.removeprefix(f"{name}: ")
        lines.append(f"| `{name}` | {what} | {', '.join(own) or 'nothing'} |")
    return "\n".join([*lines, ""])


def _differences(spec: BaseModel, usual: BaseModel) -> list[str]:
    found = []
    for name, info in type(spec).model_fields.items():
        value, other = getattr(spec, name), getattr(usual, name)
        if isinstance(value, BaseModel):
            found += _differences(value, other)
        elif value != other:
            found.append(f"{info.title} {_shown(value)}{_unit(info)}")
    return found


def _group(spec: type[BaseModel]) -> str:
    title, _, rest = (spec.__doc__ or spec.__name__).strip().partition("\n")
    lines = [f"## {title.rstrip('.')}", "", *([rest.strip(), ""] if rest.strip() else [])]
    lines += ["| Setting | Usually | Possible | What it does |", "| --- | --- | --- | --- |"]
    for info in spec.model_fields.values():
        if info.title:
            known = isinstance(info.default, int | float) and not isinstance(info.default, bool)
            usual = _shown(info.default) + (_unit(info) if known else "")
            lines.append(f"| {info.title} | {usual} | {_possible(info)} | {info.description} |")
    return "\n".join([*lines, ""])


def _possible(info: FieldInfo) -> str:
    signs = {"ge": "≥ ", "gt": "> ", "le": "≤ ", "lt": "< "}
    limits = [f"{sign}{getattr(m, key):g}" for m in info.metadata for key, sign in signs.items() if hasattr(m, key)]
    words = _words(info.annotation)
    unset = [word for word in words if word == "not set"]
    return ", ".join([*(word for word in words if word not in unset), *limits, *unset])


def _words(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [f"`{choice}`" for choice in get_args(annotation)]
    if annotation is bool:
        return ["yes, no"]
    if annotation is type(None):
        return ["not set"]
    if annotation is int:
        return ["whole number"]
    return [word for part in get_args(annotation) if not hasattr(part, "metadata") for word in _words(part)]


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{value:g}" if isinstance(value, float) else f"`{value}`"


def _unit(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    unit = extra.get("unit", "") if isinstance(extra, dict) else ""
    return f" {unit}" if unit else ""


if __name__ == "__main__":
    PAGE.write_text(page())

"""What is compared: presets, presets with other settings, and models to start from, by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_annotrain.errors import AnnotrainError
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PRESETS, NetSpec, Preset, Spec, TrainSpec
from napari_annotrain.store.models import load_model, shipped_models

#: Settings that are one and the same for all candidates, or follow from the annotation.
SHARED = ("channels", "outputs", "ndim", "seconds", "steps", "seed", "device", "validation", "learn_from")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network and its training settings, under a name.

    Attributes
    ----------
    preset
        With a `base`, only its training settings count.
    base
        Model to start from, whose network is used; None to start afresh.
    """

    name: str
    preset: Preset
    base: Model | None = None


#: A preset's name, a model's name or path, either with changes (``"fast:width=32,batch=4"``); or the thing itself, or a
#: preset with a model to start from, whose network is used.
Described = str | Path | Preset | Model | Candidate | tuple[Preset, "Model | str | Path"]


def read_candidates(specs: Sequence[Described] | Mapping[str, Described]) -> list[Candidate]:
    """Look up what is to be compared.

    Raises
    ------
    AnnotrainError
        There are fewer than two, two of one name, or one of them cannot be understood.
    """
    if isinstance(specs, str | Path):
        specs = [specs]
    if isinstance(specs, Mapping):
        found = [replace(_read(one), name=name) for name, one in specs.items()]
    else:
        found = [_read(one) for one in specs]
    if len(found) < 2:
        raise AnnotrainError(f"There is nothing to compare: name two or more of {', '.join(PRESETS)}.")
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise AnnotrainError(f"'{twice}' is there twice: give each candidate a name of its own.")
    return found


def _read(described: Described) -> Candidate:
    match described:
        case Candidate():
            return described
        case Preset():
            return Candidate(described.title.partition(":")[0], described)
        case Model():
            return Candidate(str(described.card.provenance.get("name", "a model")), PRESETS["fast"], described)
        case Path():
            return Candidate(described.stem, PRESETS["fast"], load_model(described))
        case str():
            return _parse(described)
        case (Preset() as preset, base):
            base = base if isinstance(base, Model) else load_model(base)
            return Candidate(preset.title.partition(":")[0], preset, base)
    raise AnnotrainError(f"{described!r} cannot be compared: give the name of a preset or a model.")


def _parse(text: str) -> Candidate:
    """Read ``NAME`` or ``NAME:setting=value,setting=value``; a path may hold a colon of its own."""
    name, _, changes = text.rpartition(":") if "=" in text.rpartition(":")[2] else (text, "", "")
    if name in PRESETS:
        return Candidate(text, _changed(PRESETS[name], changes, text))
    if name not in shipped_models() and not Path(name).is_file():
        known = ", ".join([*PRESETS, *shipped_models()])
        raise AnnotrainError(f"There is no preset or model '{name}': choose among {known}, or give a model file.")
    base = load_model(name)
    preset = _changed(PRESETS["fast"], changes, text)
    if preset.net != PRESETS["fast"].net:
        raise AnnotrainError(f"'{text}': a model keeps its own network; change its training settings only.")
    return Candidate(Path(text).stem if Path(name).is_file() and not changes else text, preset, base)


def _changed(preset: Preset, changes: str, text: str) -> Preset:
    net, train = preset.net.model_dump(), preset.train.model_dump()
    said = preset.train.model_dump(exclude_unset=True)  # so that the changed ones are known afterwards
    parts: list[dict[str, Any]] = [net, train, *(value for value in train.values() if isinstance(value, dict))]
    for change in filter(None, changes.split(",")):
        name, _, value = change.partition("=")
        name = name.strip().replace("-", "_")
        group, _, name = name.rpartition(".")
        within = [train[group]] if isinstance(train.get(group), dict) else [] if group else parts
        having = [part for part in within if name in part and not isinstance(part[name], dict)]
        if len(having) > 1:
            groups = " or ".join(f"{g}.{name}" for g, part in train.items() if any(part is one for one in having))
            raise AnnotrainError(f"'{text}': there is more than one '{name}': write {groups}.")
        part = having[0] if having else None
        if part is None:
            raise AnnotrainError(f"'{text}': there is no setting '{name}'; docs/settings.md lists them.")
        if name in SHARED:
            raise AnnotrainError(f"'{text}': {name} is the same for all candidates.")
        part[name] = value.strip()
        group = next((g for g, of in train.items() if of is part), "")
        if part is not net:
            (said.setdefault(group, {}) if group else said)[name] = value.strip()
    return preset.model_copy(update={"net": _valid(NetSpec, net, text), "train": _valid(TrainSpec, said, text)})


def _valid(kind: type[Spec], values: dict[str, Any], text: str) -> Spec:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        why = first["msg"].removeprefix("Value error, ").rstrip(".")
        if not first["loc"]:  # settings that do not go together
            raise AnnotrainError(f"'{text}': {why}.") from None
        raise AnnotrainError(f"'{text}': {first['loc'][-1]} cannot be {first['input']}: {why.lower()}.") from None


def file_stems(names: Sequence[str]) -> list[str]:
    """Names of files for names of candidates: letters, digits, dots and dashes, no two alike on any system."""
    stems: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.") or "candidate"
        stem, n = plain, 2
        while stem.lower() in {other.lower() for other in stems}:
            stem, n = f"{plain}-{n}", n + 1
        stems.append(stem)
    return stems

"""Every network that differs from the usual one in a single choice, and every preset, small enough for a test."""

from typing import get_args

from napari_annotrain.specs import PRESETS, NetChoices, NetSpec

SMALL = NetSpec(width=4, depth=2)
#: A choice that can be made only beside another.
BESIDE = {("activation", "selu"): {"normalisation": "none"}}


def variations() -> dict[str, NetSpec]:
    """By "setting-choice"; width 4 and depth 2 where these are not what is varied."""
    found = {}
    for name, info in NetChoices.model_fields.items():
        choices = get_args(info.annotation) or {"depth": (0, 1, 3), "convolutions": (1, 3), "dropout": (0.5,)}.get(
            name, ()
        )
        for choice in choices:
            found[f"{name}-{choice}"] = SMALL.choose({name: choice} | BESIDE.get((name, choice), {}))
    return found


def pairs() -> dict[str, NetSpec]:
    """Every two choices among the ways down and up, skips, blocks and padding that can be made together."""
    names, found = ("down", "up", "skips", "block", "padding"), {}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            for a in get_args(NetChoices.model_fields[one].annotation):
                for b in get_args(NetChoices.model_fields[other].annotation):
                    try:
                        found[f"{one}-{a}-{other}-{b}"] = SMALL.choose({one: a, other: b})
                    except ValueError:
                        continue
    return found


def presets(width: int = 2) -> dict[str, NetSpec]:
    """The networks of the presets, narrower."""
    return {name: preset.net.model_copy(update={"width": width}) for name, preset in PRESETS.items()}

"""What image metadata say about axes and sizes, brought to the letters and units used here."""

from collections.abc import Mapping, Sequence
from math import isfinite

from napari_annotrain.axes import CANONICAL, guess_axes
from napari_annotrain.errors import AnnotrainError

_PREFIXES = {"pico": 1e-12, "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "centi": 1e-2, "": 1.0}
#: OME-Zarr spells units out, OME-TIFF abbreviates them, ImageJ does either.
_UM: Mapping[str, float] = {
    **{f"{prefix}meter": factor * 1e6 for prefix, factor in _PREFIXES.items()},
    **{"pm": 1e-6, "å": 1e-4, "angstrom": 1e-4, "nm": 1e-3, "micron": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6},
    # Both signs for micro, the plain letter, and ImageJ's way to write the sign in a text of ASCII.
    **{"µm": 1.0, "μm": 1.0, "um": 1.0, "\\u00b5m": 1.0, "microns": 1.0, "micrometre": 1.0},
}
_SECONDS: Mapping[str, float] = {
    **{f"{prefix}second": factor for prefix, factor in _PREFIXES.items()},
    **{"ns": 1e-9, "µs": 1e-6, "μs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0},
    **{"min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0},
}
#: Stands for Y and X where only the other axes are to be guessed.
_LARGE_PLANE = (1 << 16, 1 << 16)


def to_um(value: str | float | None, unit: str | None, axis: str = "X") -> float | None:
    """Convert the spacing along one axis to micrometres (to seconds along T); None where it is no usable size.

    A size without a unit, with a unit like "pixel" that is not known, or not above zero is not usable.
    """
    factor = (_SECONDS if axis == "T" else _UM).get(str(unit or "").strip().lower())
    try:
        size = float(value or 0) * (factor or 0.0)
    except ValueError:
        return None
    return size if isfinite(size) and size > 0 else None


def name_axes(letters: str, shape: Sequence[int]) -> str:
    """Bring the axes letters of a file to those used here; S (samples) is C.

    Axes of no known meaning get the letters that `axes.guess_axes` gives them, or else those that are free: a
    third one is Z.

    Raises
    ------
    AnnotrainError
        Two axes mean the same, or there are too many.
    """
    known = letters.upper().replace("S", "C")
    unknown = [i for i, a in enumerate(known) if a not in CANONICAL]
    if any(known.count(a) > 1 for a in CANONICAL) or len(known) > len(CANONICAL) or not set("YX") <= set(known):
        raise AnnotrainError(
            f"An image with the axes {letters} and the shape {tuple(shape)} cannot be used: "
            "save it with at most one axis each for T, C, Z, Y and X."
        )
    free = [a for a in "ZTC" if a not in known][: len(unknown)]
    names = "".join(a for a in CANONICAL if a in free)
    if len(unknown) == len(known) - 2:
        names = guess_axes((*(shape[i] for i in unknown), *_LARGE_PLANE))[: len(unknown)]
    for i, name in zip(unknown, names, strict=True):
        known = known[:i] + name + known[i + 1 :]
    return known

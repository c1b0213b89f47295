"""Counts add, scores are their ratios."""

from typing import Any

#: A score is a number, a table of scores, or None where it is undefined.
Scores = dict[str, Any]


def ratio(part: float, whole: float, empty: float | None = None) -> float | None:
    """Divide; `empty` where there is nothing to divide by."""
    return float(part) / whole if whole else empty


def add_tuples(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add entry by entry."""
    return tuple(a + b for a, b in zip(left, right, strict=True))

"""What the figures of docs/family.md have in common: where they go, and how they look."""

from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent


def pyplot() -> Any:
    """matplotlib's pyplot, without a window."""
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams.update(
        {"font.size": 8, "axes.titlesize": 8, "savefig.dpi": 130, "image.interpolation": "nearest"}
    )
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, name: str) -> None:
    """Write a figure into docs/images/family."""
    path = REPOSITORY / "docs" / "images" / "family" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight")
    print(f"-> {path.relative_to(REPOSITORY)}")


def bare(axes: Any, title: str) -> None:
    """A picture without ticks."""
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])

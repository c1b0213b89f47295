"""Writes a generated part of a page between its markers, and leaves the rest as it is."""

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs" / "benchmarks.md"


def write_part(name: str, text: str, path: Path = PAGE) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` on a page of the documentation."""
    page = path.read_text()
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(page):
        raise SystemExit(f"{path.relative_to(REPOSITORY)} has no part '{name}'.")
    path.write_text(pattern.sub(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", page))
    print(f"\n{text}\n-> {path.relative_to(REPOSITORY)}, part {name}")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_word(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """One line about where and when the figures were measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    ).stdout.strip()
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "src", "benchmarks"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    commit = f"{commit or 'no commit'}{' with local changes' if changed else ''}"
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return (
        f"Measured {datetime.date.today()} at {commit}: {_processor()}, {os.cpu_count()} cores{gpu}, "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )


def data_folder() -> Path:
    """The folder of real images that ANNOTRAIN_DATA points to."""
    folder = os.environ.get("ANNOTRAIN_DATA", "")
    if not Path(folder).is_dir() or not folder:
        raise SystemExit("ANNOTRAIN_DATA does not point to the real images: nothing was measured.")
    return Path(folder)


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    name = re.search(r"model name\s*: (.*)", info)
    matrix = "with" if "avx512_bf16" in info or "amx_bf16" in info else "without"
    return f"{name[1] if name else platform.machine()} {matrix} bfloat16 instructions"


def _word(cell: object) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)

"""Write docs/screenshots/<state>.png and the page that shows them: a real window in every state a person may see.

python scripts/screenshots.py            all of them
python scripts/screenshots.py STATE ...  some of them
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import network_states  # noqa: F401  (adds its states)
import numpy as np
from PIL import Image
from states import STATES

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
PAGE = FOLDER.with_suffix(".md")
#: Colours of a picture, the commonest ones and others: enough for a window, and the files stay small.
FLAT_COLOURS, SHARED_COLOURS = 40, 60
HEAD = """# Screenshots

<!-- written by scripts/screenshots.py -->
The window in every state, with cells made by the plugin (*File > Open Sample > Annotrain*) and short trainings;
`make screenshots` takes them anew.
"""


def main(arguments: list[str]) -> None:
    """Take the pictures named, or all of them; those at another scale in a process of their own."""
    parser = argparse.ArgumentParser(description="Take pictures of the window in every state.")
    parser.add_argument("states", nargs="*", metavar="STATE", help=f"of {', '.join(STATES)}; all if none is named")
    wanted = parser.parse_args(arguments).states or list(STATES)
    FOLDER.mkdir(exist_ok=True)
    for name in wanted:
        state = STATES[name]
        if state.scale != 1 and "QT_SCALE_FACTOR" not in os.environ:
            again = [sys.executable, __file__, name]
            subprocess.run(again, env={**os.environ, "QT_SCALE_FACTOR": str(state.scale)}, check=True)
            continue
        take(name)
    if "QT_SCALE_FACTOR" not in os.environ:
        PAGE.write_text(page(), encoding="utf-8")


def take(name: str) -> None:
    """Bring a new window into a state and save what is seen."""
    desk = STATES[name].reach()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw.png")
        desk.picture().save(str(raw))
        with Image.open(raw) as picture:
            small = with_few_colours(picture.convert("RGB"))
        small.save(FOLDER / f"{name}.png", optimize=True)
    desk.close()
    size = (FOLDER / f"{name}.png").stat().st_size
    print(f"{name}.png, {size / 1000:,.0f} kB", flush=True)


def with_few_colours(picture: Image.Image) -> Image.Image:
    """Keep the colours of the window as they are, and let those of the cells share what is left of a palette."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, of, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    flat = np.argsort(counts)[::-1][:FLAT_COLOURS]
    palette = [colours[flat]]
    others = pixels[~np.isin(of.ravel(), flat)]
    if len(others):
        shared = Image.fromarray(others[None]).quantize(SHARED_COLOURS, Image.Quantize.MAXCOVERAGE)
        palette.append(np.asarray(shared.getpalette(), np.uint8).reshape(-1, 3)[:SHARED_COLOURS])
    holder = Image.new("P", (1, 1))
    holder.putpalette(np.concatenate(palette).tobytes())
    return picture.quantize(palette=holder, dither=Image.Dither.NONE)


def page() -> str:
    """The page as Markdown."""
    parts = [HEAD]
    for name, state in STATES.items():
        parts.append(f"## {state.title}\n\n{state.words}\n\n![{state.title}](screenshots/{name}.png)\n")
    return "\n".join(parts)


if __name__ == "__main__":
    main(sys.argv[1:])

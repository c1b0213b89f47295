"""Files of a data set of the Cell Tracking Challenge, in which the frame number says what belongs together.

    01/t003.tif                    image of frame 3
    01_GT/SEG/man_seg003.tif       its gold truth; only some frames have one
    01_GT/SEG/man_seg_003_05.tif   gold truth of slice 5, counted from 0, of a stack
    01_ST/SEG/man_seg003.tif       silver truth
    01_RES/mask003.tif             result, or t003.tif if it kept the name of its image

Numbers of frames have three or four digits (https://celltrackingchallenge.net/datasets).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from napari_annotrain.errors import AnnotrainError

IMAGE = re.compile(r"(?:t|mask)(\d{3,4})\.")
TRUTH = re.compile(r"man_seg_?(\d{3,4})(?:_(\d+))?\.")


def truth_folder(path: str | Path) -> Path:
    """The folder that the label images lie in: ``SEG`` within ``01_GT`` and ``01_ST``, otherwise the path itself."""
    path = Path(path)
    inner = path / "SEG"
    return inner if path.resolve().name.endswith(("_GT", "_ST")) and inner.is_dir() else path


def pair_frames(images: Sequence[Path], truths: Sequence[Path], word: str = "image") -> list[tuple[Path, Path]]:
    """Find the image of each truth, in the order of the truths; several slices may be of one image.

    Parameters
    ----------
    images
        Images or results, ``t003.tif`` or ``mask003.tif``.
    truths
        ``man_seg003.tif`` or ``man_seg_003_05.tif``; nothing matches if there is none of these.
    word
        What an image is called in sentences.

    Raises
    ------
    AnnotrainError
        Two files are of the same frame or slice, or no truth is of a frame that has an image.
    """
    frames = _by_number(images, IMAGE)
    slices = _by_number(truths, TRUTH)
    pairs = [(frames[number[:1]], path) for number, path in slices.items() if number[:1] in frames]
    if slices and not pairs:
        (frame, *_), first = next(iter(slices.items()))
        raise AnnotrainError(
            f"No {word} in {images[0].parent} is of a frame in {first.parent}: "
            f"name the one for {first.name} mask{frame:03}.tif or t{frame:03}.tif."
        )
    return pairs


def slice_index(truth: str | Path) -> int | None:
    """Which slice of a stack this truth is of, counted from 0; None for the truth of a whole image."""
    found = TRUTH.match(Path(truth).name)
    return int(found[2]) if found and found[2] else None


def _by_number(paths: Sequence[Path], pattern: re.Pattern[str]) -> dict[tuple[int, ...], Path]:
    """Files by (frame,) or (frame, slice); others are left out."""
    numbered: dict[tuple[int, ...], Path] = {}
    for path in paths:
        found = pattern.match(path.name)
        if found is None:
            continue
        first = numbered.setdefault(tuple(int(n) for n in found.groups() if n), path)
        if first != path:
            raise AnnotrainError(f"{first.name} and {path.name} in {path.parent} are the same frame: keep one of them.")
    return numbered

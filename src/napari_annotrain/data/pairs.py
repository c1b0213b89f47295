"""Image files in folders, and which annotation belongs to which image."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from napari_annotrain.data.ctc import pair_frames, truth_folder
from napari_annotrain.data.ngff import is_zarr
from napari_annotrain.errors import AnnotrainError

TIFF_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.btf", ".tif", ".tiff", ".btf", ".tf8")
PLAIN_SUFFIXES = (".png", ".jpg", ".jpeg")
ZARR_SUFFIXES = (".ome.zarr", ".zarr")
SUFFIXES = (*TIFF_SUFFIXES, *PLAIN_SUFFIXES, *ZARR_SUFFIXES)
#: So many file names a note spells out.
MOST_NAMES = 4


def stem(path: str | Path) -> str:
    """Name of a file without its type; ``.ome.tif`` and the like count as one.

    Examples
    --------
    >>> stem("day1/cells.ome.tif"), stem("t01.2.png"), stem("scan.OME.ZARR")
    ('cells', 't01.2', 'scan')
    """
    name = Path(path).name
    known = next((s for s in SUFFIXES if name.lower().endswith(s) and len(name) > len(s)), None)
    return name[: -len(known)] if known else Path(name).stem


def list_images(path: str | Path) -> list[Path]:
    """List the images of a folder (TIFF, PNG, JPEG, zarr) by name, 2 before 10; a file or a zarr store is itself.

    Hidden files and folders within the folder are left out.

    Raises
    ------
    AnnotrainError
        There is nothing of this name, or no image in the folder.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise AnnotrainError(f"There is no file or folder {path}: check its name.")
        if not is_folder(path):
            return [path]
        found = [entry for entry in path.iterdir() if _is_image(entry)]
    except OSError as error:
        raise AnnotrainError(f"{path} cannot be read ({error.strerror}): check its name and permissions.") from error
    if not found:
        raise AnnotrainError(f"There is no image in the folder {path}: put TIFF, PNG, JPEG or OME-Zarr images there.")
    return sorted(found, key=lambda entry: _natural(entry.name))


def is_folder(path: str | Path) -> bool:
    """Tell whether this is a folder of images, and no zarr store, which is one image."""
    return os.path.isdir(path) and not is_zarr(Path(path))


def pair_files(
    images: str | Path, annotations: str | Path, words: tuple[str, str] = ("image", "annotation")
) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Find the annotation of each image: two files are a pair, in folders those of the same stem or CTC frame are.

    Stems go first; data sets of the Cell Tracking Challenge, in which the frame number counts, are told by the
    names of their truths (see `data.ctc`), of which several may belong to one image.

    Parameters
    ----------
    images, annotations
        Files or folders.
    words
        What the two are called in sentences.

    Returns
    -------
    pairs
        (image, annotation), in natural order of the image names; of CTC frames in that of the annotations.
    notes
        A sentence for the images without annotation, and one for the annotations without image.

    Raises
    ------
    AnnotrainError
        A path does not exist, holds no image or two of one stem, or nothing matches.
    """
    annotations = truth_folder(annotations)
    image_paths, annotation_paths = list_images(images), list_images(annotations)
    if image_paths == [Path(images)] and annotation_paths == [annotations]:
        return [(image_paths[0], annotation_paths[0])], []
    named = by_stem(image_paths)
    other = by_stem(annotation_paths)
    pairs = [(path, other[key]) for key, path in named.items() if key in other]
    same = "name"
    if not pairs:
        pairs = pair_frames(image_paths, annotation_paths, words[0])
        same = "frame"
    if not pairs:
        raise AnnotrainError(
            f"No {words[1]} in {annotations} is named like any {words[0]} in {images}: "
            f"name the one for {image_paths[0].name} the same, {stem(image_paths[0])}.tif."
        )
    paired = {path for pair in pairs for path in pair}
    notes = [
        _note([path for path in image_paths if path not in paired], *words, same),
        _note([path for path in annotation_paths if path not in paired], *words[::-1], same),
    ]
    return pairs, [note for note in notes if note]


def by_stem(paths: Sequence[Path]) -> dict[str, Path]:
    """Files by their stem, in the order given.

    Raises
    ------
    AnnotrainError
        Two of them have the same stem, so that their annotations or results would have the same name.
    """
    found: dict[str, Path] = {}
    for path in paths:
        first = found.setdefault(stem(path), path)
        if first != path:
            raise AnnotrainError(
                f"{first.name} and {path.name} in {path.parent} differ only in their type: keep one of them."
            )
    return found


def _is_image(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return is_zarr(path) if path.is_dir() else path.name.lower().endswith((*TIFF_SUFFIXES, *PLAIN_SUFFIXES))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorting key in which numbers count as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split("([0-9]+)", name)]


def _note(left: Sequence[Path], what: str, missing: str, same: str) -> str:
    """Word that these files stay out because their partner is missing; empty for none."""
    if not left:
        return ""
    names = ", ".join(path.name for path in left[:MOST_NAMES])
    more = f" and {len(left) - MOST_NAMES} more" if len(left) > MOST_NAMES else ""
    count = f"1 {what} is" if len(left) == 1 else f"{len(left)} {what}s are"
    return f"{count} left out, without {missing} of the same {same}: {names}{more}."

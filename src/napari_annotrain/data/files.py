import os
from pathlib import Path

import numpy as np
from PIL import JpegImagePlugin, PngImagePlugin

from napari_annotrain.data.lazy import unreadable
from napari_annotrain.data.ngff import is_zarr, open_zarr
from napari_annotrain.data.pairs import PLAIN_SUFFIXES, TIFF_SUFFIXES, stem
from napari_annotrain.data.stack import Stack
from napari_annotrain.data.tiff import open_tiff
from napari_annotrain.errors import AnnotrainError


def open_stack(path: str | Path, axes: str | None = None) -> Stack:
    """Open an image file: TIFF (BigTIFF, OME-TIFF, ImageJ), PNG, JPEG, OME-Zarr 0.4 and 0.5, or a zarr array.

    Large TIFF files and zarr stores are read window by window, others at once. The opacity of an RGBA image is
    dropped. Pixel sizes are taken from OME, ImageJ and NGFF metadata, in micrometres; a pyramid becomes `levels`.

    Parameters
    ----------
    path
        A file, or the folder of a zarr store.
    axes
        One letter of T, C, Z, Y, X for each dimension; None takes them from the metadata, or guesses them
        (`axes.guess_axes`: a plain stack of pages is ZYX).

    Raises
    ------
    AnnotrainError
        There is no such file, it is empty, damaged, of an unknown type, or `axes` does not suit it.
    """
    return _open_any(Path(path), axes, indices=False)


def open_labels(path: str | Path) -> Stack:
    """Open a label image: as `open_stack`, but in a PNG with a palette the indices are the labels, not its colours."""
    return _open_any(Path(path), None, indices=True)


def _open_any(path: Path, axes: str | None, indices: bool) -> Stack:
    try:
        stack = _open(path, axes, indices)
    except (AnnotrainError, MemoryError):
        raise
    except PermissionError as error:
        raise AnnotrainError(
            f"{path} may not be read: change its permissions, or copy it to a place of yours."
        ) from error
    except Exception as error:  # each library fails on a damaged file in its own way
        raise unreadable(path) from error
    if stack.dtype.kind not in "biuf":
        raise AnnotrainError(f"{path} holds values of type {stack.dtype}: save it as whole or real numbers.")
    return stack


def _open(path: Path, axes: str | None, indices: bool) -> Stack:
    if not os.path.exists(path):
        raise AnnotrainError(f"There is no file {path}: check its name.")
    if is_zarr(path):
        return open_zarr(path, axes, stem(path))
    if path.is_dir():
        raise AnnotrainError(f"{path} is a folder: choose one of the images in it.")
    name = path.name.lower()
    if not name.endswith((*TIFF_SUFFIXES, *PLAIN_SUFFIXES)):
        raise AnnotrainError(f"{path} is of a type that cannot be opened: save it as TIFF, OME-TIFF, PNG or OME-Zarr.")
    if path.stat().st_size == 0:
        raise AnnotrainError(f"{path} is empty: copy or save it again.")
    if name.endswith(TIFF_SUFFIXES):
        return open_tiff(path, axes, stem(path))
    return _open_picture(path, axes, indices)


def _open_picture(path: Path, axes: str | None, indices: bool) -> Stack:
    """Read a PNG or JPEG at once: grey or indices of a palette (Y, X), or colours (Y, X, C), without opacity."""
    png = path.suffix.lower() == ".png"
    with path.open("rb") as file:
        # Not through Image.open, which warns about and then refuses images of the size a slide scanner makes.
        image = PngImagePlugin.PngImageFile(file) if png else JpegImagePlugin.JpegImageFile(file)
        image.load()
    bare = {"LA": "L", "RGBA": "RGB", "P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}
    as_it_is = image.mode not in bare or (indices and image.mode == "P")
    array = np.array(image if as_it_is else image.convert(bare[image.mode]))
    known = "YX" if array.ndim == 2 else "YXC"
    return Stack.of(array.astype(array.dtype.newbyteorder("="), copy=False), axes or known, stem(path))

"""TIFF of every kind (plain, ImageJ, OME, tiled, pyramidal) opened as a Stack."""

import logging
import os
import struct
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from PIL import Image, UnidentifiedImageError

from napari_annotrain.axes import parse_axes
from napari_annotrain.data.lazy import FileArray, unreadable
from napari_annotrain.data.metadata import name_axes, to_um
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

#: Images below this many bytes, and planes of compressed ones, are read at once rather than piece by piece.
SMALL_BYTES = 64_000_000
RGB = 2
ALPHA = {1, 2}

# tifffile logs what it finds wrong; without any handler Python prints that, next to the one sentence of the error.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def open_tiff(path: Path, axes: str | None, name: str) -> Stack:
    """Open the first image of a TIFF file.

    Small images are read at once. Of larger ones a window is read at a time: through a memory map where they are
    not compressed, else by decoding the tiles or planes that the window touches.

    Raises
    ------
    AnnotrainError
        The file is cut off, in a compression that cannot be read here, or `axes` does not suit it.
    """
    with tifffile.TiffFile(path) as tiff:
        if not tiff.series or not _is_whole(tiff):
            raise unreadable(path)
        series = tiff.series[0]
        letters = name_axes(series.axes, series.shape) if axes is None else parse_axes(axes, len(series.shape))
        small = prod(series.shape) * series.dtype.itemsize < SMALL_BYTES
        arrays = []
        for level, part in enumerate(series.levels):
            opener = partial(_open_level, path.absolute(), level)
            lazy = FileArray(path, opener, _without_alpha(part), part.dtype)
            arrays.append(_read_now(path, part, lazy) if small else lazy)
        sizes = {a: um for a, um in _pixel_um(tiff).items() if a in letters}
    levels = tuple(a for a in arrays[1:] if len(a.shape) == len(letters))
    return Stack.of(arrays[0], letters, name, pixel_um=sizes, levels=levels)


def _is_whole(tiff: tifffile.TiffFile) -> bool:
    """Tell whether the chain of pages has its end; tifffile takes a file cut off inside for a shorter one."""
    if len(tiff.pages) == 0:
        return False
    handle, form = tiff.filehandle, tiff.tiff
    handle.seek(tiff.pages.next_page_offset)
    link = handle.read(form.offsetsize)
    return len(link) == form.offsetsize and bool(struct.unpack(form.offsetformat, link)[0] == 0)


def _without_alpha(series: tifffile.TiffPageSeries) -> tuple[int, ...]:
    """Shape of an image less its opacity, if it is in colour and says that its last sample is opacity."""
    page, shape = series.keyframe, list(series.shape)
    if page.photometric == RGB and "S" in series.axes and page.extrasamples and page.extrasamples[-1] in ALPHA:
        shape[series.axes.index("S")] -= 1
    return tuple(shape)


def _read_now(path: Path, series: tifffile.TiffPageSeries, lazy: FileArray) -> npt.NDArray[Any]:
    if _decodable(series):
        source = series.asarray()
        return FileArray(path, lambda: (source, None), lazy.shape, lazy.dtype)[...]
    return lazy[...]


def _open_level(path: Path, level: int) -> tuple[Any, Callable[[], None] | None]:
    tiff = tifffile.TiffFile(path)
    try:
        series = tiff.series[0].levels[level]
        if not _decodable(series):
            source: Any = PillowPages(path, series)
        elif series.dataoffset is not None and series.keyframe.is_memmappable and not series.is_multifile:
            dtype = series.dtype.newbyteorder(tiff.byteorder)
            source = MappedPages(path, dtype, series.dataoffset, series.shape)
        else:
            page = series.keyframe
            whole = not page.is_tiled and page.nbytes < SMALL_BYTES
            store = tiff.series[0].aszarr(level=level, chunkmode="page" if whole else None)
            return zarr.open(store, mode="r"), tiff.close
    except BaseException:
        tiff.close()
        raise
    tiff.close()
    return source, None


def _decodable(series: tifffile.TiffPageSeries) -> bool:
    """Tell whether tifffile can decompress this here: some compressions need the package imagecodecs."""
    page = series.keyframe
    return bool(page.compression in tifffile.TIFF.DECOMPRESSORS and page.predictor in tifffile.TIFF.UNPREDICTORS)


class MappedPages:
    """A memory map of planes that are not compressed, which is touched only as long as its file has all of them.

    Where the file was cut off meanwhile, the system would end the process.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> None:
        self._path, self._end = path, offset + prod(shape) * dtype.itemsize
        self._map = np.memmap(path, dtype, "r", offset, shape)

    def __getitem__(self, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
        """Copy a window."""
        if os.stat(self._path).st_size < self._end:
            raise EOFError(self._path)
        return np.array(self._map[key])


class PillowPages:
    """Planes that tifffile cannot decompress but Pillow can (LZW, JPEG), one decoded at a time."""

    def __init__(self, path: Path, series: tifffile.TiffPageSeries) -> None:
        self.path = path
        self.dtype, self.page_shape = series.dtype, tuple(series.keyframe.shape)
        lead = series.shape[: len(series.shape) - len(self.page_shape)]
        pages = [-1 if page is None or len(page.treeindex) > 1 else page.index for page in series.pages]
        if prod(lead) != len(pages) or min(pages) < 0:
            raise self._refusal()
        self.pages = np.reshape(pages, lead)

    def __getitem__(self, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
        """Decode the planes that the leading keys choose and cut each by the others."""
        lead, inside = key[: self.pages.ndim], key[self.pages.ndim :]
        chosen = np.asarray(self.pages[lead])
        try:
            with Image.open(self.path) as image:
                planes = [self._plane(image, int(index))[inside] for index in chosen.ravel()]
        except (UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise self._refusal() from error
        shape = planes[0].shape if planes else np.empty(self.page_shape, np.bool_)[inside].shape
        return np.reshape(planes, (*chosen.shape, *shape))

    def _plane(self, image: Image.Image, index: int) -> npt.NDArray[Any]:
        image.seek(index)
        plane = np.asarray(image)
        if plane.shape != self.page_shape or plane.dtype.newbyteorder("=") != self.dtype.newbyteorder("="):
            raise self._refusal()
        return plane

    def _refusal(self) -> AnnotrainError:
        return AnnotrainError(
            f"{self.path} is compressed in a way that cannot be read here: "
            "save it uncompressed or with deflate, or install the package imagecodecs."
        )


def _pixel_um(tiff: tifffile.TiffFile) -> Mapping[str, float]:
    """Pixel sizes in micrometres (T in seconds) that the metadata tells, by axis letter."""
    if tiff.ome_metadata:
        found = _ome_sizes(tiff.ome_metadata)
    elif tiff.imagej_metadata:
        found = _imagej_sizes(tiff.imagej_metadata, tiff.pages[0].tags)
    else:
        found = {}
    return {axis: size for axis, size in found.items() if size is not None}


def _ome_sizes(xml: str) -> dict[str, float | None]:
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    given = {} if pixels is None else pixels.attrib
    sizes = {a: to_um(given.get(f"PhysicalSize{a}"), given.get(f"PhysicalSize{a}Unit", "µm"), a) for a in "ZYX"}
    return {**sizes, "T": to_um(given.get("TimeIncrement"), given.get("TimeIncrementUnit", "s"), "T")}


def _imagej_sizes(metadata: Mapping[str, Any], tags: tifffile.TiffTags) -> dict[str, float | None]:
    unit = metadata.get("unit")
    sizes = {"Z": to_um(metadata.get("spacing"), unit), "T": to_um(metadata.get("finterval"), "s", "T")}
    for axis in "YX":
        pixels, units = tags.valueof(f"{axis}Resolution", (0, 0))
        sizes[axis] = to_um(units / pixels, metadata.get(f"{axis.lower()}unit", unit)) if pixels else None
    return sizes

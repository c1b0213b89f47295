"""Label and float images written to TIFF, PNG and OME-Zarr: complete under their name, or not at all."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from PIL import Image

from napari_annotrain.axes import NO_PIXEL_SIZES, parse_axes
from napari_annotrain.data.lazy import Array, read_blocks
from napari_annotrain.data.ngff import new_store
from napari_annotrain.data.pairs import stem
from napari_annotrain.data.places import beside, check_place, check_way, refusing
from napari_annotrain.data.pyramid import add_levels
from napari_annotrain.errors import AnnotrainError

#: Offsets in a TIFF that is no BigTIFF have 32 bits; some are left for the metadata.
MOST_TIFF_BYTES = (1 << 32) - (1 << 25)
#: What OME-TIFF cannot hold is stored as what it can.
_NARROWER = {"uint64": "uint32", "int64": "int32", "float16": "float32"}


def check_writable(
    path: str | Path,
    overwrite: bool = False,
    shape: tuple[int, ...] | None = None,
    axes: str | None = None,
    dtype: npt.DTypeLike | None = None,
) -> None:
    """Refuse, before any work is done, what `write_array` would refuse; nothing is left behind.

    A file may replace a file. A zarr store replaces another one only where `overwrite` says so. With `shape`, `axes`
    and `dtype` of the result, what the file type cannot hold is refused too.

    Raises
    ------
    AnnotrainError
        The type is unknown, a folder or store is in the way, the place cannot be written, or the result does not fit.
    """
    path = Path(path)
    suffix = _suffix(path)
    if shape is not None and axes is not None:
        _check_fits(path, shape, axes, np.dtype(dtype))
    check_place(path)
    with refusing(path):
        check_way(path, suffix == ".zarr", overwrite)


def write_array(
    path: str | Path,
    array: Array,
    axes: str,
    pixel_um: Mapping[str, float] = NO_PIXEL_SIZES,
    overwrite: bool = False,
) -> None:
    """Write an image so that `files.open_stack` finds the same values, axes and pixel sizes.

    Lazy arrays (dask, zarr, memory maps) are read some planes at a time. The result appears under its name when it
    is complete; if anything fails, what was there before stays. Missing folders are made. TIFF drops axes of length
    1, and has Y and X (and then C, if C follows them in `axes`) last.

    Parameters
    ----------
    path
        ``.tif`` (OME metadata, zlib; 64-bit whole numbers become 32-bit ones, float16 becomes float32),
        ``.zarr`` (OME-Zarr 0.5; whole numbers without a C axis are labels), or ``.png`` (one plane of uint8 or
        uint16, without pixel size).
    array
        Anything with ``shape``, ``dtype`` and slicing.
    axes
        One letter of T, C, Z, Y, X for each dimension.
    pixel_um
        Pixel sizes in micrometres by axis letter (T in seconds).
    overwrite
        Whether a zarr store of this name may be replaced; a file always is.

    Raises
    ------
    AnnotrainError
        As `check_writable`; also an empty array, wrong axes, values that the file type cannot hold, a full disk.
    """
    path = Path(path)
    write = _WRITERS[_suffix(path)]
    axes = _check_fits(path, tuple(array.shape), axes, np.dtype(array.dtype))
    sizes = {a: float(um) for a, um in pixel_um.items() if a in axes}
    check_writable(path, overwrite)
    with beside(path) as temporary:
        write(temporary, array, axes, sizes, stem(path))


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        raise AnnotrainError(f"{path} is of a type that cannot be written: let it end in .tif, .ome.zarr or .png.")
    return suffix


def _check_fits(path: Path, shape: tuple[int, ...], axes: str, dtype: np.dtype[Any]) -> str:
    """Refuse what the type of file cannot hold, whatever the values; the axes come back in capitals."""
    axes = parse_axes(axes, len(shape))
    if 0 in shape:
        raise AnnotrainError(f"{path} would be empty (shape {shape}): there is nothing to write.")
    one_plane = all(n == 1 for a, n in zip(axes, shape, strict=True) if a not in "YX")
    if path.suffix.lower() == ".png" and not (one_plane and dtype.name in ("uint8", "uint16")):
        raise AnnotrainError(
            f"{path} cannot hold this result: PNG holds one plane of 8 or 16 bits, so write .tif or .ome.zarr."
        )
    return axes


def _write_tiff(path: Path, array: Array, axes: str, pixel_um: Mapping[str, float], name: str) -> None:
    # tifffile packs truth values and does not unpack samples of them
    colour = axes.endswith("YXC") and array.shape[-1] > 1 and np.dtype(array.dtype).kind != "b"
    if not (colour or axes.endswith("YX")):
        order = [*(i for i, a in enumerate(axes) if a not in "YX"), axes.index("Y"), axes.index("X")]
        array, axes = np.asarray(array[...]).transpose(order), "".join(axes[i] for i in order)
    native = np.dtype(array.dtype).newbyteorder("=")
    dtype = np.dtype(_NARROWER.get(native.name, native))
    blocks = read_blocks(array, 3 if colour else 2)
    planes = (plane for where, part in blocks for plane in (part if where else [part]))
    tifffile.imwrite(
        path,
        (_narrowed(plane, dtype, name) for plane in planes),
        shape=array.shape,
        dtype=dtype,
        ome=True,
        bigtiff=prod(array.shape) * dtype.itemsize > MOST_TIFF_BYTES,
        photometric="rgb" if colour and array.shape[-1] == 3 and dtype.kind == "u" else "minisblack",
        planarconfig="contig" if colour else None,
        # Measured: a predictor makes label images larger. Floats hardly shrink, however long one tries.
        compression="zlib",
        compressionargs={"level": 1 if dtype.kind == "f" else 6},
        metadata={"axes": axes.replace("C", "S") if colour else axes, "Name": name, **_ome_sizes(pixel_um)},
    )


def _narrowed(plane: npt.NDArray[Any], dtype: np.dtype[Any], name: str) -> npt.NDArray[Any]:
    if dtype.itemsize < plane.dtype.itemsize and not np.array_equal(plane, plane.astype(dtype)):
        raise AnnotrainError(f"{name}.tif cannot hold numbers above {np.iinfo(dtype).max}: write .ome.zarr instead.")
    return np.ascontiguousarray(plane, dtype)


def _ome_sizes(pixel_um: Mapping[str, float]) -> dict[str, str | float]:
    sizes: dict[str, str | float] = {}
    for axis, size in pixel_um.items():
        key = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
        sizes |= {key: size, f"{key}Unit": "s" if axis == "T" else "µm"}
    return sizes


def _write_png(path: Path, array: Array, axes: str, pixel_um: Mapping[str, float], name: str) -> None:
    plane = np.asarray(array[...]).squeeze(tuple(i for i, a in enumerate(axes) if a not in "YX"))
    Image.fromarray(plane if axes.index("Y") < axes.index("X") else np.ascontiguousarray(plane.T)).save(path, "PNG")


def _write_zarr(path: Path, array: Array, axes: str, pixel_um: Mapping[str, float], name: str) -> None:
    target = new_store(path, array.shape, np.dtype(array.dtype), axes, pixel_um, name)
    for where, part in read_blocks(array, 2):
        target[where or ...] = part
    add_levels(zarr.open_group(path, mode="r+"), axes)


_WRITERS = {".tif": _write_tiff, ".tiff": _write_tiff, ".png": _write_png, ".zarr": _write_zarr}

"""OME-Zarr (NGFF 0.1 to 0.5) and plain zarr arrays opened as a Stack, and the metadata that a new one gets."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from napari_annotrain.axes import CANONICAL, parse_axes
from napari_annotrain.data.chunks import is_store, open_watched
from napari_annotrain.data.lazy import FileArray, unreadable
from napari_annotrain.data.metadata import name_axes, to_um
from napari_annotrain.data.stack import Stack
from napari_annotrain.errors import AnnotrainError

VERSION = "0.5"
#: Longest side of a chunk in a new OME-Zarr.
CHUNK_PX = 1024
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_UNITS = {"T": "second", "Z": "micrometer", "Y": "micrometer", "X": "micrometer"}


def is_zarr(path: Path) -> bool:
    """Tell whether a folder is a zarr store, or calls itself one."""
    return path.is_dir() and (path.suffix.lower() == ".zarr" or is_store(path))


def open_zarr(path: Path, axes: str | None, name: str) -> Stack:
    """Open the multiscale image in the root group of an OME-Zarr, or a zarr array; windows are read when asked for.

    Raises
    ------
    AnnotrainError
        It holds no image, or `axes` does not suit it.
    """
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return _open_array(path, node, axes, name)
    attributes = _ome_attributes(node)
    if "multiscales" not in attributes and "0" in node and isinstance(node["0"], zarr.Group):
        return open_zarr(path / "0", axes, name)  # several images in a row, as bioformats2raw writes them
    if not attributes.get("multiscales"):
        arrays = [key for key, _ in node.arrays()]
        if len(arrays) != 1:
            raise AnnotrainError(f"{path} holds no multiscale image: give the path of an OME-Zarr image or zarr array.")
        return _open_array(path / arrays[0], node[arrays[0]], axes, name)
    return _open_multiscale(path, node, attributes["multiscales"][0], axes, name)


def _ome_attributes(group: zarr.Group) -> Mapping[str, Any]:
    attributes: Mapping[str, Any] = group.attrs.asdict()
    found: Mapping[str, Any] = attributes.get("ome", attributes)
    return found


def _open_array(path: Path, array: zarr.Array, axes: str | None, name: str) -> Stack:
    lazy = FileArray(path, partial(_open_level, path.absolute()), array.shape, array.dtype)
    written = "".join(str(a or "?")[:1].upper() for a in getattr(array.metadata, "dimension_names", None) or ())
    if axes is None and len(written) == array.ndim and len(set(written) & set(CANONICAL)) == array.ndim:
        axes = written
    return Stack.of(lazy, axes, name)


def _open_multiscale(path: Path, group: zarr.Group, image: Mapping[str, Any], axes: str | None, name: str) -> Stack:
    datasets = image["datasets"]
    shape = group[datasets[0]["path"]].shape
    entries = _axis_entries(image, len(shape))
    letters = "".join(_letter(entry) for entry in entries)
    dropped = () if axes else tuple(i for i, a in enumerate(letters) if a not in CANONICAL and shape[i] == 1)
    kept = [i for i in range(len(shape)) if i not in dropped]
    named = name_axes("".join(letters[i] for i in kept), [shape[i] for i in kept]) if axes is None else axes
    named = parse_axes(named, len(kept))
    arrays = []
    for dataset in datasets:
        part = group[dataset["path"]]
        opener = partial(_open_level, path.absolute() / dataset["path"])
        arrays.append(FileArray(path, opener, tuple(part.shape[i] for i in kept), part.dtype, dropped))
    scale = _scale(image, len(shape)) * _scale(datasets[0], len(shape))
    sizes = {a: to_um(scale[i], entries[i].get("unit"), a) for a, i in zip(named, kept, strict=True) if a != "C"}
    pixel_um = {a: um for a, um in sizes.items() if um is not None}
    return Stack.of(arrays[0], named, name, pixel_um=pixel_um, levels=tuple(arrays[1:]))


def _open_level(path: Path) -> tuple[Any, None]:
    array = open_watched(path)
    if not isinstance(array, zarr.Array):
        raise unreadable(path)
    return array, None


def _axis_entries(image: Mapping[str, Any], ndim: int) -> list[Mapping[str, Any]]:
    """Axes of a multiscale as mappings: NGFF 0.3 wrote only their names, and those before were always T, C, Z, Y, X."""
    entries: Sequence[Any] = image.get("axes") or list(CANONICAL.lower())
    if len(entries) != ndim:
        raise AnnotrainError(
            f"The metadata name {len(entries)} axes for {ndim} dimensions: say which they are with the option axes."
        )
    return [entry if isinstance(entry, Mapping) else {"name": entry} for entry in entries]


def _letter(entry: Mapping[str, Any]) -> str:
    letter = str(entry["name"])[:1].upper()
    known = {"channel": "C", "time": "T"}.get(str(entry.get("type")))
    return known or (letter if len(entry["name"]) == 1 and letter in CANONICAL else "?")


def _scale(entry: Mapping[str, Any], ndim: int) -> npt.NDArray[np.float64]:
    """Product of the scales among an entry's coordinate transformations, one number an axis."""
    scale = np.ones(ndim)
    for transformation in entry.get("coordinateTransformations") or ():
        if transformation.get("type") == "scale" and len(transformation.get("scale", ())) == ndim:
            scale = scale * np.asarray(transformation["scale"], float)
    return scale


def valid_order(axes: str) -> str:
    """The same axes in an order that OME-Zarr allows: time, channel, then those of space as they stand."""
    return "".join(sorted(axes, key=lambda a: "TC".index(a) if a in "TC" else 2))


def new_store(
    path: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str,
    pixel_um: Mapping[str, float],
    name: str,
    chunk_px: int = CHUNK_PX,
) -> zarr.Array:
    """Create an OME-Zarr 0.5 of zeros whose one level is at path ``0``, and return that; `axes` stand as given.

    Chunks are single planes, at most `chunk_px` a side. Whole numbers without a C axis are labels.
    """
    labels = dtype.kind in "iu" and "C" not in axes
    group = zarr.create_group(path, zarr_format=3, attributes=_image_attributes(axes, pixel_um, name, labels))
    return group.create_array(
        "0",
        shape=shape,
        chunks=tuple(min(n, chunk_px) if a in "YX" else 1 for a, n in zip(axes, shape, strict=True)),
        dtype=dtype.newbyteorder("="),
        fill_value=0,
        dimension_names=list(axes.lower()),
    )


def _image_attributes(axes: str, pixel_um: Mapping[str, float], name: str, labels: bool) -> dict[str, Any]:
    """Attributes of the root group of an OME-Zarr with one level, at path ``0``.

    Axes stand in the order given, which ought to be T, C, Z, Y, X for other programs. Axes without a known pixel size
    get the scale 1 and no unit. A label image gets `image-label` metadata that make its background transparent.
    """
    entries = []
    for axis in axes:
        entry = {"name": axis.lower(), "type": _TYPES[axis]}
        entries.append({**entry, "unit": _UNITS[axis]} if axis in pixel_um and axis in _UNITS else entry)
    scale = [float(pixel_um.get(axis, 1.0)) if axis in _UNITS else 1.0 for axis in axes]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    ome: dict[str, Any] = {
        "version": VERSION,
        "multiscales": [{"name": name, "axes": entries, "datasets": [dataset]}],
    }
    if labels:
        ome["image-label"] = {"colors": [{"label-value": 0, "rgba": [0, 0, 0, 0]}]}
    return {"ome": ome}

"""A prediction on its way to the disk: what run it is, where its result lies meanwhile, and with which tiles."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import napari_annotrain
from napari_annotrain.api.piecewise import measure_normalisation
from napari_annotrain.data import filling as fillings
from napari_annotrain.data.filling import Filling
from napari_annotrain.data.ngff import CHUNK_PX, valid_order
from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.stack import Stack, spread
from napari_annotrain.data.validation import fingerprint
from napari_annotrain.data.writing import check_writable
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.inference.rescale import rescale
from napari_annotrain.inference.results import output_of
from napari_annotrain.inference.segment import exact_for, plan_tiles
from napari_annotrain.inference.views import how_of
from napari_annotrain.net.model import Model, digest
from napari_annotrain.specs import PredictSpec

#: Cells of fewer pixels on the average would be crumbs: what decides how large their ids may become.
LEAST_CELL_PX = 16
#: Largest core of a tile that workers of a cluster compute on processors, in px.
WORKER_CORE = 512
#: Side of the windows by which an image is known again.
LOOK_PX = 32
#: So many planes are looked at, and windows altogether at least.
LOOK_PLANES, LOOK_WINDOWS = 64, 36
#: What of a model's card decides what it makes of an image.
DECISIVE = {"classes", "normalise", "training_range", "cell_diameter_px", "threshold", "min_size_px"}
#: And of one that makes images.
DECISIVE_OF_IMAGES = {"normalise", "training_range", "target_range", "residual"}
#: Where an OME-Zarr of ours says how it was made.
ATTRIBUTE = "napari_annotrain"
#: And up to where ids of cells are taken.
LAST_ID = f"{ATTRIBUTE}_last_id"


@dataclass(frozen=True)
class UnderWay:
    """A result on its way, and how it is computed.

    Attributes
    ----------
    spec
        Nothing in it is automatic any more, so that the same tiles are computed when it is gone on with.
    by_plane
        Results come as whole planes, not as tiles.
    """

    filling: Filling
    model: Model
    stack: Stack
    spec: PredictSpec
    normalisation: Normalisation
    by_plane: bool

    @property
    def cells(self) -> bool:
        """Whether cells are told apart."""
        return kind_of(self.model, self.spec) == "cells"


def begin(
    run: Mapping[str, Any],
    model: Model,
    stack: Stack,
    spec: PredictSpec,
    out: Path,
    overwrite: bool,
    normalisation: Normalisation | None = None,
) -> UnderWay:
    """Begin a result; `run` is what must be the same to go on with it later (`identity`).

    Raises
    ------
    AnnotrainError
        It cannot be written there.
    """
    kind, dtype, _ = output_of(model.card, spec.output)
    axes, shape = stored_as(model, stack, spec)
    spec, by_plane = _plan(model, stack, exact_for(model.card, spec))
    check_writable(out, overwrite, shape, axes, dtype)  # before the image is measured
    normalisation = normalisation or measure_normalisation(model, stack)
    about = {
        "run": run,
        "tile": spec.tile,
        "memory": spec.memory,  # cells of tissue hang on it
        "precision": spec.precision,
        "normalisation": asdict(normalisation),
    }
    made = id_type(stack) if kind == "cells" else dtype
    chunk = CHUNK_PX if by_plane else divide(int(spec.tile))
    filling = fillings.begin(out, shape, made, axes, about, stack.pixel_um, chunk, overwrite)
    return UnderWay(filling, model, stack, spec, normalisation, by_plane)


def go_on(
    left: Mapping[str, Any], run: Mapping[str, Any], model: Model, stack: Stack, spec: PredictSpec, out: Path
) -> UnderWay:
    """Go on with a result of which it is said what is `left`, with the tiles and intensities of its first run.

    Raises
    ------
    AnnotrainError
        It belongs to another run.
    """
    check_same(left["run"], run, out)
    axes, shape = stored_as(model, stack, spec)
    kept = {name: left[name] for name in ("tile", "memory", "precision")}
    spec = spec.model_copy(update=kept)
    spec, by_plane = _plan(model, stack, spec)
    normalisation = Normalisation(**left["normalisation"])
    return UnderWay(fillings.go_on(out, shape, axes), model, stack, spec, normalisation, by_plane)


def _plan(model: Model, stack: Stack, spec: PredictSpec) -> tuple[PredictSpec, bool]:
    """As `plan_tiles`; for workers, whose devices are not known here, as for a CPU unless a device is named.

    Workers of one computer share the way to its memory, which tiles of 512 px need much less: alone, one worker is a
    tenth slower with them, but two are a fifth faster.
    """
    if not spec.scheduler:
        return plan_tiles(model, stack, spec)
    device = "cpu" if spec.device == "auto" else spec.device
    own = spec.precision != "auto"
    planned, by_plane = plan_tiles(
        model, stack, spec.model_copy(update={"device": "cpu", "precision": "float32" if own else "auto"})
    )
    precision = spec.precision if own else "float16" if device == "cuda" else planned.precision
    tile = min(int(planned.tile), WORKER_CORE) if device == "cpu" and spec.tile == "auto" else planned.tile
    return planned.model_copy(update={"device": device, "precision": precision, "tile": tile}), by_plane


def stored_as(model: Model, stack: Stack, spec: PredictSpec) -> tuple[str, tuple[int, ...]]:
    """Axes and shape of a result in an OME-Zarr, which wants time and channel first."""
    _, _, channels = output_of(model.card, spec.output)
    sizes = dict(zip(stack.label_axes, stack.label_shape, strict=True)) | {"C": channels}
    axes = valid_order("C" * bool(channels) + stack.label_axes)
    return axes, tuple(sizes[a] for a in axes)


def kind_of(model: Model, spec: PredictSpec) -> str:
    """``"classes"``, ``"cells"``, ``"probabilities"``, ``"uncertainty"`` or ``"image"``."""
    return output_of(model.card, spec.output)[0]


def identity(model: Model, stack: Stack, spec: PredictSpec) -> dict[str, Any]:
    """What must be the same for a result to be gone on with."""
    kind = kind_of(model, spec)
    whole = slice(0, stack.shape[-2]), slice(0, stack.shape[-1])
    return {
        "model": digest(model.weights),
        "card": model.card.model_dump(
            mode="json", include=DECISIVE_OF_IMAGES if model.card.target == "image" else DECISIVE
        ),
        "image": _likeness(stack),
        "shape": list(stack.shape),
        "scale": rescale(model.card, stack, spec, whole).scale,
        "output": kind,
        "cells": spec.cells.model_dump(mode="json") if kind == "cells" else None,
        "cluster": bool(spec.scheduler),  # whose blocks and ids are others
        "version": napari_annotrain.__version__,
        **({"views": list(how_of(spec))} if spec.augment != "none" or kind == "uncertainty" else {}),
    }


def check_same(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any], out: Path, complete: bool = False) -> None:
    """Refuse to take what is there for the result of another run; by whom a `complete` one was computed is all one.

    Raises
    ------
    AnnotrainError
        It is that of another run.
    """
    if theirs is None:
        raise AnnotrainError(f"{out} was not made by a prediction that could be resumed: choose another name.")
    words = {
        "model": "another model",
        "card": "another model",
        "shape": "another image",
        "image": "another image",
        "output": "another kind of output",
        "cells": "other cell settings",
        "views": "other turned views or another uncertainty",
        "scale": "another cell diameter or pixel size",
        "version": "another version of napari-annotrain",
        "cluster": "no scheduler" if ours["cluster"] else "a scheduler (local:1 will do)",
    }
    if complete:
        del words["cluster"]
    if others := [word for key, word in words.items() if theirs.get(key) != ours.get(key)]:
        raise AnnotrainError(
            f"The run to resume, of {out}, had {others[0]}: give what it had, or allow it to be overwritten."
        )


def is_same(theirs: Mapping[str, Any] | None, ours: Mapping[str, Any]) -> bool:
    """Whether two complete results are the same; by whom they were computed is all one."""
    return theirs is not None and {**theirs, "cluster": None} == {**ours, "cluster": None}


def run_of(out: Path) -> Mapping[str, Any] | None:
    """What a result says of the run it comes from; None where it says nothing."""
    try:
        found = zarr.open_group(out, mode="r").attrs.get(ATTRIBUTE)
    except (OSError, KeyError, ValueError):
        return None
    return found if isinstance(found, Mapping) else None


def divide(core: int) -> int:
    """Side of chunks of which whole ones fit into a tile, so that no two tiles share one."""
    n = -(-core // CHUNK_PX)
    while core % n:
        n += 1
    return core // n


def ids_of(plane: Sequence[int]) -> int:
    """As many ids as the cells of a plane of this height and width may need."""
    return prod(plane) // LEAST_CELL_PX + 1


def _likeness(stack: Stack) -> str:
    """Know an image again: by windows of its planes, all of them where they are not too many, each at another place."""
    found = hashlib.blake2b(fingerprint(stack).encode(), digest_size=8)
    _, _, n_z, height, width = stack.shape
    planes = spread(stack.n_planes, LOOK_PLANES)
    n_windows = -(-LOOK_WINDOWS // len(planes))
    for i, (plane, _) in enumerate(product(planes, range(n_windows))):
        t, z = divmod(plane, n_z)
        y, x = (int((i + 1) * step % 1 * max(1, n - LOOK_PX)) for n, step in ((height, 0.755), (width, 0.570)))
        window = slice(z, z + 1), slice(y, min(y + LOOK_PX, height)), slice(x, min(x + LOOK_PX, width))
        found.update(np.ascontiguousarray(stack.read(t, window)).tobytes())
    return found.hexdigest()


def id_type(stack: Stack) -> np.dtype[np.unsignedinteger[Any]]:
    """Large enough for the ids of all cells there can be; chosen before the first one is found."""
    n_t, _, n_z, *plane = stack.shape
    most = n_t * n_z * ids_of(plane)
    return np.dtype(np.uint32 if most < 2**32 else np.uint64)
